"""How a day is marked in a calendar, in the terminal and in the page alike."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from airflow_provider_kapture.audit.report import AuditReport, Day

# The states of a day that are marked with a symbol, the gravest last.
SYMBOLS: Mapping[str, str] = {"incomplete": "~", "gap": "x", "finding": "!"}
LEVELS = 4


@dataclass(frozen=True, slots=True)
class DayMark:
    """The mark of a day.

    :param state: one of :data:`SYMBOLS`; empty if nothing is wrong
    :param rows: number of orders
    """

    state: str
    rows: int

    def level(self, rows: Sequence[int]) -> int:
        """Return how many orders the day has, from 0 for none to :data:`LEVELS`.

        :param rows: as :func:`levels` returns them
        """
        return bisect_right(rows, self.rows) if self.rows else 0

    def symbol(self, rows: Sequence[int]) -> str:
        """Return the character for the day: the level of its orders, or that of its state.

        :param rows: as :func:`levels` returns them
        """
        return SYMBOLS.get(self.state) or str(self.level(rows))


def levels(days: Sequence[Day]) -> list[int]:
    """Return the least numbers of orders of the levels of days with orders: quarters of the largest number."""
    most = max((each.rows for each in days), default=0)
    return sorted({max(1, most * number // LEVELS) for number in range(LEVELS)}) if most else []


def marks_by_day(report: AuditReport, days: Sequence[Day]) -> dict[dt.date, DayMark]:
    """Return the marks of the days, of days between them that have a finding, and of gaps."""
    kinds: dict[dt.date, set[str]] = {}
    for finding in report.findings:
        if finding.date is not None:
            kinds.setdefault(finding.date, set()).add(finding.kind)
    rows = {each.date: each for each in days}
    first, last = min(rows), max(rows)
    dates = {*rows, *(date for date in kinds if first <= date <= last)}
    return {date: DayMark(_state(rows.get(date), kinds.get(date, set())), _rows(rows.get(date))) for date in dates}


def _rows(day: Day | None) -> int:
    return 0 if day is None else day.rows


def _state(day: Day | None, kinds: set[str]) -> str:
    if kinds - {"gap", "incomplete"}:
        return "finding"
    if "gap" in kinds:
        return "gap"
    return "incomplete" if "incomplete" in kinds or (day is not None and not day.complete) else ""
