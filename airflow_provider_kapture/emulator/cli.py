"""``kapture emulator``: the emulator on the command line."""

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
from airflow_provider_kapture.emulator.switches import Switches, bare, choices, switch_types

if TYPE_CHECKING:
    from airflow_provider_kapture.emulator.server import Emulator

_USAGE_ERROR = 2
_CONNECTION_ID = "kapture_default"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``kapture emulator``: those of the book, of the account, and one for each switch."""
    default = Book()
    book = parser.add_argument_group("the order book (the same arguments give the same orders)")
    book.add_argument("--orders", type=int, default=default.orders, metavar="N", help="how many orders (%(default)s)")
    book.add_argument("--days", type=int, default=default.days, metavar="N", help="over how many days (%(default)s)")
    book.add_argument(
        "--start", type=dt.date.fromisoformat, default=default.start, metavar="DATE", help="first day (%(default)s)"
    )
    book.add_argument(
        "--timezone", default=default.timezone, metavar="ZONE", help="the account's time zone (%(default)s)"
    )
    book.add_argument("--seed", type=int, default=default.seed, metavar="N", help="another seed, other orders")
    account = parser.add_argument_group("the account")
    account.add_argument("--cm-id", type=int, default=default.cm_id, metavar="N", help="its id (%(default)s)")
    account.add_argument("--user", default="kapture", help="user name (%(default)s)")
    account.add_argument("--password", default="emulator", help="password (%(default)s)")
    account.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 is a free one (%(default)s)")
    _add_switches(parser.add_argument_group("switches: what the vendor's page leaves open, and misbehaviour"))


def _add_switches(group: argparse._ArgumentGroup) -> None:
    wanted = switch_types()
    for each in fields(Switches):
        kind, named = bare(wanted[each.name]), choices(wanted[each.name])
        text = each.metadata["help"].replace("%", "%%")
        options: dict[str, Any] = {"dest": f"switch_{each.name}", "default": each.default, "help": text}
        if kind is bool:
            options["action"] = argparse.BooleanOptionalAction if each.default else "store_true"
        elif named:
            options |= {"type": type(named[0]), "choices": named}
        else:
            options |= {"type": kind, "metavar": {int: "N", float: "SECONDS", str: "TEXT"}[kind]}
        if kind is not bool and each.default is not None:
            options["help"] = f"{text} (%(default)s)"
        group.add_argument(_flag(each.name), **options)


def _flag(name: str) -> str:
    # The book has a --timezone of its own: what the account's is, not what dates are read in.
    return "--dates-timezone" if name == "timezone" else "--" + name.replace("_", "-")


def main(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM.

    :return: the exit status: 0 after a signal, 2 where the arguments or the installation won't do
    """
    try:
        from airflow_provider_kapture.emulator.server import Emulator
    except ModuleNotFoundError as error:
        return _complain(f"{error.name} is not installed. Run: pip install 'airflow-provider-kapture[emulator]'")
    try:
        book = Book(args.orders, args.days, args.start, args.timezone, args.seed, args.cm_id)
        switches = Switches(**{each.name: getattr(args, f"switch_{each.name}") for each in fields(Switches)})
        emulator = Emulator(book, switches, user=args.user, password=args.password, port=args.port)
    except ValueError as error:
        return _complain(str(error))
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        with emulator:
            sys.stdout.write(_welcome(emulator))
            sys.stdout.flush()
            stop.wait()
    except OSError as error:
        return _complain(f"can't listen on 127.0.0.1:{args.port}: {error.strerror}")
    return 0


def _complain(message: str) -> int:
    sys.stderr.write(f"kapture emulator: {message}\n")
    return _USAGE_ERROR


def _welcome(emulator: Emulator) -> str:
    book = emulator.book
    ((name, value),) = emulator.connection_uri_env(_CONNECTION_ID).items()
    return f"""\
Kapture emulator: {book.orders:,} orders of {book.start} to {book.last_day} ({book.timezone})
  URL       {emulator.origin}
  user      {emulator.user}
  password  {emulator.password}
  cm_id     {emulator.cm_id}
  control   {emulator.origin}/_emulator/stats

export {name}={shlex.quote(value)}

Stop with Ctrl-C.
"""
