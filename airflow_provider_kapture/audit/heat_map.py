"""The heat map of the audit's page: a table for each month, with the number of orders and the state of each day."""

from __future__ import annotations

import calendar
import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape

from airflow_provider_kapture.audit.marks import SYMBOLS, DayMark, levels, marks_by_day
from airflow_provider_kapture.audit.report import AuditReport, Day, Finding
from airflow_provider_kapture.audit.text import age, state_of

_WEEKDAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
_STATES: Mapping[str, str] = {"incomplete": "incomplete", "gap": "no receipt covers it", "finding": "see the findings"}
_UNITS = ((1_000_000, "M"), (1_000, "k"))


def heat_maps(report: AuditReport) -> str:
    """Return the heat maps of a report, one for each date field, as HTML."""
    findings: defaultdict[dt.date, list[Finding]] = defaultdict(list)
    for each in report.findings:
        if each.date is not None:
            findings[each.date].append(each)
    parts = []
    for date_field in dict.fromkeys(each.date_field for each in report.days):
        days = [each for each in report.days if each.date_field == date_field]
        by_date = {each.date: each for each in days}
        found = _HeatMap(report, by_date, marks_by_day(report, days), levels(days), findings)
        title = "Orders by day" if date_field == "create" else f"Orders by day, date field {escape(date_field)}"
        tables = "\n".join(found.months())
        parts.append(f'<h2>{title}</h2>\n{found.legend()}\n<div class="months">\n{tables}\n</div>')
    return "\n".join(parts)


@dataclass(frozen=True)
class _HeatMap:
    report: AuditReport
    days: Mapping[dt.date, Day]
    marks: Mapping[dt.date, DayMark]
    levels: list[int]
    findings: Mapping[dt.date, list[Finding]]

    def legend(self) -> str:
        items = ['<li><i class="l0">0</i>no orders</li>']
        items += [f'<li><i class="l{number}"></i>from {least:,}</li>' for number, least in enumerate(self.levels, 1)]
        items += [f'<li><i class="l0 {state}">{SYMBOLS[state]}</i>{text}</li>' for state, text in _STATES.items()]
        return f'<ul class="legend">{"".join(items)}</ul>'

    def months(self) -> Iterator[str]:
        first, last = min(self.marks), max(self.marks)
        for number in range(first.year * 12 + first.month - 1, last.year * 12 + last.month):
            yield self._month(number // 12, number % 12 + 1)

    def _month(self, year: int, month: int) -> str:
        weeks = calendar.Calendar().monthdatescalendar(year, month)
        dates = [date for week in weeks for date in week if date.month == month]
        rows = sum(self.days[date].rows for date in dates if date in self.days)
        head = "".join(f"<th>{name}</th>" for name in _WEEKDAYS)
        cells = ("".join(self._cell(date) if date.month == month else "<td></td>" for date in week) for week in weeks)
        body = "".join(f"<tr>{each}</tr>" for each in cells)
        caption = f"{calendar.month_name[month]} {year} <span>{rows:,} orders</span>"
        return f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def _cell(self, date: dt.date) -> str:
        mark, day = self.marks.get(date), self.days.get(date)
        if mark is None:
            return f"<td>{date.day}</td>"
        count = "" if day is None else _short(day.rows)
        about = str(date) if day is None else self._described(day)
        texts = [about, *(each.message for each in self.findings.get(date, ()))]
        classes = f"l{mark.level(self.levels)} {mark.state}".strip()
        shown = f"{date.day} {SYMBOLS.get(mark.state, '')}<b>{count}</b>"
        return f'<td class="{classes}" title="{escape(chr(10).join(texts))}">{shown}</td>'

    def _described(self, day: Day) -> str:
        at = "" if day.pulled_at is None else f"; pulled at {day.pulled_at:%Y-%m-%d %H:%M}, {age(self.report, day)} ago"
        return f"{day.date}: {day.rows:,} orders; {state_of(day)}{at}"


def _short(number: int) -> str:
    """Return a number in at most four characters."""
    for unit, name in _UNITS:
        if number >= unit:
            value = number / unit
            return f"{value:.1f}{name}" if value < 10 else f"{value:.0f}{name}"
    return str(number)
