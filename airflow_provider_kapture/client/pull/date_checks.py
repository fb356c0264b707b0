"""Checks of `date_format`, `timezone` and `end_date` against the orders that Kapture returns. No I/O.

Checks of `paging` are in `paging_checks.py`; the doctor (`doctor/`) searches for the right settings.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import msgspec

from airflow_provider_kapture.client import orders
from airflow_provider_kapture.client.api.failures import permanent_shape_error
from airflow_provider_kapture.client.api.request import OrderQuery
from airflow_provider_kapture.client.api.response import Page
from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.days import DayRange, Window, from_ms, ranges
from airflow_provider_kapture.client.errors import KaptureDialectError, KaptureError

# Time zones that accounts are likely to use, most likely first; they are tried before all others.
LIKELY_ZONES = (
    "Asia/Kolkata",
    "UTC",
    "Asia/Dubai",
    "Asia/Singapore",
    "Europe/London",
    "Europe/Berlin",
    "Asia/Riyadh",
    "Asia/Jakarta",
    "Asia/Dhaka",
    "Asia/Karachi",
    "Asia/Kathmandu",
    "Asia/Tokyo",
    "Australia/Sydney",
    "Pacific/Auckland",
    "America/New_York",
    "America/Chicago",
    "America/Los_Angeles",
)


def out_of_range_error(account: Account, days: DayRange, page: Page) -> KaptureError:
    """Return the error for a page with an order created outside the requested days."""
    zone, dialect = account.zone, account.dialect
    instants = [each for each in page.instants if each is not None]
    stray = next(each for each in instants if not days.contains(each, zone))
    if all(_is_near(days, each * 1000, zone) for each in instants):
        return _instant_error("a number of seconds")
    found = (
        f"Requested {days.first} to {days.last}, but Kapture returned an order created "
        f"{from_ms(stray, zone).isoformat()}"
    )
    if not all(_is_near(days, each, zone) for each in instants):
        return KaptureDialectError(
            f"{found}: `createStartDate` is ignored or misread; set `date_format` (now {dialect.date_format!r}) in the "
            "connection extra to the account's format, which `kapture doctor CONN_ID` finds",
            path=orders.PATH,
        )
    after = _day_after(days, account)
    if dialect.end_date == "exclusive" and all(DayRange(days.first, after).contains(each, zone) for each in instants):
        hint = "; the response matches an inclusive end date: set `end_date` to 'inclusive'"
    else:
        fitting = _fitting_zone(days, instants)
        hint = f"; the response matches the time zone {fitting!r}" if fitting else ""
    return KaptureDialectError(
        f"{found}: `timezone` ({dialect.timezone}) or `end_date` ({dialect.end_date}) in the connection extra does not "
        f"match the account{hint}",
        path=orders.PATH,
    )


def check_instants(account: Account, days: DayRange, page: Page) -> None:
    """Raise an error if an order of a page was created outside the requested days.

    :raises KaptureDialectError: there is such an order
    """
    zone = account.zone
    for each in page.instants:
        if each is not None and not days.contains(each, zone) and not is_at_next_midnight(account, days, each):
            raise out_of_range_error(account, days, page)


def _is_near(days: DayRange, instant: int, zone: ZoneInfo) -> bool:
    """Return whether another time zone or end date can explain an order created at an instant (epoch milliseconds)."""
    low, high = days.span(zone)
    return low - _MAX_SHIFT <= instant < high + _MAX_SHIFT


def missing_instant_error(page: Page) -> KaptureError:
    """Return the error for a page with an order whose `createDate` is not epoch milliseconds."""
    raw = next(raw for raw, instant in zip(page.raws, page.instants, strict=True) if instant is None)
    try:
        value = msgspec.json.decode(raw, type=_CreateDate).createDate
    except (msgspec.DecodeError, RecursionError):
        value = None
    if value is None:
        return _instant_error("missing or null")
    return _instant_error("text" if isinstance(value, str) else f"a {type(value).__name__}")


def _instant_error(found: str) -> KaptureError:
    return permanent_shape_error(
        f"`createDate` of an order is {found}, not epoch milliseconds, so the order cannot be assigned to a window; "
        "ask Kapture for an API that returns milliseconds"
    )


class _CreateDate(msgspec.Struct):
    createDate: Any = None  # noqa: N815 - the vendor's name


# Milliseconds: the largest difference of two time zones, and one day for the end date.
_MAX_SHIFT = 50 * 60 * 60 * 1000
# Milliseconds: an order this early on a day may be part of a range that ends at the midnight before it.
_FIRST_SECOND = 1000


def is_at_next_midnight(account: Account, days: DayRange, instant: int) -> bool:
    """Return whether an order was created in the first second after the days of an exclusive end date.

    An account whose range includes both midnights returns it, and again in the listing of its own day.
    """
    return account.dialect.end_date == "exclusive" and 0 <= instant - days.span(account.zone)[1] < _FIRST_SECOND


def _day_after(days: DayRange, account: Account) -> dt.date:
    return from_ms(days.span(account.zone)[1], account.zone).date()


def _fitting_zone(days: DayRange, instants: Sequence[int]) -> str | None:
    edges = (min(instants), max(instants))
    for name in (*LIKELY_ZONES, *sorted(available_timezones())):
        if all(days.contains(each, ZoneInfo(name)) for each in edges):
            return name
    return None


# Ranges to check one by one if the account refuses one that covers them all.
_MAX_SAMPLES = 4


class EndDateCheck:
    """Check of an inclusive `end_date`: if it is exclusive, the orders of the last requested day are missing."""

    def __init__(self, account: Account, query: OrderQuery) -> None:
        self._account = account
        self._has_instants = query.dates.cut_by is not None
        self._seen = False
        self._listed: set[dt.date] = set()  # last days of which a listing had an order, at midnight too

    def record(self, days: DayRange, instants: Sequence[int]) -> None:
        """Record the orders (epoch milliseconds) returned for a range of days."""
        if not self._seen and self._has_order(days, instants):
            self._seen = self._has_late_order(days, instants)
            self._listed.add(days.last)

    def wide_range(self, window: Window) -> DayRange | None:
        """Return one range that shows the last days of several ranges in one request; None if no check is needed.

        :param window: a window that was read completely
        """
        query = ranges(window.dates(), self._account.dialect.max_days_per_request)
        if len(query) < 2 or next(self.ranges_to_check(window), None) is None:
            return None
        return DayRange(query[0].first, _day_after(query[-1], self._account))

    def shown(self, window: Window, page: Page) -> list[DayRange]:
        """Return the ranges whose last day has an order in the page of the wide range, those after midnight first."""
        query = ranges(window.dates(), self._account.dialect.max_days_per_request)
        shown = [days for days in query if self.has_last_day(days, page)]
        return sorted(shown, key=lambda days: not self._has_late_order(days, _instants_of(page)))

    def ranges_to_check(self, window: Window) -> Iterator[tuple[DayRange, DayRange]]:
        """Yield ranges to check if no listing had an order of its last day.

        :param window: a window that was read completely
        :return: requested days, and their last day with the day after it
        """
        if self._seen or not self._has_instants or self._account.dialect.end_date == "exclusive":
            return
        query = ranges(window.dates(), self._account.dialect.max_days_per_request)
        # A sample is enough: an exclusive end date hides the last day of each range.
        step = -(-len(query) // _MAX_SAMPLES)
        for days in query[::-1][::step]:
            # From the last day only: an account that limits the range accepts this one if its end date is exclusive.
            yield days, DayRange(days.last, _day_after(days, self._account))

    def has_last_day(self, days: DayRange, page: Page) -> bool:
        """Return whether a page has an order of the last of the days."""
        return self._has_order(days, _instants_of(page))

    def check(self, days: DayRange, wider: Page, repeated: Page) -> None:
        """Raise an error if only a wider range returned orders of the last day: the end date is exclusive.

        :param days: the range that returned no orders of its last day
        :param wider: page of the wider range
        :param repeated: page of the same range, requested again, because the orders may be new
        :raises KaptureDialectError: the repeated page has no orders of the last day either
        """
        is_late = self._has_late_order(days, _instants_of(wider))
        is_repeated = (
            self._has_late_order(days, _instants_of(repeated))
            if is_late
            else days.last in self._listed or self.has_last_day(days, repeated)
        )
        if not is_repeated:
            raise KaptureDialectError(
                f"A request ending on {days.last} returned no orders of that day, but one ending a day later did; set "
                "`end_date` to 'exclusive' in the connection extra",
                path=orders.PATH,
            )

    def _has_order(self, days: DayRange, instants: Sequence[int]) -> bool:
        last = DayRange(days.last, days.last)
        return any(last.contains(each, self._account.zone) for each in instants)

    def _has_late_order(self, days: DayRange, instants: Sequence[int]) -> bool:
        last = DayRange(days.last, days.last)
        # An order in the first second is no proof: a range that ends at that midnight may include it.
        low = last.span(self._account.zone)[0] + _FIRST_SECOND
        return any(each >= low and last.contains(each, self._account.zone) for each in instants)


def _instants_of(page: Page) -> list[int]:
    """Return the instants of a page's orders.

    :raises KaptureShapeError: none of them has any
    """
    instants = [each for each in page.instants if each is not None]
    if page.keys and not instants:
        raise missing_instant_error(page)
    return instants
