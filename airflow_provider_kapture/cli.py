"""The command ``kapture``: parses arguments and runs a subcommand.

The subcommands' options are in ``audit``, ``demo``, ``doctor`` and ``emulator``; their help's examples and exit
statuses are here.
"""

# PYTHON_ARGCOMPLETE_OK: argcomplete looks for this in the module of a console script.

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, NoReturn

from airflow_provider_kapture import __version__
from airflow_provider_kapture.command_line import complete


class _Help(NamedTuple):
    """What the help of a command shows beside its options."""

    summary: str
    examples: str
    statuses: str


_HELP = {
    "audit": _Help(
        "show what a folder of orders holds, and what is missing, altered or different",
        """\
  kapture audit file:///data/orders/                 compare the objects with their receipts
  kapture audit s3://aws_default@lake/orders/ --html audit.html
  kapture audit /data/orders/ --conn kapture_default --days 7
                                                     count the last days again at Kapture
  kapture audit /data/orders/ --verify               read the objects, and compare their SHA-256""",
        """\
  0    no findings
  1    findings, or the folder or Kapture could not be read
  2    wrong arguments, or the folder has no receipts
  130  stopped by Ctrl-C""",
    ),
    "demo": _Help(
        "pull orders from a local emulator into files, without an account or a scheduler",
        """\
  kapture demo                a new folder in the current one
  kapture demo /tmp/orders    a folder that is new or empty""",
        """\
  0    all orders are in the files
  1    the pull failed
  2    wrong arguments, or the extra `emulator` is not installed
  130  stopped by Ctrl-C""",
    ),
    "doctor": _Help(
        "check how an account's API behaves, and suggest settings for the connection",
        """\
  kapture doctor kapture_default                     an Airflow connection
  kapture doctor kapture_default --day 2024-05-09    a day that has orders
  kapture doctor --host acme --login reader --cm-id 1000298
                                                     no connection yet; asks for the password""",
        """\
  0    a pull can be trusted, with the recommended settings
  1    it cannot, or the account could not be examined
  2    wrong arguments
  130  stopped by Ctrl-C""",
    ),
    "emulator": _Help(
        "run a local emulator of Kapture's API, to test against",
        """\
  kapture emulator                                   orders of the last days, and today's so far
  kapture emulator --port 8000 --orders 30000 --days 30
  kapture emulator --status-every 20 --status 503    every 20th request fails
  kapture emulator --preset legacy                   an account that behaves in another way
  kapture emulator --list                            every switch, by topic""",
        """\
  0    stopped by Ctrl-C or SIGTERM
  2    wrong arguments, the port is in use, or the extra `emulator` is not installed""",
    ),
}

_EPILOG = """\
examples:
  kapture demo                      pull orders from a local emulator into files; needs no account
  kapture doctor kapture_default    check an Airflow connection, and suggest settings for it
  kapture audit /data/orders/       show which days a folder of orders holds, and what is wrong with it
  kapture emulator                  run a local Kapture for your own DAGs, until Ctrl-C

exit statuses: 0 for success, 1 for a failure or a finding, 2 for wrong arguments, 130 for Ctrl-C;
`kapture COMMAND --help` states those of a command.
"""


def _reading(read: Callable[[str], Any], form: str) -> Callable[[str], Any]:
    """Return an argument's reader whose error states the right form."""

    def parse(text: str) -> Any:
        try:
            return read(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"write {form}, not {text!r}") from None

    return parse


def _read_date(text: str) -> dt.date:
    # From Python's ISO 8601 only the form that the help shows: 20240509 may be a typing error in a number.
    return dt.datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a date alone


_READERS = {
    dt.date.fromisoformat: _reading(_read_date, "2024-05-09"),
    int: _reading(int, "a whole number such as 7"),
    float: _reading(float, "a number such as 0.5"),
}


class _Parser(argparse.ArgumentParser):
    """A parser whose errors state the right form and refer to the help; the usage of the emulator fills a screen."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(*args, **kwargs)
        for declared, reader in _READERS.items():
            self.register("type", declared, reader)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\nSee `{self.prog} --help`.\n")


def build_parser() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser], dict[str, Any]]:
    """Return the parser of the command, and by subcommand their parsers and modules."""
    from airflow_provider_kapture import demo
    from airflow_provider_kapture.audit import cli as audit
    from airflow_provider_kapture.doctor import cli as doctor
    from airflow_provider_kapture.emulator import cli as emulator

    modules: dict[str, Any] = {"audit": audit, "demo": demo, "doctor": doctor, "emulator": emulator}
    parser = _Parser(prog="kapture", description="Tools for pulling orders from Kapture CRM.", epilog=_EPILOG)
    parser.add_argument("--version", action="version", version=__version__)
    subparsers = parser.add_subparsers(dest="command", title="commands", metavar="COMMAND")
    parsers: dict[str, argparse.ArgumentParser] = {}
    for name, module in modules.items():
        summary, examples, statuses = _HELP[name]
        epilog = f"examples:\n{examples}\n\nexit statuses:\n{statuses}\n"
        parsers[name] = subparsers.add_parser(name, help=summary, description=summary, epilog=epilog)
        module.add_arguments(parsers[name])
    return parser, parsers, modules


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command, and return its exit status; without a subcommand, print the help.

    :param argv: arguments without the program's name; None for those of the process
    """
    parser, parsers, modules = build_parser()
    complete(parser)
    arguments, unknown = parser.parse_known_args(argv)
    if unknown:
        parsers.get(arguments.command, parser).error(f"unrecognized arguments: {' '.join(unknown)}")
    if arguments.command is None:
        parser.print_help()
        return 0
    status: int = modules[arguments.command].main(arguments)
    return status
