"""The checks of a pull that need additional requests: of `end_date`, of `paging`, and of empty windows. No I/O.

What their pages show is decided in `date_checks.py`, `paging_checks.py` and `empty_proof.py`.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace

from airflow_provider_kapture.client.api.failures import is_unsupported_query
from airflow_provider_kapture.client.api.request import OrderQuery
from airflow_provider_kapture.client.api.response import Page
from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.days import DayRange, Window
from airflow_provider_kapture.client.pagination.knowledge import AccountKnowledge
from airflow_provider_kapture.client.pull.date_checks import EndDateCheck
from airflow_provider_kapture.client.pull.empty_proof import Proof, prove_empty
from airflow_provider_kapture.client.pull.paging_checks import CapCheck, FirstPageCheck, whole_range
from airflow_provider_kapture.client.pull.steps import CheckPage, Fetched, PullStep, PullSteps, fetch_step


class PullChecks:
    """The checks of one pull.

    :param account: account of the pull
    :param query: date field, filters and body keys
    :param knowledge: what the listings of the pull have found out about the account
    :param proves_empty: whether to check pulls whose first page has no orders
    :ivar end_date: check of connection extra ``end_date``
    :ivar caps: check of whether responses may be incomplete
    :ivar first_page: check of the first offset
    """

    def __init__(self, account: Account, query: OrderQuery, knowledge: AccountKnowledge, *, proves_empty: bool) -> None:
        self._account = account
        self._query = query
        self._base = account.dialect.first_offset
        self._is_limit_ignored = False  # whether a response to a check had more orders than requested
        self.end_date = EndDateCheck(account, query)
        self.caps = CapCheck(account, knowledge)
        self.first_page = FirstPageCheck(account, is_due=proves_empty)

    def fetch(self, step: CheckPage) -> Generator[PullStep, Fetched | None, Fetched]:
        """Yield the request of a check and return its result."""
        fetched = yield from fetch_step(step)
        if fetched.page is not None and len(fetched.page.keys) > (step.limit or self._account.dialect.page_size):
            self._is_limit_ignored = True
        return fetched

    def check_end_dates(self, windows: Sequence[Window]) -> PullSteps:
        """Check the end date for windows without orders, those that follow one another at once.

        :raises KaptureDialectError: the end date is exclusive
        """
        merged: list[Window] = []
        for window in windows:
            if merged and merged[-1].end_ms == window.start_ms:
                merged[-1] = replace(merged[-1], end_ms=window.end_ms)
            else:
                merged.append(window)
        for window in merged:
            yield from self.check_end_date(window)

    def check_end_date(self, window: Window) -> PullSteps:
        """Check the end date for a window that was read completely.

        :raises KaptureDialectError: the end date is exclusive
        """
        wide = self.end_date.wide_range(window)
        if wide is not None:
            fetched = yield from self.fetch(CheckPage(wide, self._base, optional=True))
            if not is_unsupported_query(fetched.error):
                page = fetched.result()
                for days in self.end_date.shown(window, page)[:1]:
                    yield from self._repeat_days(days, page)
                if len(page.keys) < self._account.dialect.page_size:
                    return
        for days, wider in self.end_date.ranges_to_check(window):
            fetched = yield from self.fetch(CheckPage(wider, self._base, optional=True))
            if is_unsupported_query(fetched.error):
                return  # the account rejects the wider range, which says nothing about the end date
            page = fetched.result()
            if self.end_date.has_last_day(days, page):
                yield from self._repeat_days(days, page)

    def _repeat_days(self, days: DayRange, wider: Page) -> PullSteps:
        """Request days again, of whose last day a wider range has orders, and check the end date by both pages."""
        again = yield from self.fetch(CheckPage(days, self._base))
        self.end_date.check(days, wider, again.result())

    def prove_empty(self, windows: Sequence[Window]) -> Generator[PullStep, Fetched | None, Proof]:
        """Yield the requests that prove windows without orders; return the result.

        :raises KaptureError: the account misreads the requests, or a request failed permanently
        """
        return prove_empty(self._account, self._query, windows, is_limit_ignored=self._is_limit_ignored)

    def check_paging(self, window: Window) -> PullSteps:
        """Check that responses are complete and start with the first order, if a window leaves that open.

        :raises KaptureListingError: they do not
        """
        if self.caps.is_due:
            fetched = yield from self.fetch(self.caps.begin(self._base))
            if not is_unsupported_query(fetched.error):
                fetched.result()
            self.caps.check(fetched.page)
        if self.first_page.is_due:
            days = whole_range(window)
            fetched = yield from self.fetch(self.first_page.begin(days))
            if fetched.page is not None and fetched.page.keys:
                again = yield from self.fetch(CheckPage(days, self._base))
                self.first_page.check(fetched.page, again.result())
