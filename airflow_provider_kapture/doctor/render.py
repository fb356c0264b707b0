"""The report for people: at most one screen of text, written as it comes to be.

The report for programs is in findings.py.
"""

from __future__ import annotations

import json
import shlex
import textwrap
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import urlsplit

from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.doctor.findings import CHECKS, Finding, Report

WIDTH = 100
_MAX_LINES = 40
# Lines of what is around the findings.
_HEAD_LINES, _TAIL_LINES = 2, 10
_INDENT = " " * 4
_QUESTION_WIDTH = max(map(len, CHECKS)) + 2
_MAX_GOOD, _MAX_BAD = 2, 4


class Screen:
    """The report as text of about 40 lines of 100 columns, written as it comes to be.

    :param account: the account that is examined
    :param conn_id: its connection; none where there is none
    :param write: writes lines
    """

    def __init__(self, account: Account, conn_id: str | None, write: Callable[[str], None]) -> None:
        self._account = account
        self._conn_id = conn_id
        self._write = write
        self._room = _MAX_LINES - _HEAD_LINES - _TAIL_LINES
        self._shown: dict[str, Finding] = {}
        write(f"Kapture at {account.host}, cm_id {account.dialect.cm_id}\n\n")

    def show(self, finding: Finding) -> None:
        """Write a finding; one whose question has the same answer already, or a bad one, is left out."""
        before = self._shown.get(finding.question)
        if before is not None and (not before.is_good or before.answer == finding.answer):
            return
        self._shown[finding.question] = finding
        # Each question that is still open needs a line.
        spare = max(0, self._room - (len(CHECKS) - len(self._shown)) - 1)
        lines = list(_lines(finding, min(_MAX_GOOD if finding.is_good else _MAX_BAD, 1 + spare)))
        self._room -= len(lines)
        self._write("".join(f"{line}\n" for line in lines))

    def end(self, report: Report) -> None:
        """Write what follows from the findings."""
        lines: list[str] = []
        if report.not_reached:
            lines += ["", *_wrapped(f"The examination ended there. Not known: {', '.join(report.not_reached)}.")]
        if report.recommended:
            lines += ["", *_recommendation(report, self._account, self._conn_id)]
        lines += ["", *_wrapped(_verdict(report))]
        self._write("".join(f"{line}\n" for line in lines))


def _lines(finding: Finding, most: int) -> Iterator[str]:
    mark = "ok" if finding.is_good else "!!" if CHECKS[finding.question] else "??"
    text = f"{finding.answer}: {finding.evidence}"
    indent = " " * (len(_INDENT) + _QUESTION_WIDTH)
    yield from textwrap.wrap(
        " ".join(text.split()),
        WIDTH,
        initial_indent=f"{mark:<{len(_INDENT)}}{finding.question:<{_QUESTION_WIDTH}}",
        subsequent_indent=indent,
        max_lines=most,
        placeholder=" …",
    )


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, break_on_hyphens=False)


def _recommendation(report: Report, account: Account, conn_id: str | None) -> Sequence[str]:
    """Return what to paste; secrets are `***`, and are to be entered by hand."""
    if conn_id is not None:
        return ["Recommended for the connection's extra:", *_json_lines(dict(report.recommended))]
    held = account.credentials
    is_https = account.origin.startswith("https:")
    fields = {
        "conn_type": "kapture",
        "host": urlsplit(account.origin).hostname if is_https else account.origin,
        # Airflow 3.3 tests a stored connection only if it has a port.
        "port": (urlsplit(account.origin).port or 443) if is_https else None,
        "login": held.login if held.password else "***" if held.login else "",
        "password": "***" if held.password else "",
        "extra": dict(report.recommended),
    }
    shown = {name: value for name, value in fields.items() if value}
    lines = _json_lines(shown)
    quoted = shlex.quote("\n".join(("", *lines)))
    command = f"airflow connections add kapture_default --conn-json {quoted}"
    return ["Recommended; replace each *** in Airflow's form, not on a command line:", *command.split("\n")]


def _json_lines(value: object) -> list[str]:
    """Return JSON on lines of at most the screen's width, broken between keys."""
    # A quotation mark may follow the last.
    text = json.dumps(value, ensure_ascii=False)
    return textwrap.wrap(text, WIDTH - 1, break_long_words=False, break_on_hyphens=False)


def _verdict(report: Report) -> str:
    if not report.recommended:
        return "The credentials are wrong, so that nothing else was found out: correct them, and run the doctor again."
    if not report.trusted:
        return f"A pull can't be trusted: {', '.join(report.wrong or report.not_reached)}."
    if report.changes:
        differing = ", ".join(report.changes)
        return f"A pull can be trusted once the connection's extra says so; it differs in {differing}."
    return "A pull can be trusted, with the connection as it is."
