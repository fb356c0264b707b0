"""Cut the orders of a page to the window, by `createDate` or by what earlier days of the pull had. No I/O.

Which error orders outside the requested days mean is decided in `date_checks.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar, cast

from airflow_provider_kapture.client.api.request import OrderQuery
from airflow_provider_kapture.client.api.response import Page
from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.days import DayRange, Window
from airflow_provider_kapture.client.pagination.spill import RankStore
from airflow_provider_kapture.client.pull.date_checks import (
    EndDateCheck,
    is_at_next_midnight,
    missing_instant_error,
    out_of_range_error,
)
from airflow_provider_kapture.client.pull.stats import PullStats

_T = TypeVar("_T")


def pick(items: Sequence[_T], indices: Sequence[int]) -> Sequence[_T]:
    """Return the items at the indices, as a slice if they are consecutive."""
    if len(indices) == len(items):
        return items
    if isinstance(indices, range):
        return items[indices.start : indices.stop]
    return [items[index] for index in indices]


class WindowCut:
    """The orders of the pages that belong to the windows of a pull. The others are counted.

    :param account: account of the pull
    :param query: date field of the pull
    :param stats: counters to update
    :param end_date_check: is shown the orders of each page
    """

    def __init__(self, account: Account, query: OrderQuery, stats: PullStats, end_date_check: EndDateCheck) -> None:
        self._account = account
        self._stats = stats
        self._end_date_check = end_date_check
        # Ids of the pull, if the date may change meanwhile, so that an order appears under two days.
        self._ids = None if query.dates.cut_by is not None else RankStore()

    def cut(self, window: Window, days: DayRange, page: Page, fresh: Sequence[int]) -> Sequence[int]:
        """Return the indices of the orders that belong to a window.

        :param days: days that the page was requested for
        :param fresh: indices of the orders of the page that are new
        :raises KaptureDialectError: an order outside the requested days
        :raises KaptureShapeError: an order without a usable `createDate`
        """
        if self._ids is not None:
            return self._not_moved(self._ids, page, fresh)
        instants = pick(page.instants, fresh)
        if None in instants:
            raise missing_instant_error(page)
        if not instants:
            return fresh
        found = cast("Sequence[int]", instants)
        first, last = min(found), max(found)
        low, high = days.span(self._account.zone)
        if not low <= first <= last < high:
            self._check_days(days, page, found)
        self._end_date_check.record(days, found)
        # Orders at the next midnight are also in the listing of their own day.
        start, end = max(window.start_ms, low), min(window.end_ms, high)
        if start <= first <= last < end:
            self._note(first, last)
            return fresh
        in_window = [index for index, instant in zip(fresh, found, strict=True) if start <= instant < end]
        self._stats.trimmed += len(fresh) - len(in_window)
        self._note_all([each for each in found if start <= each < end])
        return in_window

    def _check_days(self, days: DayRange, page: Page, found: Sequence[int]) -> None:
        account = self._account
        if not all(days.contains(each, account.zone) or is_at_next_midnight(account, days, each) for each in found):
            raise out_of_range_error(account, days, page)

    def _not_moved(self, ids: RankStore, page: Page, fresh: Sequence[int]) -> Sequence[int]:
        """Return the orders that no earlier day of the pull had; the date of the others has changed meanwhile."""
        known = ids.ranks([page.keys[index] for index in fresh])
        in_window = [index for index in fresh if page.keys[index] not in known]
        ids.set({page.keys[index]: 0 for index in in_window})
        self._stats.moved += len(fresh) - len(in_window)
        self._note_all([instant for index in in_window if (instant := page.instants[index]) is not None])
        return in_window

    def _note_all(self, instants: Sequence[int]) -> None:
        if instants:
            self._note(min(instants), max(instants))

    def _note(self, first: int, last: int) -> None:
        stats = self._stats
        stats.first_ms = first if stats.first_ms is None else min(stats.first_ms, first)
        stats.last_ms = last if stats.last_ms is None else max(stats.last_ms, last)

    def close(self) -> None:
        """Release the disk space."""
        if self._ids is not None:
            self._ids.close()
