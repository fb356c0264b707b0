"""Checks of connection extra `paging` that need additional requests: which request, and what its page shows. No I/O.

Checks of `timezone` and `end_date` are in `date_checks.py`; the requests are yielded by `pull.py`.
"""

from __future__ import annotations

import datetime as dt

from airflow_provider_kapture.client.api.keys import OrderKey
from airflow_provider_kapture.client.api.response import Page
from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.days import DayRange, Window
from airflow_provider_kapture.client.pagination import messages
from airflow_provider_kapture.client.pagination.knowledge import AccountKnowledge
from airflow_provider_kapture.client.pagination.messages import listing_error
from airflow_provider_kapture.client.pagination.requests import Paging
from airflow_provider_kapture.client.pagination.unpaged import may_be_cap
from airflow_provider_kapture.client.pull.steps import CheckPage

# Days to add on either side, to see whether a response can contain more rows.
_WIDER = dt.timedelta(days=3)
# The limit that shows whether the account ignores limits.
_SMALL_LIMIT = 2


class FirstPageCheck:
    """Check of whether the first page is at offset 0 or 1, for pulls whose first page has no orders.

    :param account: account of the pull
    :param is_due: whether the pull makes this check
    :ivar is_due: whether to request the other offset: once per pull, unless a page had orders before
    :ivar offset: first offset of the other numbering
    """

    def __init__(self, account: Account, *, is_due: bool = True) -> None:
        self._paging = Paging(account.dialect.paging)
        self.is_due = is_due and self._paging is not Paging.NONE
        self.offset = 1 - account.dialect.first_offset

    def see(self, page: Page) -> None:
        """Record a page of the pull. A page with orders proves that the offsets are right."""
        self.is_due = self.is_due and not page.keys

    def begin(self, days: DayRange) -> CheckPage:
        """Return the request of the other offset, which is not due again."""
        self.is_due = False
        return CheckPage(days, self.offset, optional=True)

    def check(self, page: Page, again: Page | None = None) -> None:
        """Raise an error if the other offset has orders.

        :param page: page at the other offset
        :param again: the first page, requested again, because orders may have been created meanwhile
        :raises KaptureListingError: the other offset has orders, and the first page has none
        """
        if page.keys and not (again and again.keys):
            right = Paging.PAGES if self._paging is Paging.PAGES_FROM_1 else Paging.PAGES_FROM_1
            raise listing_error(messages.WRONG_FIRST_PAGE.format(self.offset, right.value), is_permanent=True)


class CapCheck:
    """Check of whether responses that count as whole listings may be incomplete.

    :param account: account of the pull
    :param knowledge: what the listings of the pull have found out about the account
    """

    def __init__(self, account: Account, knowledge: AccountKnowledge) -> None:
        self._is_declared_unpaged = account.dialect.paging == Paging.NONE
        self._page_size = account.dialect.page_size
        self._knowledge = knowledge
        self._largest = 0
        self._days: DayRange | None = None
        self._is_checked = False
        self._singles: list[OrderKey] = []  # of the first two listings with the same order at every offset

    def see(self, days: DayRange, rows: int) -> None:
        """Record a listing that one response contained."""
        if rows > self._largest:
            self._largest, self._days = rows, days
            self._singles.clear()

    def see_single(self, days: DayRange, page: Page | None) -> None:
        """Record a listing of one order, which was returned at every offset."""
        if not self._largest and page is not None and page.keys and len(self._singles) < 2:
            first = self._days.first if self._days is not None else days.first
            self._days = DayRange(first, days.last)
            self._singles.append(page.keys[0])

    @property
    def is_due(self) -> bool:
        """Whether to request the page that proves responses complete: once per pull."""
        if self._days is None or self._is_checked:
            return False
        if self._is_declared_unpaged:
            return self._largest == self._page_size
        is_doubtful = bool(self._singles) or may_be_cap(self._largest)
        return is_doubtful and self._knowledge.longest <= max(self._largest, 1)

    def begin(self, offset: int) -> CheckPage:
        """Return that request, which is not due again.

        :param offset: offset of a first page
        """
        assert self._days is not None
        self._is_checked = True
        if self._is_declared_unpaged:
            return CheckPage(self._days, offset, _SMALL_LIMIT, optional=True)
        wider = DayRange(self._days.first - _WIDER, self._days.last + _WIDER)
        return CheckPage(wider, offset, optional=True)

    def check(self, page: Page | None) -> None:
        """Raise an error unless the page proves that responses are complete.

        :param page: page of :meth:`begin`; None if Kapture refused the request
        :raises KaptureListingError: responses may be incomplete
        """
        rows = len(page.keys) if page is not None else 0
        if self._is_declared_unpaged and page is not None and rows < self._largest:
            raise listing_error(messages.LIMIT_COUNTS.format(self._largest), is_permanent=True)
        if self._singles:
            # It is the only order if the wider range has the same one.
            if page is not None and rows == 1 and self._singles != list(page.keys):
                raise listing_error(messages.ONE_ROW_PER_PAGE, is_permanent=True)
        elif not self._is_declared_unpaged and rows <= self._largest:
            raise listing_error(messages.MAY_BE_CUT.format(self._largest), is_permanent=True)


def whole_range(window: Window) -> DayRange:
    """Return the days of a window as one range."""
    dates = window.dates()
    return DayRange(dates[0], dates[-1])
