"""The command `kapture`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from airflow_provider_kapture import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; its exit status."""
    from airflow_provider_kapture.emulator import cli as emulator

    parser = argparse.ArgumentParser(prog="kapture", description="Tools for pulling orders out of Kapture CRM.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)
    emulator.add_arguments(commands.add_parser("emulator", help="a local Kapture to test against"))
    arguments = parser.parse_args(argv)
    status: int = emulator.main(arguments)
    return status
