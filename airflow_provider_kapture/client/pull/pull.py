"""A pull: the listings of the days of its windows, delivered in order, with pages requested ahead. No I/O.

Steps are carried out by the clients (`../client.py`, `../async_client.py`); one listing is read in `listing.py`.
"""

from __future__ import annotations

import itertools
import logging
from collections import deque
from collections.abc import Iterator, Mapping, Sequence

from airflow_provider_kapture.client.api.request import OrderQuery
from airflow_provider_kapture.client.api.response import Page
from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.days import Window, ranges
from airflow_provider_kapture.client.errors import (
    KaptureBusyError,
    KaptureError,
    KaptureRefusedError,
    KaptureSettingsError,
)
from airflow_provider_kapture.client.pagination.knowledge import AccountKnowledge
from airflow_provider_kapture.client.pagination.paginator import AnchoredPaginator
from airflow_provider_kapture.client.pagination.requests import Paging
from airflow_provider_kapture.client.pagination.unpaged import UnpagedListing
from airflow_provider_kapture.client.pull.checks import PullChecks
from airflow_provider_kapture.client.pull.empty_proof import PROVEN, unsteady_error
from airflow_provider_kapture.client.pull.listing import DayListing, ListingRequest
from airflow_provider_kapture.client.pull.stats import PullStats
from airflow_provider_kapture.client.pull.steps import FetchPages, OrderBatch, PullSteps, fetch_step
from airflow_provider_kapture.client.pull.window_cut import WindowCut, pick

log = logging.getLogger(__name__)

# Statuses that some servers return permanently for offsets that are too high.
_BROKEN = (500, 501)
# Statuses of a request that is refused for its body.
_REFUSED = (200, 400, 404, 416, 422)


