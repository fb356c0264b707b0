"""``kapture doctor``: what an account's API does, and the settings that go with it."""

from __future__ import annotations

import argparse
import datetime as dt
import getpass
import json
import os
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

from airflow_provider_kapture.client import Account
from airflow_provider_kapture.client.errors import KaptureError, KaptureSettingsError
from airflow_provider_kapture.doctor.findings import CHECKS, Report
from airflow_provider_kapture.doctor.run import diagnose

_USAGE_ERROR = 2
_INTERRUPTED = 130
_PASSWORD_VARIABLE = "KAPTURE_PASSWORD"  # noqa: S105 - the name of an environment variable
_CONTEXT_VARIABLE = "_AIRFLOW_PROCESS_CONTEXT"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``kapture doctor``."""
    parser.add_argument("conn_id", nargs="?", metavar="CONN_ID", help="an Airflow connection")
    account = parser.add_argument_group("instead of a connection")
    account.add_argument("--host", help="subdomain, host name or origin")
    account.add_argument("--login", help=f"user name; the password is read from {_PASSWORD_VARIABLE}, or asked for")
    account.add_argument("--cm-id", type=int, metavar="N", help="the account's id (cmId)")
    parser.add_argument(
        "--day", type=dt.date.fromisoformat, metavar="YYYY-MM-DD", help="a day that has orders; else the latest"
    )
    parser.add_argument("--json", action="store_true", help="write the report as JSON")


def main(args: argparse.Namespace) -> int:
    """Examine an account and tell what was found.

    :return: the exit status: 0 where a pull can be trusted, 1 where not, 2 where the arguments won't do, 130 for Ctrl-C
    """
    named = (args.host, args.login, args.cm_id)
    if (args.conn_id is None) == (None in named) or (args.conn_id is not None and any(named)):
        return _print_error("give a connection id, or all of --host, --login and --cm-id", _USAGE_ERROR)
    account_of = _account_from_options if args.conn_id is None else _account_from_connection_id
    try:
        # Airflow 2.11 logs to standard output, which is for the report alone.
        with redirect_stdout(sys.stderr):
            account = account_of(args)
            report = diagnose(account, args.day)
    except KaptureError as error:
        return _print_error(str(error), 1)
    except EOFError:
        return _print_error(f"no password: set {_PASSWORD_VARIABLE}, or type it", _USAGE_ERROR)
    except KeyboardInterrupt:
        return _print_error("stopped", _INTERRUPTED)
    sys.stdout.write(json.dumps(report.as_json(), indent=2) + "\n" if args.json else render(report, account))
    return 0 if report.trusted else 1


def _account_from_options(args: argparse.Namespace) -> Account:
    password = os.environ.get(_PASSWORD_VARIABLE) or getpass.getpass(f"Password of {args.login}: ")
    return Account.from_connection(args.host, args.login, password, {"cm_id": args.cm_id})


def _account_from_connection_id(args: argparse.Namespace) -> Account:
    from airflow.providers.common.compat.sdk import AirflowException

    from airflow_provider_kapture.hooks.kapture import KaptureHook

    try:
        with _server_context():
            return KaptureHook(args.conn_id).get_account()
    except AirflowException as error:
        raise KaptureSettingsError(f"connection {args.conn_id!r} can't be had: {error}") from error


@contextmanager
def _server_context() -> Iterator[None]:
    """Have Airflow look for connections in its database too, as ``airflow connections test`` does."""
    before = os.environ.get(_CONTEXT_VARIABLE)
    os.environ[_CONTEXT_VARIABLE] = "server"
    try:
        yield
    finally:
        del os.environ[_CONTEXT_VARIABLE]
        if before is not None:
            os.environ[_CONTEXT_VARIABLE] = before


def _print_error(message: str, status: int) -> int:
    sys.stderr.write(f"kapture doctor: {message}\n")
    return status


def render(report: Report, account: Account) -> str:
    """The report for people."""
    wide = max(map(len, CHECKS))
    lines = [f"Kapture at {account.host}, cm_id {account.dialect.cm_id}", ""]
    for each in report.findings:
        if each.question in report.not_reached:
            continue
        mark = "ok" if each.is_good else "!!" if CHECKS[each.question] else "??"
        lines.append(f"{mark}  {each.question:{wide}}  {each.answer}")
        lines += textwrap.wrap(each.evidence, 110, initial_indent=" " * (wide + 6), subsequent_indent=" " * (wide + 6))
    if report.not_reached:
        lines += ["", f"The examination ended there. Not known: {', '.join(report.not_reached)}."]
    lines += ["", "Recommended for the connection's extra:", json.dumps(report.recommended, indent=2), ""]
    lines.append(_verdict(report))
    return "\n".join(lines) + "\n"


def _verdict(report: Report) -> str:
    if not report.trusted:
        return f"A pull can't be trusted: {', '.join(report.wrong or report.not_reached)}."
    if report.changes:
        differing = ", ".join(report.changes)
        return f"A pull can be trusted once the connection's extra says so; it differs in {differing}."
    return "A pull can be trusted, with the connection as it is."
