"""KaptureClient: moves bytes with requests, several pages at a time; decides nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_kapture.client.api.failures import Response
from airflow_provider_kapture.client.api.records import to_dict
from airflow_provider_kapture.client.api.request import OrderQuery
from airflow_provider_kapture.client.api.response import Page
from airflow_provider_kapture.client.base import BaseClient
from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.days import DayRange, Window, WindowEdge
from airflow_provider_kapture.client.fetch.throttle import Throttle
from airflow_provider_kapture.client.fetch.workers import WorkerPool
from airflow_provider_kapture.client.pull.stats import PullStats
from airflow_provider_kapture.client.pull.steps import Fetched, OrderBatch, next_step
from airflow_provider_kapture.client.transport.cookies import PullCookies

if TYPE_CHECKING:
    from airflow_provider_kapture.client.transport.requests_transport import RequestsTransport

# Seconds that closing waits for threads whose connection was broken off; one that resolves a name can't be.
_CLOSE_TIMEOUT = 1.0


class KaptureClient(BaseClient):
    """Pulls of orders from one account. A context manager; the connections are pooled for as long as it is open.

    :param account: where, who and the account's dialect
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
        """End what pulls there are, and give the connections back."""
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
        """Orders of the half-open window, each once, as dicts, in a stable order; a few pages are held at a time.

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
        """Return how many orders the window has; reading stops once ``at_least`` are seen.

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
        """The orders of windows, one window after another, as Kapture sent them, batch by batch.

        :param stats: counts what is done while it is done
        :param at_least: how many orders the caller will take: few pages are read beyond them
        :param proves_empty: whether to prove windows without orders before they end, with up to three more requests
        :raises KaptureError: the pull is not complete; what came before is not all there is
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

        :param days: none for a few orders of any date, of at most 1 MiB
        :param is_control: whether the query's filters and body keys are left out
        :param cookies: those of the pull that the page belongs to
        :raises KaptureError: the error that the answer is instead
        """
        query = OrderQuery() if is_control else query
        body, max_bytes = self._body(query, days, offset, limit), self._max_bytes(days)
        return self._page(query, self.send(body, cookies, max_bytes))

    def send(self, body: bytes, cookies: PullCookies | None = None, max_bytes: int | None = None) -> Response:
        """Send one request, without retries; return the complete response, whatever it says.

        :param cookies: those of the pull that the request belongs to
        :param max_bytes: the most that the response may unpack to; ``max_response_bytes`` if none
        :raises KaptureSettingsError: the environment names a proxy or a CA bundle that will not do
        :raises KaptureTransportError: no whole answer came
        :raises KaptureShapeError: it is packed in a way that was not asked for, or unpacks to too much
        """
        with self._opening:
            if self._transport is None:
                from airflow_provider_kapture.client.transport.requests_transport import RequestsTransport

                self._transport = RequestsTransport(self.account)
            transport = self._transport
        return transport.send(body, cookies, max_bytes)
