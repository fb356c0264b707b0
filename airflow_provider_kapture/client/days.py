"""Half-open windows, and the days of the account that cover them.

The API is queried by whole days of the account; `pull/` cuts the edges by `createDate`. A day is a local date, not 24
hours: when the clocks change it has 23 to 25 hours, and when a zone crossed the date line it had none. Text is parsed
in `iso8601.py`; which window an Airflow run means is decided in `airflow_provider_kapture/windows.py`.
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
    """Return the epoch milliseconds of an aware datetime, rounded up, so that half-open windows keep their orders."""
    # No subtraction: pendulum's datetimes, which Airflow uses, do not return a plain timedelta.
    return calendar.timegm(instant.utctimetuple()) * 1000 - (-instant.microsecond // 1000)


def from_ms(ms: int, zone: dt.tzinfo = dt.UTC) -> dt.datetime:
    """Return the aware datetime of epoch milliseconds."""
    return (_EPOCH + ms * _MILLISECOND).astimezone(zone)


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open window ``[start_ms, end_ms)`` in epoch milliseconds, with the account's time zone."""

    start_ms: int
    end_ms: int
    zone: ZoneInfo

    @property
    def start(self) -> dt.datetime:
        """The first instant, in the account's zone."""
        return from_ms(self.start_ms, self.zone)

    @property
    def end(self) -> dt.datetime:
        """The first instant after the window, in the account's zone."""
        return from_ms(self.end_ms, self.zone)

    def is_whole_days(self) -> bool:
        """Return whether both edges are the first instant of a day of the account."""
        return all(day_start(from_ms(ms, self.zone).date(), self.zone) == ms for ms in (self.start_ms, self.end_ms))

    def days(self) -> Iterator[tuple[dt.date, Window]]:
        """Yield the account's days, each with its part of the window; days without an instant are omitted.

        The parts are adjacent and together equal the window.
        """
        day = from_ms(self.start_ms, self.zone).date()
        # If the clocks were set back over midnight, the day before starts first.
        while day_start(day, self.zone) > self.start_ms:
            day -= _DAY
        while (first := day_start(day, self.zone)) < self.end_ms:
            after = day_start(day + _DAY, self.zone)
            start, end = max(first, self.start_ms), min(after, self.end_ms)
            if start < end:
                yield day, Window(start, end, self.zone)
            day += _DAY

    def dates(self) -> list[dt.date]:
        """Return every local date of an instant in the window, in order.

        These are the days of :meth:`days`, except if the clocks were set back over midnight: then instants after the
        first instant of a day may belong to the day before.
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
    """Return the epoch milliseconds of the first instant whose local date is ``day``, or later if that day has none."""
    midnight = dt.datetime.combine(day, dt.time(), zone)
    ms = to_ms(midnight)
    if from_ms(ms, zone).replace(tzinfo=None) == midnight.replace(tzinfo=None):
        return ms
    # The clocks skipped this midnight: the date starts at the skip, which may have begun before midnight.
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
    """Return the epoch milliseconds of the instant after the last one whose local date is ``day``."""
    following = day + _DAY
    midnight = dt.datetime.combine(following, dt.time(fold=1), zone)
    ms = to_ms(midnight)
    if from_ms(ms, zone).replace(tzinfo=None) == midnight.replace(tzinfo=None):
        return ms
    return day_start(following, zone)


@dataclass(frozen=True, slots=True)
class DayRange:
    """Consecutive local dates of one listing, both inclusive."""

    first: dt.date
    last: dt.date

    @property
    def count(self) -> int:
        """Number of dates."""
        return (self.last - self.first).days + 1

    def span(self, zone: ZoneInfo) -> tuple[int, int]:
        """Return the first instant of the first date and the instant after the last date, in epoch milliseconds."""
        return day_start(self.first, zone), day_end(self.last, zone)

    def contains(self, ms: int, zone: ZoneInfo) -> bool:
        """Return whether the local date of an instant (epoch milliseconds) is in the range."""
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


# Years whose days have a day before and after in every time zone.
_YEARS = range(2, 9999)
WindowEdge = dt.datetime | dt.date | str | int


def make_window(
    start: WindowEdge, end: WindowEdge, zone: ZoneInfo, names: tuple[str, str] = ("window_start", "window_end")
) -> Window:
    """Return the window between two edges: datetimes, dates, ISO 8601 text, or dates as integers such as 20260105.

    Datetimes without an offset are in the account's zone; a date means the first instant of that day there.

    :param names: names of the two arguments, for messages
    :raises KaptureSettingsError: an invalid edge, or a start that is not before the end
    """
    window = Window(_edge(names[0], start, zone), _edge(names[1], end, zone), zone)
    if window.start_ms >= window.end_ms:
        raise KaptureSettingsError(
            f"`{names[0]}` ({start!s}) must be before `{names[1]}` ({end!s}): "
            f"a window is half-open, [{names[0]}, {names[1]}), so equal edges contain nothing"
        )
    return window


def edge_has_offset(name: str, value: WindowEdge) -> bool:
    """Check an edge of a window, and return whether it is the same instant in every time zone.

    :param name: name of the argument, for messages
    :raises KaptureSettingsError: it is not an edge
    """
    _edge(name, value, ZoneInfo("UTC"))
    return getattr(_read(name, value), "tzinfo", None) is not None


def in_utc(instant: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    """Return a plain datetime in UTC; an instant without an offset is in the zone.

    Airflow passes pendulum's datetimes, whose arithmetic drops a time zone of another library.
    """
    fields = (instant.year, instant.month, instant.day, instant.hour, instant.minute, instant.second)
    return dt.datetime(*fields, instant.microsecond, instant.tzinfo or zone, fold=instant.fold).astimezone(dt.UTC)


def _edge(name: str, value: WindowEdge, zone: ZoneInfo) -> int:
    value = _read(name, value)
    if value.year not in _YEARS:
        raise KaptureSettingsError(f"`{name}` is {value!s}: its year must be one of {_YEARS[0]} to {_YEARS[-1]}")
    if isinstance(value, dt.datetime):
        return to_ms(in_utc(value, zone))
    return day_start(dt.date(value.year, value.month, value.day), zone)


def _read(name: str, value: WindowEdge) -> dt.date | dt.datetime:
    if isinstance(value, dt.date) and value == value:  # noqa: PLR0124 - pandas' NaT is a datetime that does not equal itself
        return value
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        try:
            return iso8601.parse(value)
        except ValueError as error:
            raise KaptureSettingsError(
                f"`{name}` is {value!r:.80}, which is not an ISO 8601 date or datetime such as {iso8601.EXAMPLES}"
                + (f": {error}" if str(error) else "")
            ) from error
    hint = f"; {iso8601.hint(value)}" if isinstance(value, float) else ""
    raise KaptureSettingsError(
        f"`{name}` is a {type(value).__name__}: it must be a datetime, a date or ISO 8601 text such as "
        f"{iso8601.EXAMPLES}{hint}"
    )
