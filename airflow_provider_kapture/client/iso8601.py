"""Parse dates, datetimes and durations in ISO 8601. What dates mean in a time zone is in `days.py`."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

EXAMPLES = "'2026-01-05' or '2026-01-05T00:00:00+05:30'"

_DAY = dt.timedelta(days=1)
_ISO = re.compile(
    r"""(?:(?P<year>[0-9]{4})(?P<dash>-?)(?P<month>[0-9]{2})(?P=dash)(?P<day>[0-9]{2})
      |(?P<iso_year>[0-9]{4})(?P<week_dash>-?)W(?P<week>[0-9]{2})(?P=week_dash)(?P<weekday>[1-7]))
    (?:[Tt\ ](?P<hour>[0-9]{2})(?:(?P<colon>:?)(?P<minute>[0-9]{2})
        (?:(?P=colon)(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,9}))?)?)?
      (?P<offset>[Zz]|(?P<sign>[+-])(?P<ahead_hours>[0-9]{2})(?::?(?P<ahead_minutes>[0-9]{2})(?::?(?P<ahead_seconds>[0-9]{2}))?)?)?
    )?""",
    re.VERBOSE,
)
# Years and months differ in length. `str()` of a timedelta is read as well, because templates render to it.
_DURATION = re.compile(
    r"P(?=.)(?:(?P<weeks>{0})W)?(?:(?P<days>{0})D)?"
    r"(?:T(?=.)(?:(?P<hours>{0})H)?(?:(?P<minutes>{0})M)?(?:(?P<seconds>{0})S)?)?".format(r"[0-9]+(?:[.,][0-9]+)?")
)
_PYTHON_DURATION = re.compile(
    r"(?:(?P<days>-?[0-9]+) days?, )?(?P<hours>[0-9]{1,2}):(?P<minutes>[0-9]{2}):(?P<seconds>[0-9]{2}(?:\.[0-9]{1,6})?)"
)

_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
# Hints for text that is not ISO 8601; the first pattern that matches the whole text applies, without regard to case.
_HINTS = tuple(
    (re.compile(pattern, re.IGNORECASE), hint)
    for pattern, hint in (
        (r"|none|null|nan|nat", "the template or argument may have no value in this run"),
        (r".*(\{\{|\{%).*", "this may be a template that was not rendered"),
        (r"(['\"]).*\1", "remove the quotation marks around it"),
        (r"[+-]?\d{9,10}(\.\d*)?", "this may be epoch seconds"),
        (r"[+-]?\d{12}", "this may be YYYYMMDDhhmm without the T, or epoch milliseconds"),
        (r"[+-]?\d{13}(\.\d*)?", "this may be epoch milliseconds"),
        (r"\d{14}", "this may be YYYYMMDDhhmmss without the T between date and time"),
        (r"[+-]?\d{16}(\.\d*)?", "this may be epoch microseconds"),
        (r"[+-]?\d{19}(\.\d*)?", "this may be epoch nanoseconds"),
        (r"\d{4}(19|20)\d\d", "this may be DDMMYYYY or MMDDYYYY; write YYYY-MM-DD"),
        (r"\d{8}\.0*", "this may be the date YYYYMMDD that became a float; pass it as text"),
        (r"\d{1,2}([/.-])\d{1,2}\1(\d{4}|\d{2})(\D.*)?", "this may be DD/MM/YYYY or MM/DD/YYYY; write YYYY-MM-DD"),
        (r"\d{4}([/.])\d{1,2}\1\d{1,2}(\D.*)?", "write YYYY-MM-DD, with hyphens"),
        (r"\d{4}-(\d-\d{1,2}|\d{2}-\d)(\D.*)?", "write month and day with two digits"),
        (r"\d{4}-?\d{2}", "this may be a month; write its first day, YYYY-MM-01"),
        (r"\d{4}", "this may be a year; write its first day, YYYY-01-01"),
        (r"\d{4}-?W\d{1,2}", "this may be a week; write its first day, YYYY-Www-1"),
        (r"\d{4}-?\d{3}", "this may be a year and a day of the year; write YYYY-MM-DD"),
        (r".*\d\s*[ap]\.?m\.?", "write the time with 24 hours"),
        (rf".*\b({_MONTHS})[a-z]*\b.*", "write the month as a number, YYYY-MM-DD"),
        (r".*\d(\s+|\s*\[)[a-z_]+(/[a-z_]+)*\]?", "write the time zone as an offset such as +05:30"),
        (r"now|today|yesterday|tomorrow", "use a template such as {{ dag_run.run_after }}"),
    )
)


def parse(value: str | int) -> dt.date | dt.datetime:
    """Return the date or datetime of ISO 8601 text, or of an integer YYYYMMDD.

    Supports basic and extended format, week dates, and a space instead of the `T`, as Airflow renders datetimes. The
    datetime is aware if the text has an offset.

    :raises ValueError: not ISO 8601; the message is a hint at what the text may be, or empty
    """
    text = str(value).strip()
    found = _ISO.fullmatch(text)
    if found is None:
        raise ValueError(hint(text))
    parts = found.groupdict()
    try:
        date = _date(parts)
        return date if parts["hour"] is None else _datetime(date, parts)
    except (ValueError, OverflowError) as error:
        raise ValueError(hint(text) or str(error)) from error


def hint(value: object) -> str:
    """Return a hint at what the value may be; empty if there is none."""
    text = str(value)
    return next((guess for pattern, guess in _HINTS if pattern.fullmatch(text)), "")


def _date(parts: dict[str, Any]) -> dt.date:
    if parts["year"] is not None:
        return dt.date(int(parts["year"]), int(parts["month"]), int(parts["day"]))
    return dt.date.fromisocalendar(int(parts["iso_year"]), int(parts["week"]), int(parts["weekday"]))


def _datetime(date: dt.date, parts: dict[str, Any]) -> dt.datetime:
    hour, minute, second = (int(parts[name] or 0) for name in ("hour", "minute", "second"))
    microsecond = int((parts["fraction"] or "").ljust(6, "0")[:6])
    if hour == 24 and minute == second == microsecond == 0:  # 24:00 is the end of a day in ISO 8601
        date, hour = date + _DAY, 0
    return dt.datetime(date.year, date.month, date.day, hour, minute, second, microsecond, _zone(parts))


def _zone(parts: dict[str, Any]) -> dt.timezone | None:
    if parts["offset"] is None:
        return None
    hours, minutes, seconds = (int(parts[f"ahead_{unit}"] or 0) for unit in ("hours", "minutes", "seconds"))
    if minutes > 59 or seconds > 59:
        raise ValueError("offset minutes must be in 0..59")
    ahead = dt.timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return dt.timezone(-ahead if parts["sign"] == "-" else ahead)


def parse_duration(text: str) -> dt.timedelta | None:
    """Return a duration such as ``PT6H``, or one as ``str()`` of a timedelta writes it; None if the text is neither."""
    found = _DURATION.fullmatch(text) or _PYTHON_DURATION.fullmatch(text)
    if found is None:
        return None
    try:
        return dt.timedelta(**{name: float(value.replace(",", ".")) for name, value in found.groupdict("0").items()})
    except OverflowError:
        return None
