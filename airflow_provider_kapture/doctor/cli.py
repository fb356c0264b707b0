"""``kapture doctor``: arguments, the account to examine, the progress line and the exit status.

What is asked is in plan.py, how a report is shown in render.py.
"""

from __future__ import annotations

import argparse
import datetime as dt
import getpass
import json
import os
import sys
from contextlib import redirect_stdout
from functools import partial

from airflow_provider_kapture.client import Account
from airflow_provider_kapture.client.errors import KaptureError, KaptureSettingsError
from airflow_provider_kapture.command_line import ProgressLine, server_context
from airflow_provider_kapture.doctor.render import Screen
from airflow_provider_kapture.doctor.run import MAX_REQUESTS, diagnose

_USAGE_ERROR = 2
_INTERRUPTED = 130
_PASSWORD_VARIABLE = "KAPTURE_PASSWORD"  # noqa: S105 - the name of an environment variable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``kapture doctor``."""
    parser.add_argument("conn_id", nargs="?", metavar="CONN_ID", help="an Airflow connection")
    account = parser.add_argument_group(
        "instead of a connection", f"The password, key or token is read from {_PASSWORD_VARIABLE}, or asked for."
    )
    account.add_argument("--host", help="subdomain, host name or origin")
    account.add_argument("--login", help="user name, if there is one")
    account.add_argument("--cm-id", type=int, metavar="N", help="the account's id (cmId)")
    parser.add_argument(
        "--day", type=dt.date.fromisoformat, metavar="YYYY-MM-DD", help="a day that has orders; else the latest"
    )
    parser.add_argument("--json", action="store_true", help="write the report as JSON")


def main(args: argparse.Namespace) -> int:
    """Examine an account and write the report.

    :return: the exit status: 0 where a pull can be trusted, 1 where not, 2 where the arguments or the connection will
        not do, 130 for Ctrl-C
    """
    has_options = args.host is not None or args.cm_id is not None or args.login is not None
    if (args.conn_id is None) == (args.host is None or args.cm_id is None) or (args.conn_id and has_options):
        return _print_error("give a connection id, or both --host and --cm-id", _USAGE_ERROR)
    account_of = _account_from_options if args.conn_id is None else _account_from_connection_id
    progress = ProgressLine("kapture doctor")
    out = sys.stdout

    def write(text: str) -> None:
        progress.clear()
        out.write(text)
        out.flush()

    try:
        # Airflow 2.11 logs to standard output, which is for the report alone.
        with redirect_stdout(sys.stderr):
            account = account_of(args)
            screen = None if args.json else Screen(account, args.conn_id, write)
            tell = (lambda _: None) if screen is None else screen.show
            report = diagnose(account, args.day, progress=partial(_show, progress), tell=tell)
    except KaptureSettingsError as error:
        return _print_error(str(error), _USAGE_ERROR)
    except KaptureError as error:
        return _print_error(str(error), 1)
    except EOFError:
        return _print_error(f"no password: set {_PASSWORD_VARIABLE}, or type it", _USAGE_ERROR)
    except KeyboardInterrupt:
        return _print_error("stopped", _INTERRUPTED)
    finally:
        progress.clear()
    if screen is None:
        write(json.dumps(report.as_json(), indent=2) + "\n")
    else:
        screen.end(report)
    return 0 if report.trusted else 1


def _show(progress: ProgressLine, number: int, topic: str) -> None:
    progress.show(f"request {number} of at most {MAX_REQUESTS}: {topic}", topic)


def _account_from_options(args: argparse.Namespace) -> Account:
    secret = os.environ.get(_PASSWORD_VARIABLE) or getpass.getpass("Password, key or token: ")
    return Account.from_connection(args.host, args.login, secret, {"cm_id": args.cm_id})


def _account_from_connection_id(args: argparse.Namespace) -> Account:
    from airflow.providers.common.compat.sdk import AirflowException

    from airflow_provider_kapture.hooks.kapture import KaptureHook

    try:
        with server_context():
            return KaptureHook(args.conn_id).get_account()
    except AirflowException as error:
        raise KaptureSettingsError(f"connection {args.conn_id!r} can't be had: {error}") from error


def _print_error(message: str, status: int) -> int:
    sys.stderr.write(f"kapture doctor: {message}\n")
    return status
