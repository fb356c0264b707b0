"""KaptureClient, the sync client: carries out the steps of pulls with threads and requests.

What to request and what a response means is decided in `pull/` and `api/`, for both clients alike.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from types import TracebackType
from typing import Any, Self

from airflow_provider_kapture.client.api.failures import Response
from airflow_provider_kapture.client.api.records import to_dict
from airflow_provider_kapture.client.api.request import OrderQuery, page_request
from airflow_provider_kapture.client.api.response import Page
from airflow_provider_kapture.client.base import BaseClient
from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.days import DayRange, Window, WindowEdge
from airflow_provider_kapture.client.fetch.throttle import Throttle
from airflow_provider_kapture.client.fetch.workers import WorkerPool
from airflow_provider_kapture.client.pull.stats import PullStats
from airflow_provider_kapture.client.pull.steps import Fetched, OrderBatch, next_step
from airflow_provider_kapture.client.transport.cookies import PullCookies
from airflow_provider_kapture.client.transport.requests_transport import RequestsTransport

# Seconds that closing waits for threads. A thread that is resolving a name cannot be interrupted.
_CLOSE_TIMEOUT = 1.0


class KaptureClient(BaseClient):
    """Client of one account. A context manager with one pool of connections.

    :param account: origin, credentials and dialect of the account
    """

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self._transport: RequestsTransport | None = None
        self._opening = threading.Lock()
        self._throttle = Throttle(account)
        self._open_workers: set[WorkerPool] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Cancel all pulls and close the connections."""
        workers = tuple(self._open_workers)
        for each in workers:
            each.close()
        with self._opening:
            transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()
        until = time.monotonic() + _CLOSE_TIMEOUT
        for each in workers:
            if each.join(until):
                self._open_workers.discard(each)

    def iter_orders(
        self,
        window_start: WindowEdge,
        window_end: WindowEdge,
        *,
        date_field: str = "create",
        filters: Mapping[str, Any] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield the orders of the half-open window as dicts, each once, in a stable order and in bounded memory.

        :param window_start: aware datetime, ISO 8601 text or date; without an offset in the account's time zone
        :param window_end: likewise; exclusive
        :param date_field: date that the window applies to, such as ``create`` or ``booking``
        :param filters: filter names of the vendor's page to values
        :raises KaptureError: the pull is not complete
        """
        query, windows = self._window_query(window_start, window_end, date_field, filters)
        return (to_dict(raw) for batch in self.pull(query, windows) for raw in batch.raws)

    def count_orders(
        self,
        window_start: WindowEdge,
        window_end: WindowEdge,
        *,
        date_field: str = "create",
        filters: Mapping[str, Any] | None = None,
        at_least: int | None = None,
        proves_empty: bool = True,
    ) -> int:
        """Return the number of orders in the window.

        :param window_start: aware datetime, ISO 8601 text or date; without an offset in the account's time zone
        :param window_end: likewise; exclusive
        :param date_field: date that the window applies to, such as ``create`` or ``booking``
        :param filters: filter names of the vendor's page to values
        :param at_least: number of orders at which reading stops; None to count all
        :param proves_empty: whether to prove a count of 0, with up to three more requests
        :raises KaptureError: the pull is not complete
        """
        query, windows = self._window_query(window_start, window_end, date_field, filters)
        stats = PullStats()
        batches = self.pull(query, windows, stats, at_least, proves_empty=proves_empty)
        try:
            for _ in batches:
                if at_least is not None and stats.rows >= at_least:
                    break
        finally:
            batches.close()
        return stats.rows

    def pull(
        self,
        query: OrderQuery,
        windows: Sequence[Window],
        stats: PullStats | None = None,
        at_least: int | None = None,
        *,
        proves_empty: bool = True,
    ) -> Generator[OrderBatch, None, None]:
        """Yield the orders of windows in batches, window by window, each as JSON as Kapture sent it.

        :param query: date field, filters and body keys
        :param windows: adjacent or separate windows, in ascending order
        :param stats: counters to update during the pull
        :param at_least: number of orders that the caller needs, which limits the pages read ahead; None for all
        :param proves_empty: whether to prove windows without orders, with up to three more requests
        :raises KaptureError: the pull is not complete; the batches before the error are not all orders
        """
        stats = PullStats() if stats is None else stats
        workers = self._open(query, stats)
        fetched: Fetched | None = None
        with (
            closing(workers),
            closing(self._steps(query, windows, stats, at_least, proves_empty=proves_empty)) as steps,
        ):
            while (step := next_step(steps, fetched)) is not None:
                if isinstance(step, OrderBatch):
                    yield step
                    fetched = None
                else:
                    fetched = workers.carry_out(step)

    def _open(self, query: OrderQuery, stats: PullStats) -> WorkerPool:
        now = time.monotonic()
        self._open_workers -= {each for each in tuple(self._open_workers) if each.is_closed and each.join(now)}
        fetch = partial(self.fetch, query, cookies=PullCookies(self.account.origin))
        workers = WorkerPool(self.account, self._throttle, fetch, stats)
        self._open_workers.add(workers)
        return workers

    def fetch(
        self,
        query: OrderQuery,
        days: DayRange | None,
        offset: int,
        limit: int | None = None,
        *,
        is_control: bool = False,
        cookies: PullCookies | None = None,
    ) -> Page:
        """Fetch one page, without retries.

        :param days: days to request; None for the control query: a few orders of any date, of at most 1 MiB
        :param offset: what the account's ``paging`` counts
        :param limit: rows; ``page_size`` if None
        :param is_control: whether to leave out the query's filters and body keys
        :param cookies: cookies of the pull
        :raises KaptureError: the response is not a page, or there was none
        """
        query = OrderQuery() if is_control else query
        body, max_bytes = page_request(self.account, query, days, offset, limit)
        return self._page(query, self.send(body, cookies, max_bytes))

    def send(self, body: bytes, cookies: PullCookies | None = None, max_bytes: int | None = None) -> Response:
        """Send one request, without retries, and return the complete response, whatever its status.

        :param body: request body
        :param cookies: cookies of the pull
        :param max_bytes: largest decompressed response; ``max_response_bytes`` if None
        :raises KaptureSettingsError: the environment names an unusable proxy or CA bundle
        :raises KaptureTransportError: there was no complete response
        :raises KaptureShapeError: the response has another encoding than requested, or is too large
        """
        with self._opening:
            if self._transport is None:
                self._transport = RequestsTransport(self.account)
            transport = self._transport
        return transport.send(body, cookies, max_bytes)
