"""Half-open windows, the account's days that cover them, and which of a listing's orders are a window's.

The API is asked by whole days of the account; an instant in the answer (epoch milliseconds) cuts the edges. A day is
a local date, and not 24 hours: at a change of the clocks it has 23 to 25 of them, and where a zone crossed the date
line it may have none.
"""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from zoneinfo import ZoneInfo

from airflow_provider_kapture.client import iso8601
from airflow_provider_kapture.client.errors import KaptureSettingsError

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MILLISECOND = dt.timedelta(milliseconds=1)
_DAY = dt.timedelta(days=1)


def to_ms(instant: dt.datetime) -> int:
    """Epoch milliseconds of an aware datetime, rounded up, so that half-open windows keep their orders."""
    # Not by subtraction: Airflow's own datetimes subtract to something that is no plain timedelta.
    return calendar.timegm(instant.utctimetuple()) * 1000 - (-instant.microsecond // 1000)


def from_ms(ms: int, zone: dt.tzinfo = dt.UTC) -> dt.datetime:
    """The aware datetime of epoch milliseconds."""
    return (_EPOCH + ms * _MILLISECOND).astimezone(zone)


@dataclass(frozen=True, slots=True)
class Window:
    """``[start_ms, end_ms)`` in epoch milliseconds, seen from the account's zone."""

    start_ms: int
    end_ms: int
    zone: ZoneInfo

    @property
    def start(self) -> dt.datetime:
        """The first instant, in the account's zone."""
        return from_ms(self.start_ms, self.zone)

    @property
    def end(self) -> dt.datetime:
        """The first instant after, in the account's zone."""
        return from_ms(self.end_ms, self.zone)

    def is_whole_days(self) -> bool:
        """Whether both edges are first instants of days of the account."""
        return all(day_start(from_ms(ms, self.zone).date(), self.zone) == ms for ms in (self.start_ms, self.end_ms))

    def days(self) -> Iterator[tuple[dt.date, Window]]:
        """The account's days, each with the part of the window that it holds; days without an instant are left out.

        The parts are disjoint, adjacent and make up the window.
        """
        day = from_ms(self.start_ms, self.zone).date()
        # Where the clocks went back over midnight, the day before begins first.
        while day_start(day, self.zone) > self.start_ms:
            day -= _DAY
        while (first := day_start(day, self.zone)) < self.end_ms:
            after = day_start(day + _DAY, self.zone)
            start, end = max(first, self.start_ms), min(after, self.end_ms)
            if start < end:
                yield day, Window(start, end, self.zone)
            day += _DAY

    def dates(self) -> list[dt.date]:
        """Every local date that an instant of the window has, in order.

        As a rule the days of :meth:`days`; where the clocks went back over midnight, instants after a day's first
        instant may be of the day before.
        """
        day = from_ms(self.start_ms, self.zone).date() - _DAY
        last = from_ms(self.end_ms - 1, self.zone).date() + _DAY
        found = []
        while day <= last:
            if max(day_start(day, self.zone), self.start_ms) < min(day_end(day, self.zone), self.end_ms):
                found.append(day)
            day += _DAY
        return found


@lru_cache(maxsize=4096)
def day_start(day: dt.date, zone: ZoneInfo) -> int:
    """Epoch milliseconds of the first instant whose local date is ``day``, or, where there is none, is later."""
    midnight = dt.datetime.combine(day, dt.time(), zone)
    ms = to_ms(midnight)
    if from_ms(ms, zone).replace(tzinfo=None) == midnight.replace(tzinfo=None):
        return ms
    # The clocks skipped this midnight. Where the skip began before it, the new date began with the skip.
    low, high = to_ms(midnight.replace(fold=1)), ms
    while low < high:
        middle = (low + high) // 2
        if from_ms(middle, zone).date() < day:
            low = middle + 1
        else:
            high = middle
    return low


@lru_cache(maxsize=4096)
def day_end(day: dt.date, zone: ZoneInfo) -> int:
    """Epoch milliseconds of the first instant after the last one whose local date is ``day``."""
    following = day + _DAY
    midnight = dt.datetime.combine(following, dt.time(fold=1), zone)
    ms = to_ms(midnight)
    if from_ms(ms, zone).replace(tzinfo=None) == midnight.replace(tzinfo=None):
        return ms
    return day_start(following, zone)


@dataclass(frozen=True, slots=True)
class DayRange:
    """Consecutive local dates that one listing is asked for, both inclusive."""

    first: dt.date
    last: dt.date

    @property
    def count(self) -> int:
        """How many dates."""
        return (self.last - self.first).days + 1

    def span(self, zone: ZoneInfo) -> tuple[int, int]:
        """First instant of the first date, and the first instant after the last one, in epoch milliseconds."""
        return day_start(self.first, zone), day_end(self.last, zone)

    def contains(self, ms: int, zone: ZoneInfo) -> bool:
        """Whether the instant's local date is one of these."""
        return self.first <= from_ms(ms, zone).date() <= self.last


def ranges(dates: list[dt.date], widest: int) -> list[DayRange]:
    """Group dates into ranges of at most ``widest`` consecutive days."""
    found: list[DayRange] = []
    for day in dates:
        if found and day - found[-1].last == _DAY and (day - found[-1].first).days < widest:
            found[-1] = DayRange(found[-1].first, day)
        else:
            found.append(DayRange(day, day))
    return found


# Those with a day before and a day after in each time zone.
_YEARS = range(2, 9999)
WindowEdge = dt.datetime | dt.date | str | int


def make_window(
    start: WindowEdge, end: WindowEdge, zone: ZoneInfo, names: tuple[str, str] = ("window_start", "window_end")
) -> Window:
    """Return the window between two edges: datetimes, dates, ISO 8601 text, or dates as integers such as 20260105.

    Datetimes without an offset are in the account's zone; a bare date is that day's first instant there.

    :param names: the arguments that the edges come from, for errors
    :raises KaptureSettingsError: an edge that cannot be read, or a start that is not before the end
    """
    window = Window(_edge(names[0], start, zone), _edge(names[1], end, zone), zone)
    if window.start_ms >= window.end_ms:
        raise KaptureSettingsError(
            f"{names[0]} ({start!s}) must be before {names[1]} ({end!s}): "
            f"a window is half-open, [{names[0]}, {names[1]}), so equal edges contain nothing"
        )
    return window


def in_utc(instant: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    """Return a plain datetime in UTC, whatever kind of datetime it was; without an offset it is in the zone.

    Airflow hands over pendulum's datetimes. Where their zone is another library's, their arithmetic drops it.
    """
    fields = (instant.year, instant.month, instant.day, instant.hour, instant.minute, instant.second)
    return dt.datetime(*fields, instant.microsecond, instant.tzinfo or zone, fold=instant.fold).astimezone(dt.UTC)


def _edge(name: str, value: WindowEdge, zone: ZoneInfo) -> int:
    value = _read(name, value)
    if value.year not in _YEARS:
        raise KaptureSettingsError(f"{name} is {value!s}: its year must be one of {_YEARS[0]} to {_YEARS[-1]}")
    if isinstance(value, dt.datetime):
        return to_ms(in_utc(value, zone))
    return day_start(dt.date(value.year, value.month, value.day), zone)


def _read(name: str, value: WindowEdge) -> dt.date | dt.datetime:
    if isinstance(value, dt.date) and value == value:  # noqa: PLR0124 - pandas' NaT is a datetime that equals nothing
        return value
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        try:
            return iso8601.parse(value)
        except ValueError as error:
            raise KaptureSettingsError(
                f"{name} is {value!r:.80}, which is not an ISO 8601 date or datetime such as {iso8601.EXAMPLES}"
                + (f": {error}" if str(error) else "")
            ) from error
    hint = f"; {iso8601.hint(value)}" if isinstance(value, float) else ""
    raise KaptureSettingsError(
        f"{name} is a {type(value).__name__}: it must be a datetime, a date or ISO 8601 text such as {iso8601.EXAMPLES}"
        + hint
    )
