"""The report for people: at most one screen of text. Pure. The report for programs is in findings.py."""

from __future__ import annotations

import json
import shlex
import textwrap
from collections.abc import Iterator, Sequence

from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.doctor.findings import CHECKS, Finding, Report

WIDTH = 100
_MAX_LINES = 40
_INDENT = " " * 4
_QUESTION_WIDTH = max(map(len, CHECKS)) + 2
# Lines of a finding, by how much room there is.
_LINES_OF_GOOD, _LINES_OF_BAD = (2, 1), (4, 3)


def render(report: Report, account: Account, conn_id: str | None = None) -> str:
    """Return the report as text of at most about 40 lines of 100 columns.

    :param conn_id: the connection that was examined; none where there is none
    """
    head = [f"Kapture at {account.host}, cm_id {account.dialect.cm_id}", ""]
    tail = ["", *_recommendation(report, account, conn_id), "", *_wrapped(_verdict(report))]
    reached = [each for each in report.findings if each.question not in report.not_reached]
    if report.not_reached:
        tail = ["", *_wrapped(f"The examination ended there. Not known: {', '.join(report.not_reached)}."), *tail]
    room = _MAX_LINES - len(head) - len(tail)
    body: list[str] = []
    for good, bad in zip(_LINES_OF_GOOD, _LINES_OF_BAD, strict=True):
        body = [line for each in reached for line in _lines(each, good, bad)]
        if len(body) <= room:
            break
    return "\n".join((*head, *body, *tail)) + "\n"


def _lines(finding: Finding, good: int, bad: int) -> Iterator[str]:
    mark = "ok" if finding.is_good else "!!" if CHECKS[finding.question] else "??"
    text = f"{finding.answer}: {finding.evidence}"
    indent = " " * (len(_INDENT) + _QUESTION_WIDTH)
    yield from textwrap.wrap(
        " ".join(text.split()),
        WIDTH,
        initial_indent=f"{mark:<{len(_INDENT)}}{finding.question:<{_QUESTION_WIDTH}}",
        subsequent_indent=indent,
        max_lines=good if finding.is_good else bad,
        placeholder=" …",
    )


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, break_on_hyphens=False)


def _recommendation(report: Report, account: Account, conn_id: str | None) -> Sequence[str]:
    """Return what to paste; secrets are `***`, and are to be entered by hand."""
    if conn_id is not None:
        return ["Recommended for the connection's extra:", *_json_lines(dict(report.recommended))]
    held = account.credentials
    fields = {
        "conn_type": "kapture",
        "host": account.origin.removeprefix("https://"),
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
    if not report.trusted:
        return f"A pull can't be trusted: {', '.join(report.wrong or report.not_reached)}."
    if report.changes:
        differing = ", ".join(report.changes)
        return f"A pull can be trusted once the connection's extra says so; it differs in {differing}."
    return "A pull can be trusted, with the connection as it is."
