"""Checks of connection extra `paging` that need requests of their own: what to request, what a page shows. Pure."""

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

# Days that a wider range has on either side, to see whether a response can hold more rows.
_WIDER = dt.timedelta(days=3)
# The limit that shows whether limits count.
_SMALL_LIMIT = 2


class FirstPageCheck:
    """Whether the first page is where connection extra `paging` says, for pulls whose first page holds no order.

    :param is_due: whether the pull is to find that out
    :ivar is_due: whether the other offset is still to be requested: once a pull, unless a page shows orders before
    :ivar offset: the offset to request, as the other way to count would
    """

    def __init__(self, account: Account, *, is_due: bool = True) -> None:
        self._paging = Paging(account.dialect.paging)
        self.is_due = is_due and self._paging is not Paging.NONE
        self.offset = 0 if self._paging is Paging.PAGES_FROM_1 else 1

    def see(self, page: Page) -> None:
        """Note a page of the pull: one that holds orders shows that the offsets are right."""
        self.is_due = self.is_due and not page.keys

    def begin(self, days: DayRange) -> CheckPage:
        """Return the request of the other offset; it is not due again."""
        self.is_due = False
        return CheckPage(days, self.offset, optional=True)

    def check(self, page: Page, again: Page | None = None) -> None:
        """Raise if the other offset shows orders.

        :param again: the first page once more: the orders may have been created meanwhile
        :raises KaptureListingError: it shows orders, and the first page none
        """
        if page.keys and not (again and again.keys):
            right = Paging.PAGES if self._paging is Paging.PAGES_FROM_1 else Paging.PAGES_FROM_1
            raise listing_error(messages.WRONG_FIRST_PAGE.format(self.offset, right.value), is_permanent=True)


class CapCheck:
    """Whether responses that are taken for whole listings may have been cut.

    :param knowledge: what the listings of the pull have learnt together
    """

    def __init__(self, account: Account, knowledge: AccountKnowledge) -> None:
        self._is_told = account.dialect.paging == Paging.NONE
        self._page_size = account.dialect.page_size
        self._knowledge = knowledge
        self._largest = 0
        self._days: DayRange | None = None
        self._is_checked = False
        self._singles: list[OrderKey] = []  # of the first two listings that show one order at every offset

    def see(self, days: DayRange, rows: int) -> None:
        """Note a listing that one response held."""
        if rows > self._largest:
            self._largest, self._days = rows, days
            self._singles.clear()

    def see_single(self, days: DayRange, page: Page | None) -> None:
        """Note a listing of one order, which came at every offset."""
        if not self._largest and page is not None and page.keys and len(self._singles) < 2:
            first = self._days.first if self._days is not None else days.first
            self._days = DayRange(first, days.last)
            self._singles.append(page.keys[0])

    @property
    def is_due(self) -> bool:
        """Whether a request is to show that responses are whole: once a pull."""
        if self._days is None or self._is_checked:
            return False
        if self._is_told:
            return self._largest == self._page_size
        is_doubtful = bool(self._singles) or may_be_cap(self._largest)
        return is_doubtful and self._knowledge.longest <= max(self._largest, 1)

    def begin(self, offset: int) -> CheckPage:
        """Return the request that shows it; it is not due again.

        :param offset: that of a first page
        """
        assert self._days is not None
        self._is_checked = True
        if self._is_told:
            return CheckPage(self._days, offset, _SMALL_LIMIT, optional=True)
        wider = DayRange(self._days.first - _WIDER, self._days.last + _WIDER)
        return CheckPage(wider, offset, optional=True)

    def check(self, page: Page | None) -> None:
        """Raise if the page does not prove that responses are whole.

        :param page: none where Kapture refused the request
        :raises KaptureListingError: the responses may have been cut
        """
        rows = len(page.keys) if page is not None else 0
        if self._is_told and page is not None and rows < self._largest:
            raise listing_error(messages.LIMIT_COUNTS.format(self._largest), is_permanent=True)
        if self._singles:
            # The same order alone may be the only one.
            if page is not None and rows == 1 and self._singles != list(page.keys):
                raise listing_error(messages.ONE_ROW_PER_PAGE, is_permanent=True)
        elif not self._is_told and rows <= self._largest:
            raise listing_error(messages.MAY_BE_CUT.format(self._largest), is_permanent=True)


def whole_range(window: Window) -> DayRange:
    """Return all the days of a window."""
    dates = window.dates()
    return DayRange(dates[0], dates[-1])
