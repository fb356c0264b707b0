"""A pull: the listings of its windows' days, walked one after another, pages ahead; pure, for both transports."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast
from zoneinfo import ZoneInfo, available_timezones

import msgspec

from airflow_provider_kapture.client import orders
from airflow_provider_kapture.client.account import Account
from airflow_provider_kapture.client.days import DayRange, Window, from_ms, ranges
from airflow_provider_kapture.client.errors import KaptureDialectError, KaptureSettingsError, KaptureShapeError
from airflow_provider_kapture.client.protocol import Page, Question
from airflow_provider_kapture.client.stretch import Ask
from airflow_provider_kapture.client.walk import Walk


@dataclass(slots=True)
class Tally:
    """What a pull has done so far, over all its windows where it has several.

    :ivar days: the account's days that are read
    :ivar resumed: those of the rows that an earlier try has pulled
    :ivar overshoot: requests beyond the end of a listing
    :ivar answers: how many answers the latest listings took
    """

    rows: int = 0
    requests: int = 0
    retries: int = 0
    restarts: int = 0
    trimmed: int = 0
    days: int = 0
    resumed: int = 0
    first_ms: int | None = None
    last_ms: int | None = None
    overshoot: int = 0
    answers: deque[int] = field(default_factory=lambda: deque(maxlen=3))


@dataclass(frozen=True, slots=True)
class Batch:
    """Orders of one answer that belong to a window, each of a pull once.

    :ivar raws: each order's JSON as Kapture sent it
    :ivar ends: the window, where these are its last orders
    """

    raws: Sequence[msgspec.Raw]
    ends: Window | None = None


@dataclass(eq=False, slots=True)
class _Listing:
    number: int
    window: Window
    days: DayRange
    walk: Walk
    is_last: bool


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a pull: which days, and which page of them.

    :param listing: the how manieth of the pull's listings it belongs to
    """

    listing: int
    days: DayRange
    ask: Ask