class Pull:
    """The pull of some windows. The clients carry out its :meth:`steps`.

    :param account: account of the pull
    :param query: date field, filters and body keys
    :param windows: windows to pull, in order
    :param stats: counters to update
    :param at_least: number of orders that the caller needs, which limits the requests in flight; None for all
    :param proves_empty: whether to prove windows without orders
    :raises KaptureSettingsError: the date field needs windows of whole days, or ``at_least`` is invalid
    """

    def __init__(
        self,
        account: Account,
        query: OrderQuery,
        windows: Sequence[Window],
        stats: PullStats,
        at_least: int | None = None,
        *,
        proves_empty: bool = True,
    ) -> None:
        self._account = account
        self._query = query
        self._stats = stats
        self._at_least = at_least
        if at_least is not None and (type(at_least) is not int or at_least < 1):
            raise KaptureSettingsError(f"`at_least` is {at_least!r}: it must be a whole number of at least 1")
        self._knowledge = AccountKnowledge()
        self._windows = windows
        self._listings = deque(self._listings_of(windows))
        self._proves_empty = proves_empty
        self._has_orders = False  # whether a response contained an order, also outside the windows
        self._has_first_page = False
        self._has_later_orders = False  # whether a completed page shows that the first listing has not ended
        self._checks = PullChecks(account, query, self._knowledge, proves_empty=proves_empty)
        self._cut = WindowCut(account, query, stats, self._checks.end_date)

    def _listings_of(self, windows: Sequence[Window]) -> Iterator[DayListing]:
        number = itertools.count()
        for window in windows:
            self._check_edges(window)
            days = ranges(window.dates(), self._account.dialect.max_days_per_request)
            for each in days:
                yield DayListing(next(number), window, each, self._paginate, each is days[-1])

    def _paginate(self) -> AnchoredPaginator | UnpagedListing:
        dialect, knowledge = self._account.dialect, self._knowledge
        if dialect.paging == Paging.NONE or knowledge.is_unpaged:
            return UnpagedListing(dialect.page_size, knowledge)
        return AnchoredPaginator(dialect.page_size, paging=Paging(dialect.paging), knowledge=knowledge)

    def _check_edges(self, window: Window) -> None:
        if self._query.dates.cut_by is None and not window.is_whole_days():
            raise KaptureSettingsError(
                f"A window by {self._query.date_field!r} must consist of whole days of the account "
                f"({self._account.dialect.timezone}), because orders contain no instant of that date; it is "
                f"[{window.start.isoformat()}, {window.end.isoformat()})"
            )

    @property
    def done(self) -> bool:
        """Whether all orders were delivered."""
        return not self._listings

    def requests(self) -> list[ListingRequest]:
        """Return the requests that may be in flight now; the first is the page that is processed next."""
        # The first request is sent alone, so that wrong settings cost one request only.
        max_requests = self._account.dialect.max_concurrency if self._has_first_page else 1
        if self._at_least is not None:
            max_requests = min(
                max_requests, max(-(-(self._at_least - self._stats.rows) // self._account.dialect.page_size), 1)
            )
        found: list[ListingRequest] = []
        waiting = 0
        for listing in self._listings:
            # As many pages again may be buffered; this limits the memory.
            if waiting >= max_requests or len(found) >= 2 * max_requests:
                break
            requested = listing.requests(1 if found else min(max_requests, 1 + self._read_ahead(listing)))
            waiting += len(requested)
            found += [*(request for request, _ in listing.buffered), *requested]
        return found

    def _read_ahead(self, listing: DayListing) -> int:
        """Return the number of pages that the first listing may read ahead.

        To limit requests beyond the end of a listing, only pages that probably exist are read ahead: up to three
        quarters of the pages of the latest listings, or more once this listing is longer than all of them. This depends
        on pages that were processed, not on when responses arrive, so the number of requests is the same each time.
        """
        taken = listing.pages.pages
        pages = [each * listing.days.count for each in self._stats.pages]
        likely = int(min(pages, default=0) * 3 / 4) - taken
        spare = self._account.dialect.max_concurrency - 1 - self._stats.overshoot
        return max(likely, spare if taken > max(pages, default=0) else 0, 0)

    def process_ahead(self, completed: Mapping[ListingRequest, Page]) -> None:
        """Process completed pages of later listings, so that days are read in parallel and delivered in order.

        :param completed: pages that have arrived
        """
        head = self._listings[0]
        self._has_later_orders = not head.is_read and head.has_later_orders(completed)
        for listing in itertools.islice(self._listings, 1, None):
            listing.process_ahead(completed)

    def handle_page(self, page: Page) -> OrderBatch:
        """Return the orders of the page of the first request.

        :raises KaptureListingError: the pages do not add up to one listing
        :raises KaptureDialectError: an order outside the requested days
        :raises KaptureShapeError: an order without a usable `createDate`
        """
        self._has_first_page = True
        self._has_orders = self._has_orders or bool(page.keys)
        listing = self._listings[0]
        fresh = listing.handle_page(page, has_later_orders=self._has_later_orders)
        self._checks.first_page.see(page)
        in_window = self._cut.cut(listing.window, listing.days, page, fresh)
        self._stats.rows += len(in_window)
        if page.repaired:
            self._stats.repaired += len(page.repaired.intersection(in_window))
        return OrderBatch(pick(page.raws, in_window), self._settle(listing, page))

    def _settle(self, listing: DayListing, page: Page | None = None) -> Window | None:
        """Update the counters from a listing, and remove it if it is complete.

        :return: the window that ends with the listing; None if there is none
        """
        pages = listing.pages
        self._stats.restarts += pages.restarts - listing.restarts
        listing.restarts = pages.restarts
        if not listing.is_over:
            return None
        self._stats.overshoot += pages.overshoot
        self._stats.pages.append(pages.pages / listing.days.count)
        self._stats.days += listing.days.count
        self._warn(*pages.warnings)
        self._knowledge.is_offset_proven = self._knowledge.is_offset_proven or pages.is_offset_proven
        if isinstance(pages, UnpagedListing) or self._knowledge.is_unpaged:
            self._checks.caps.see(listing.days, pages.rows)
        elif pages.is_repeated:
            self._checks.caps.see_single(listing.days, page)
        listing.close()
        self._listings.popleft()
        return listing.window if listing.is_last else None

    def steps(self) -> PullSteps:
        """Yield the requests to carry out, and batches of orders.

        Send a :class:`Fetched` for each :class:`FetchPages` and :class:`CheckPage`, and None for an
        :class:`OrderBatch`.

        :raises KaptureError: the pull is not complete
        """
        try:
            # Ends of windows without orders, held back until there is an order or the windows are proven empty.
            held: deque[OrderBatch] = deque()
            yield from self._read(held)
            if held:
                yield from self._checks.check_end_dates(_ends(held))
                yield from self._prove_empty(held)
            if self._has_orders and not self._stats.rows:
                self._stats.empty_proof = PROVEN
            yield from held
        finally:
            self.close()

    def _read(self, held: deque[OrderBatch]) -> PullSteps:
        """Read every listing.

        :param held: receives the ends of windows before the first order
        """
        while not self.done:
            fetched = yield from fetch_step(FetchPages(self.requests()))
            if fetched.error is not None:
                yield from self._handle_refusal(fetched.error)
                batch = OrderBatch((), self._settle(self._listings[0]))
            else:
                self.process_ahead(fetched.completed)
                batch = self.handle_page(fetched.result())
            is_held = self._proves_empty and not self._has_orders
            if batch.ends is not None:
                yield from self._checks.check_paging(batch.ends)
                if is_held:
                    held.append(batch)
                else:
                    yield from self._checks.check_end_date(batch.ends)
            if is_held:
                continue
            yield from self._checks.check_end_dates(_ends(held))
            while held:
                yield held.popleft()
            if batch.raws or batch.ends is not None:
                yield batch

    def _prove_empty(self, held: deque[OrderBatch]) -> PullSteps:
        """Prove that windows without orders are empty, or read them again if they are not.

        :param held: ends of the windows
        :raises KaptureError: the account misreads the requests
        """
        proof = yield from self._checks.prove_empty(self._windows)
        if proof.contradicts:
            held.clear()
            self._stats.days = 0
            self._listings = deque(self._listings_of(self._windows))
            yield from self._read(held)
            if held:
                raise unsteady_error(self._windows)
        else:
            self._stats.empty_proof = proof.kind
            if proof.warning is not None:
                self._warn(proof.warning)
            elif self._query.date_field != "create":
                log.info("No orders. An empty result by %r dates cannot be proven", self._query.date_field)
            if self._query.body:
                log.info("No orders. The proof covers requests without filters and `extra_body`, not these themselves")

    def _handle_refusal(self, error: KaptureError) -> PullSteps:
        """Continue after a refused request, which may be the end of the listing.

        :raises KaptureError: the error is not a refusal, or not the end of the listing
        """
        listing = self._listings[0]
        is_broken = isinstance(error, KaptureBusyError) and error.status in _BROKEN
        is_refused = isinstance(error, KaptureRefusedError) and error.status in _REFUSED and not error.is_login_page
        if not (is_broken or is_refused):
            raise error
        assert isinstance(error, KaptureBusyError | KaptureRefusedError)
        first_page = self._checks.first_page
        if not listing.pages.current_request.first_row and not is_broken and first_page.is_due:
            fetched = yield from self._checks.fetch(first_page.begin(listing.days))
            if fetched.page is not None:
                first_page.check(fetched.page)
        listing.refuse(error)

    def _warn(self, *warnings: str) -> None:
        for each in warnings:
            log.warning(each)
        self._stats.warnings += warnings

    def close(self) -> None:
        """Release what the paginators hold."""
        for listing in self._listings:
            listing.close()
        self._cut.close()


def _ends(batches: Sequence[OrderBatch]) -> list[Window]:
    """Return the windows that end with some batches."""
    return [each.ends for each in batches if each.ends is not None]
