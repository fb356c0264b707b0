"""The report of an audit as text: a calendar, the latest days, the months, and the findings."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from airflow_provider_kapture.audit.marks import DayMark, levels, marks_by_day
from airflow_provider_kapture.audit.report import AuditReport, Day

_DAY = dt.timedelta(days=1)
_WEEKDAYS = ("Mon", "   ", "Wed", "   ", "Fri", "   ", "Sun")
_COLUMN = 5
_LATEST_DAYS = 14
_EMPTY = {"control_day": "empty, proven by another day", "none": "empty, not proven"}
_RESET = "\x1b[0m"
# Backgrounds of the 256 colours, light to dark, for days without and with orders; and of findings.
_LEVELS = ("\x1b[30;48;5;254m", "\x1b[30;48;5;153m", "\x1b[30;48;5;111m", "\x1b[97;48;5;68m", "\x1b[97;48;5;24m")
_COLOURS: Mapping[str, str] = {
    "finding": "\x1b[97;48;5;160m",
    "gap": "\x1b[30;48;5;214m",
    "incomplete": "\x1b[30;48;5;228m",
}


_STATES = {"incomplete": "incomplete", "gap": "gap", "finding": "finding"}


def render(report: AuditReport, *, colour: bool) -> str:
    """Return the report as text of at most 80 columns, but for names and commands.

    :param colour: whether to add colours; without, the text is ASCII but for what the folder's names contain
    """
    totals = report.totals()
    head = (
        f"{report.destination}\n{totals['days']:,} days with {totals['rows']:,} orders in {totals['objects']:,} "
        f"objects; {totals['complete_days']:,} days are complete\n"
    )
    parts = [head]
    for date_field in dict.fromkeys(each.date_field for each in report.days):
        days = [each for each in report.days if each.date_field == date_field]
        title = "" if date_field == "create" else f"By the date field {date_field}\n\n"
        parts += [title + calendar(report, days, colour=colour), _table(report, days), _months(days)]
    return "\n".join(each for each in (*parts, _findings(report)) if each)


def calendar(report: AuditReport, days: Sequence[Day], *, colour: bool) -> str:
    """Return a calendar with a column for each week and a block for each year.

    :param days: the days to show, of one date field
    """
    if not days:
        return ""
    marks = marks_by_day(report, days)
    rows = levels(days)
    first, last = min(marks), max(marks)
    blocks = []
    for year in range(first.year, last.year + 1):
        start, end = max(first, dt.date(year, 1, 1)), min(last, dt.date(year, 12, 31))
        blocks.append("\n".join(_year(start, end, marks, rows, colour=colour)))
    return "\n\n".join(blocks) + f"\n\n{_legend(rows, colour=colour)}\n"


def _year(
    start: dt.date, end: dt.date, marks: Mapping[dt.date, DayMark], rows: Sequence[int], *, colour: bool
) -> Iterator[str]:
    monday = start - start.weekday() * _DAY
    weeks = [monday + week * 7 * _DAY for week in range((end - monday).days // 7 + 1)]
    yield f"{start.year} {_month_names(weeks, start, end)}".rstrip()
    for weekday, name in enumerate(_WEEKDAYS):
        dates = [week + weekday * _DAY for week in weeks]
        cells = [_cell(marks.get(date), rows, colour=colour) if start <= date <= end else " " for date in dates]
        yield f"{name:<{_COLUMN}}{''.join(cells)}".rstrip()


def _month_names(weeks: Sequence[dt.date], start: dt.date, end: dt.date) -> str:
    line = ""
    for column, week in enumerate(weeks):
        days = [week + number * _DAY for number in range(7)]
        is_first = any(each.day == 1 and start <= each <= end for each in days) or column == 0
        if is_first and len(line) <= column:
            month = next((each for each in days if each.day == 1 and each <= end), max(week, start))
            line = f"{line:<{column}}{month:%b} "
    return line


def _cell(mark: DayMark | None, rows: Sequence[int], *, colour: bool) -> str:
    if mark is None:
        return " "
    symbol = mark.symbol(rows)
    return f"{_COLOURS.get(mark.state) or _LEVELS[mark.level(rows)]}{symbol}{_RESET}" if colour else symbol


def _legend(rows: Sequence[int], *, colour: bool) -> str:
    samples = [(DayMark("", 0), "no orders"), *((DayMark("", least), f"from {least:,}") for least in rows)]
    states = [(DayMark(state, 0), text) for state, text in _STATES.items()]
    return "\n".join(
        "  ".join(f"{_cell(mark, rows, colour=colour)} {text}" for mark, text in line) for line in (samples, states)
    )


def _table(report: AuditReport, days: Sequence[Day]) -> str:
    """Return the latest days as a table."""
    shown = days[-_LATEST_DAYS:]
    lines = [f"{'day':<10}  {'orders':>9}  {'pulled at':<16}  {'age':>8}  state"]
    for each in shown:
        at = "unknown" if each.pulled_at is None else f"{each.pulled_at:%Y-%m-%d %H:%M}"
        lines.append(f"{each.date}  {each.rows:>9,}  {at:<16}  {age(report, each):>8}  {state_of(each)}")
    if len(shown) < len(days):
        lines.append(f"({len(days) - len(shown):,} days before: see --json or --html)")
    return "\n".join(lines) + "\n"


def age(report: AuditReport, day: Day) -> str:
    """Return how long ago a day was pulled."""
    if day.pulled_at is None:
        return "unknown"
    hours = max(report.made_at - day.pulled_at, dt.timedelta()) // dt.timedelta(hours=1)
    return f"{hours} h" if hours < 48 else f"{hours // 24:,} days"


def state_of(day: Day) -> str:
    """Return what there is to know about a day besides its orders, in a few words."""
    words = ["complete" if day.complete else "incomplete"]
    if not day.rows:
        words.append(_EMPTY.get(day.empty_proof or "", "empty"))
    if day.rescued:
        words.append(f"{day.rescued:,} misfits")
    return ", ".join(words)


def _months(days: Sequence[Day]) -> str:
    by_month = months(days)
    if len(by_month) < 2:
        return ""
    lines = [f"{'month':<10}  {'orders':>9}  days"]
    lines += [f"{name:<10}  {sum(each.rows for each in found):>9,}  {len(found)}" for name, found in by_month.items()]
    return "\n".join(lines) + "\n"


def months(days: Iterable[Day]) -> Mapping[str, list[Day]]:
    """Return the days by month, written as ``2024-05``."""
    found: defaultdict[str, list[Day]] = defaultdict(list)
    for each in days:
        found[f"{each.date:%Y-%m}"].append(each)
    return found


def _findings(report: AuditReport) -> str:
    if not report.findings:
        return "No findings.\n"
    count = len(report.findings)
    lines = [f"{count:,} finding{'s' if count > 1 else ''}:"]
    for each in report.findings:
        lines.append(f"  {each.kind:<11}  {each.message}")
        if each.uri is not None:
            lines.append(f"  {'':<11}  {each.uri}")
    return "\n".join(lines) + "\n"