class Pull:
    """Drive it with :meth:`requests` and :meth:`take` until :attr:`done`.

    :param windows: what is pulled, one after another
    :param enough: how many orders will do: no more pages are on their way than may be needed for them
    :raises KaptureSettingsError: a date field without an instant in the answer, and a window of parts of days
    """

    def __init__(
        self,
        account: Account,
        asked: Question,
        windows: Sequence[Window],
        tally: Tally,
        enough: int | None = None,
    ) -> None:
        self._account = account
        self._asked = asked
        self._tally = tally
        self._enough = enough
        if enough is not None and (type(enough) is not int or enough < 1):
            raise KaptureSettingsError(f"at_least is {enough!r}: it must be a whole number of at least 1")
        self._listings = deque(self._listings_of(windows))
        self._begun = False
        self._last_day_seen = False

    def _listings_of(self, windows: Sequence[Window]) -> Iterator[_Listing]:
        number = itertools.count()
        for window in windows:
            self._check_edges(window)
            days = self._ranges(window)
            for each in days:
                yield _Listing(next(number), window, each, Walk(self._account.dialect.page_size), each is days[-1])

    def _check_edges(self, window: Window) -> None:
        if self._asked.dates.cut_by is None and not window.is_whole_days():
            raise KaptureSettingsError(
                f"A window by {self._asked.date_field!r} must be whole days of the account "
                f"({self._account.dialect.timezone}): its orders carry no such instant to cut by; it is "
                f"[{window.start.isoformat()}, {window.end.isoformat()})"
            )

    def _ranges(self, window: Window) -> list[DayRange]:
        return ranges(window.dates(), self._account.dialect.max_days_per_request)

    @property
    def done(self) -> bool:
        """Whether every order has been taken."""
        return not self._listings

    def requests(self) -> list[Request]:
        """The requests that may be on their way now, the next to be taken first."""
        # The first request is alone: where it is refused, one request has been made, and not a handful.
        most = self._account.dialect.max_concurrency if self._begun else 1
        if self._enough is not None:
            most = min(most, max(-(-(self._enough - self._tally.rows) // self._account.dialect.page_size), 1))
        found: list[Request] = []
        for listing in self._listings:
            ahead = min(most, 1 + self._ahead(listing.walk)) if not found else 1
            found += [Request(listing.number, listing.days, each) for each in listing.walk.ask(ahead)]
            if len(found) >= most:
                break
        return found

    def _ahead(self, walk: Walk) -> int:
        """How far the first listing reads ahead of itself.

        What a pull asks for in vain is at most what one listing may, so after that only pages that are likely to be
        there are read ahead: three quarters of what the latest listings had.
        """
        spare = self._account.dialect.max_concurrency - 1 - self._tally.overshoot
        # The last answer of a listing is its end.
        likely = (min(self._tally.answers, default=1) - 1) * 3 // 4 - walk.taken
        return max(spare, likely, 0)

    def take(self, page: Page) -> Batch:
        """Take the page of the first request.

        :raises KaptureListingError: see :class:`~airflow_provider_kapture.client.walk.Walk`
        :raises KaptureDialectError: orders outside the days that were asked for
        :raises KaptureShapeError: an order without the instant to place it by
        """
        self._begun = True
        listing = self._listings[0]
        restarts = listing.walk.restarts
        fresh = listing.walk.take(page.keys)
        self._tally.restarts += listing.walk.restarts - restarts
        if self._asked.dates.cut_by is not None:
            fresh = self._cut(listing, page, fresh)
        self._tally.rows += len(fresh)
        if listing.walk.done:
            self._tally.overshoot += listing.walk.overshoot
            self._tally.answers.append(listing.walk.taken)
            self._tally.days += (listing.days.last - listing.days.first).days + 1
            listing.walk.close()
            self._listings.popleft()
        raws = page.raws if len(fresh) == len(page.raws) else [page.raws[index] for index in fresh]
        return Batch(raws, listing.window if listing.walk.done and listing.is_last else None)

    def close(self) -> None:
        """Give back what the walks hold."""
        for listing in self._listings:
            listing.walk.close()

    def empty_range_checks(self, window: Window) -> Iterator[tuple[DayRange, DayRange]]:
        """Ranges that tell whether the end date is exclusive after all, where no listing has shown its last day.

        :param window: one that has ended
        :return: days that were asked for, and their last one with the day after
        """
        if self._asked.dates.cut_by is None or self._last_day_seen or self._account.dialect.end_date == "exclusive":
            return
        for days in self._ranges(window):
            # From the last day only: an account that takes no wider range takes this one, if its end date is exclusive.
            yield days, DayRange(days.last, from_ms(days.span(self._account.zone)[1], self._account.zone).date())

    def shows_last_day(self, days: DayRange, page: Page) -> bool:
        """Whether a page has an order of the last of these days."""
        last = DayRange(days.last, days.last)
        return any(instant is not None and last.holds(instant, self._account.zone) for instant in page.instants)

    def check_last_day(self, days: DayRange, again: Page) -> None:
        """Orders of the last day that only a wider range shows are of an exclusive end date.

        :param again: the days asked for once more: the orders may have been created since the listing was read
        :raises KaptureDialectError: that is so
        """
        if not self.shows_last_day(days, again):
            raise KaptureDialectError(
                f"Kapture showed no order of {days.last} when asked up to that day, and some when asked up to the day "
                "after: the account's end date is exclusive; set `end_date` to 'exclusive' in the connection's extra",
                path=orders.PATH,
            )

    def _cut(self, listing: _Listing, page: Page, fresh: list[int]) -> list[int]:
        zone, days = self._account.zone, listing.days
        low, high = days.span(zone)
        start, end = listing.window.start_ms, listing.window.end_ms
        instants = page.instants if len(fresh) == len(page.instants) else [page.instants[index] for index in fresh]
        if None in instants:
            raise KaptureShapeError(
                "Kapture gave an order without a `createDate` in epoch milliseconds, so that it belongs to no window",
                path=orders.PATH,
            )
        found = cast("Sequence[int]", instants)
        if not found:
            return fresh
        first, last = min(found), max(found)
        if not low <= first <= last < high and not all(days.holds(each, zone) for each in found):
            raise self._outside(days, page)
        kept = fresh
        if not start <= first <= last < end:
            kept = [index for index, instant in zip(fresh, found, strict=True) if start <= instant < end]
            self._tally.trimmed += len(fresh) - len(kept)
            found = [each for each in found if start <= each < end]
        self._note(found)
        if not self._last_day_seen:
            self._last_day_seen = any(DayRange(days.last, days.last).holds(each, zone) for each in instants if each)
        return kept

    def _note(self, kept: Sequence[int]) -> None:
        tally = self._tally
        if kept:
            first, last = min(kept), max(kept)
            tally.first_ms = first if tally.first_ms is None else min(tally.first_ms, first)
            tally.last_ms = last if tally.last_ms is None else max(tally.last_ms, last)

    def _outside(self, days: DayRange, page: Page) -> KaptureDialectError:
        zone, dialect = self._account.zone, self._account.dialect
        instants = [each for each in page.instants if each is not None]
        stray = next(each for each in instants if not days.holds(each, zone))
        after = from_ms(days.span(zone)[1], zone).date()
        if dialect.end_date == "exclusive" and all(DayRange(days.first, after).holds(each, zone) for each in instants):
            hint = "; the answer fits an inclusive end date: set `end_date` to 'inclusive'"
        else:
            fitting = _zone_that_fits(days, instants)
            hint = f"; the answer fits the zone {fitting!r}" if fitting else ""
        return KaptureDialectError(
            f"Asked for {days.first} to {days.last}, Kapture gave an order created {from_ms(stray, zone).isoformat()}: "
            f"`timezone` ({dialect.timezone}) or `end_date` ({dialect.end_date}) in the connection's extra is not "
            f"the account's{hint}",
            path=orders.PATH,
        )


_LIKELY_ZONES = ("UTC", "Asia/Kolkata", "Asia/Dubai", "Asia/Singapore", "Europe/London", "Europe/Berlin")


def _zone_that_fits(days: DayRange, instants: Sequence[int]) -> str | None:
    edges = (min(instants), max(instants))
    for name in (*_LIKELY_ZONES, *sorted(available_timezones())):
        if all(days.holds(each, ZoneInfo(name)) for each in edges):
            return name
    return None
