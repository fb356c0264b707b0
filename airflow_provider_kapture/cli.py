"""The command `kapture`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from airflow_provider_kapture import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; its exit status."""
    from airflow_provider_kapture.doctor import cli as doctor
    from airflow_provider_kapture.emulator import cli as emulator

    commands = {
        "doctor": (doctor, "find out how an account's API behaves, and which settings go with it"),
        "emulator": (emulator, "a local Kapture to test against"),
    }
    parser = argparse.ArgumentParser(prog="kapture", description="Tools for pulling orders out of Kapture CRM.")
    parser.add_argument("--version", action="version", version=__version__)
    subparsers = parser.add_subparsers(dest="command", required=True)
    for name, (module, text) in commands.items():
        module.add_arguments(subparsers.add_parser(name, help=text, description=text))
    arguments = parser.parse_args(argv)
    status: int = commands[arguments.command][0].main(arguments)
    return status
