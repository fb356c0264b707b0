"""The dates of a request: parsing, and checks of the range. Other keys of the body are parsed in ``query``."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass

from airflow_provider_kapture.client.orders import DATE_FIELDS
from airflow_provider_kapture.emulator.rejections import rejection
from airflow_provider_kapture.emulator.switches import Switches


@dataclass(frozen=True, slots=True)
class DaySpan:
    """A range of local dates, as ordinals, both inclusive.

    :param field: the date field
    :param first: the first date
    :param last: the last date
    :param has_midnight: whether the first second of the next day is included
    """

    field: str
    first: int
    last: int
    has_midnight: bool = False

    @property
    def is_one_day(self) -> bool:
        """Whether the range is a single date."""
        return self.first == self.last and not self.has_midnight


class _UnreadableError(Exception):
    """A date is not in the expected format."""


def parse_spans(given: Mapping[str, str], switches: Switches, today: int) -> list[DaySpan]:
    """Return the dates of a request, one range for each date field in it.

    :param given: the values of the request's body that are not empty
    :param switches: what is accepted
    :param today: the account's current date, as an ordinal
    :raises RequestRejectedError: a date is invalid, or the switches reject the range
    :raises NothingFoundError: the same, if the switches require a response without orders
    """
    if switches.dates_ignored:
        return []
    found = []
    for name, keys in DATE_FIELDS.items():
        first = _ordinal(given, keys.start_key, switches)
        last = _ordinal(given, keys.end_key, switches)
        if first is None and last is None:
            continue
        if switches.dates_required and (first is None or last is None):
            break
        has_end = last is not None and switches.end_date != "inclusive"
        first = dt.date.min.toordinal() if first is None else first
        last = dt.date.max.toordinal() if last is None else last
        _check_range(first, last - has_end, last, switches, today)
        found.append(DaySpan(name, first, last - has_end, has_end and switches.end_date == "midnight"))
    if switches.dates_required and not found:
        raise rejection(switches.bad_range, "Start date and end date are mandatory.")
    return found


def _check_range(first: int, last: int, end: int, switches: Switches, today: int) -> None:
    if switches.max_days is not None and last - first >= switches.max_days:
        raise rejection(switches.bad_range, f"At one hit data of max {switches.max_days * 24} hours can be pulled.")
    if switches.recent_days is not None and first <= today - switches.recent_days:
        raise rejection(switches.bad_range, f"Only data of the last {switches.recent_days} days can be pulled.")
    if not switches.future_dates and end > today:
        raise rejection(switches.bad_range, "Date should not be greater than current date.")


def _ordinal(given: Mapping[str, str], key: str, switches: Switches) -> int | None:
    if key not in given:
        return None
    read = _lenient if switches.lenient_dates else _strict
    try:
        return read(given[key], switches.date_format)
    except _UnreadableError:
        if switches.bad_date == "no_filter":
            return None
        raise rejection(switches.bad_date, f"{key} is not in the right date format.") from None


def _strict(text: str, date_format: str) -> int:
    try:
        return dt.datetime.strptime(text, date_format).toordinal()  # noqa: DTZ007 - a local date
    except ValueError:
        raise _UnreadableError from None


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NUMERIC = "YmdHMS"


def _lenient(text: str, date_format: str) -> int:
    """Return a date as Java's ``SimpleDateFormat`` parses it: any digits, overflowing parts, and trailing text."""
    pattern = re.sub(
        r"%([A-Za-z])|(.)",
        lambda part: re.escape(part[2]) if part[2] else _group(part[1]),
        date_format,
    )
    found = re.match(pattern, text, re.IGNORECASE)
    if found is None:
        raise _UnreadableError
    parts = found.groupdict()
    month = _MONTHS.index(parts["b"].lower()) if "b" in parts else int(parts.get("m", "1")) - 1
    year = int(parts.get("Y", "1970")) + month // 12
    try:
        return dt.date(year, month % 12 + 1, 1).toordinal() + int(parts.get("d", "1")) - 1
    except ValueError:
        return dt.date.min.toordinal()


def _group(directive: str) -> str:
    return rf"(?P<{directive}>\d+)" if directive in _NUMERIC else rf"(?P<{directive}>[A-Za-z]{{3}})"
