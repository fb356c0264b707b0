"""The command ``kapture``: parses arguments and runs a subcommand.

The subcommands are in ``doctor`` and ``emulator``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from airflow_provider_kapture import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command, and return its exit status.

    :param argv: arguments without the program's name; None for those of the process
    """
    from airflow_provider_kapture.doctor import cli as doctor
    from airflow_provider_kapture.emulator import cli as emulator

    commands = {
        "doctor": (doctor, "check how an account's API behaves, and suggest settings for the connection"),
        "emulator": (emulator, "run a local emulator of Kapture's API, to test against"),
    }
    parser = argparse.ArgumentParser(prog="kapture", description="Tools for pulling orders from Kapture CRM.")
    parser.add_argument("--version", action="version", version=__version__)
    subparsers = parser.add_subparsers(dest="command", required=True)
    for name, (module, text) in commands.items():
        module.add_arguments(subparsers.add_parser(name, help=text, description=text))
    arguments = parser.parse_args(argv)
    status: int = commands[arguments.command][0].main(arguments)
    return status
