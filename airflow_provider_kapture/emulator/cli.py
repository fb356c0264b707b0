"""``kapture emulator``: the emulator on the command line. How switches are parsed and listed is in ``switch_texts``."""

from __future__ import annotations

import argparse
import datetime as dt
import shlex
import signal
import sys
import threading
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from airflow_provider_kapture.emulator.book import Book
from airflow_provider_kapture.emulator.credentials import issued_credentials
from airflow_provider_kapture.emulator.presets import PRESETS
from airflow_provider_kapture.emulator.switch_texts import list_switches, parse_assignments
from airflow_provider_kapture.emulator.switch_topics import TOPICS
from airflow_provider_kapture.emulator.switches import Switches, choices, switch_types, without_none

if TYPE_CHECKING:
    from airflow_provider_kapture.emulator.server import Emulator

_USAGE_ERROR = 2
_CONNECTION_ID = "kapture_default"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``kapture emulator``: for the book, for the account, and one for each switch."""
    default = Book()
    book = parser.add_argument_group("the order book (the same arguments result in the same orders)")
    book.add_argument("--orders", type=int, default=default.orders, metavar="N", help="number of orders (%(default)s)")
    book.add_argument("--days", type=int, default=default.days, metavar="N", help="number of days (%(default)s)")
    book.add_argument(
        "--start",
        type=dt.date.fromisoformat,
        metavar="DATE",
        help="first day; by default, the last one is today, with the orders created so far",
    )
    book.add_argument(
        "--timezone", default=default.timezone, metavar="ZONE", help="the account's time zone (%(default)s)"
    )
    book.add_argument("--seed", type=int, default=default.seed, metavar="N", help="seed of the generator (%(default)s)")
    account = parser.add_argument_group("the account")
    account.add_argument("--cm-id", type=int, default=default.cm_id, metavar="N", help="its id (%(default)s)")
    account.add_argument("--user", default="kapture", help="user name (%(default)s)")
    account.add_argument("--password", default="emulator", help="password (%(default)s)")
    account.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 is a free one (%(default)s)")
    together = parser.add_argument_group("switches: what the vendor's documentation leaves open, and faults")
    together.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="set a switch by its name in --list; repeatable",
    )
    together.add_argument("--preset", choices=tuple(PRESETS), help="switches of a likely account; others override them")
    together.add_argument("--list", action="store_true", help="print all switches by topic, and exit")
    for topic in TOPICS:
        _add_switches(parser.add_argument_group(f"switches: {topic}"), topic)


def _add_switches(group: argparse._ArgumentGroup, topic: str) -> None:
    expected = switch_types()
    for each in fields(Switches):
        if each.metadata["topic"] != topic:
            continue
        kind, named = without_none(expected[each.name]), choices(expected[each.name])
        text = each.metadata["help"]
        if kind is not bool and each.default is not None:
            text = f"{text} ({each.default})"
        # Absent unless given, so that a preset may have another default.
        options: dict[str, Any] = {"dest": f"switch_{each.name}", "default": argparse.SUPPRESS}
        options["help"] = text.replace("%", "%%")
        if kind is bool:
            options["action"] = argparse.BooleanOptionalAction
        elif named:
            options |= {"type": type(named[0]), "choices": named}
        else:
            unit = each.metadata["unit"] or {int: "N", float: "SECONDS", str: "TEXT"}[kind]
            options |= {"type": kind, "metavar": unit}
        group.add_argument(_flag(each.name), **options)


def switches_of(args: argparse.Namespace) -> Switches:
    """Return the switches of the arguments: the preset's, overridden by options, overridden by ``--set``.

    :raises ValueError: an unknown switch or an invalid value
    """
    options = {
        each.name: getattr(args, f"switch_{each.name}")
        for each in fields(Switches)
        if hasattr(args, f"switch_{each.name}")
    }
    preset = PRESETS[args.preset] if args.preset else {}
    return Switches().changed({**preset, **options, **parse_assignments(args.set)})


def book_of(args: argparse.Namespace) -> Book:
    """Return the order book of the arguments.

    :raises ValueError: an argument is invalid
    """
    if args.start is None:
        return Book.until_now(args.orders, args.days, args.timezone, seed=args.seed, cm_id=args.cm_id)
    return Book(args.orders, args.days, args.start, args.timezone, args.seed, args.cm_id)


def _flag(name: str) -> str:
    # --timezone is the book's: the account's zone, not the one in which the server reads dates.
    return "--dates-timezone" if name == "timezone" else "--" + name.replace("_", "-")


def main(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM.

    :return: the exit status: 0 after a signal, 2 if an argument is invalid or a package is missing
    """
    if args.list:
        sys.stdout.write(list_switches())
        return 0
    try:
        from airflow_provider_kapture.emulator.server import Emulator
    except ModuleNotFoundError as error:
        return _print_error(
            f"{error.name} is not installed; install it with `pip install 'airflow-provider-kapture[emulator]'`"
        )
    try:
        emulator = Emulator(book_of(args), switches_of(args), user=args.user, password=args.password, port=args.port)
    except ValueError as error:
        return _print_error(str(error))
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        with emulator:
            sys.stdout.write(_welcome(emulator))
            sys.stdout.flush()
            stop.wait()
    except OSError as error:
        return _print_error(f"cannot listen on 127.0.0.1:{args.port}: {error.strerror}; choose another --port")
    return 0


def _print_error(message: str) -> int:
    sys.stderr.write(f"kapture emulator: {message}\n")
    return _USAGE_ERROR


def _welcome(emulator: Emulator) -> str:
    book = emulator.book
    login, password = issued_credentials(emulator.switches, emulator.user, emulator.password)
    ((name, value),) = emulator.connection_uri_env(_CONNECTION_ID).items()
    return f"""\
Kapture emulator: {len(emulator.ids()):,} orders of {book.start} to {book.last_day} ({book.timezone})
  URL       {emulator.origin}
  login     {login}
  password  {password}
  cm_id     {emulator.cm_id}
  control   {emulator.origin}/_emulator/stats

In another terminal, define the connection, check it, and count the orders of a day:

export {name}={shlex.quote(value)}
kapture doctor {_CONNECTION_ID}{_day_option(book)}
{_count_command(book)}

Stop with Ctrl-C.
"""


def _day_option(book: Book) -> str:
    # Without it, the doctor looks for orders of the last days.
    return "" if book.last_ms is not None else f" --day {book.last_day}"


def _count_command(book: Book) -> str:
    """Return a command that counts the orders of the book's last complete day."""
    after = book.last_day + dt.timedelta(days=book.last_ms is None or book.days == 1)
    edges = f"'{after - dt.timedelta(days=1)}', '{after}'"
    code = "from airflow_provider_kapture.hooks.kapture import KaptureHook; "
    return f'python -c "{code}print(KaptureHook().count_orders({edges}))"'
