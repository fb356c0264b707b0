"""``kapture audit``: arguments, the progress line, the output and the exit status."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from airflow_provider_kapture.audit.run import DEFAULT_DAYS, audit
from airflow_provider_kapture.client.errors import KaptureError, KaptureSettingsError
from airflow_provider_kapture.command_line import ProgressLine, is_colourful, server_context

_FINDINGS = 1
_USAGE_ERROR = 2
_INTERRUPTED = 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``kapture audit``."""
    parser.add_argument("destination", metavar="DESTINATION", help="path or URL of the folder of a pull")
    parser.add_argument("--verify", action="store_true", help="read the objects, and compare their SHA-256")
    kapture = parser.add_argument_group("comparison with Kapture")
    kapture.add_argument("--conn", metavar="CONN_ID", help="count days again, through an Airflow connection")
    kapture.add_argument("--days", type=int, metavar="N", help=f"how many days before today ({DEFAULT_DAYS})")
    kapture.add_argument("--filters", metavar="JSON", help="the `filters` that the folder was pulled with")
    kapture.add_argument("--extra-body", metavar="JSON", help="the `extra_body` that the folder was pulled with")
    output = parser.add_argument_group("output")
    output.add_argument("--json", action="store_true", help="write the report as JSON")
    output.add_argument("--html", type=Path, metavar="FILE", help="also write the report as a page for a browser")


def main(args: argparse.Namespace) -> int:
    """Audit a folder and write the report.

    :return: the exit status: 0 without findings, 1 with findings or if the folder or Kapture could not be read, 2 if
        the arguments are wrong or the folder has no receipts, 130 for Ctrl-C
    """
    progress = ProgressLine("kapture audit")
    try:
        # Airflow 2.11 logs to standard output, which is for the report alone.
        with redirect_stdout(sys.stderr), server_context():
            report = audit(
                args.destination,
                kapture_conn_id=args.conn,
                days=args.days,
                filters=_mapping("--filters", args.filters),
                extra_body=_mapping("--extra-body", args.extra_body),
                verify=args.verify,
                progress=progress.show,
            )
        if args.html is not None:
            from airflow_provider_kapture.audit.page import render_page

            args.html.write_text(render_page(report), encoding="utf-8")
    except KaptureSettingsError as error:
        return _print_error(progress, str(error), _USAGE_ERROR)
    except (KaptureError, OSError) as error:
        return _print_error(progress, str(error), _FINDINGS)
    except KeyboardInterrupt:
        return _print_error(progress, "stopped", _INTERRUPTED)
    progress.clear()
    if args.json:
        text = json.dumps(report.to_json(), indent=2) + "\n"
    else:
        from airflow_provider_kapture.audit.text import render

        text = render(report, colour=is_colourful(sys.stdout))
    sys.stdout.write(text)
    return _FINDINGS if report.findings else 0


def _mapping(option: str, text: str | None) -> Mapping[str, Any] | None:
    if text is None:
        return None
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise KaptureSettingsError(f'{option} must be a JSON object such as \'{{"city": "Pune"}}\'')
    return found


def _print_error(progress: ProgressLine, message: str, status: int) -> int:
    progress.clear()
    sys.stderr.write(f"kapture audit: {message}\n")
    return status
