"""AsyncKaptureClient: moves bytes with aiohttp, several pages at a time; decides nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, closing
from functools import partial
from types import TracebackType
from typing import Any, Self

from airflow_provider_kapture.client.api.failures import Response
from airflow_provider_kapture.client.api.records import to_dict
from airflow_provider_kapture.client.api.request import OrderQuery
from airflow_provider_kapture.client.api.response import Page
from airflow_provider_kapture.client.base import BaseClient
from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.days import DayRange, Window, WindowEdge
from airflow_provider_kapture.client.errors import KaptureError
from airflow_provider_kapture.client.fetch.async_workers import AsyncWorkerPool
from airflow_provider_kapture.client.fetch.throttle import AsyncThrottle
from airflow_provider_kapture.client.pull.stats import PullStats
from airflow_provider_kapture.client.pull.steps import Fetched, OrderBatch, next_step
from airflow_provider_kapture.client.transport.aiohttp_transport import AiohttpTransport
from airflow_provider_kapture.client.transport.cookies import PullCookies


class AsyncKaptureClient(BaseClient):
    """Pulls of orders from one account, on an event loop. An asynchronous context manager.

    The connections are pooled for as long as it is open.

    :param account: origin, credentials and dialect of the account
    :param min_retry_wait: seconds from a failed request to the next one, at least
    """

    def __init__(self, account: Account, *, min_retry_wait: float = 0.0) -> None:
        super().__init__(account)
        self._min_retry_wait = min_retry_wait
        self._not_before = float("-inf")
        self._transport: AiohttpTransport | None = None
        self._opening = asyncio.Lock()
        self._throttle = AsyncThrottle(account)
        self._open_workers: set[AsyncWorkerPool] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End what pulls there are, and give the connections back."""
        for workers in tuple(self._open_workers):
            await workers.close()
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.close()

    async def iter_orders(
        self,
        window_start: WindowEdge,
        window_end: WindowEdge,
        *,
        date_field: str = "create",
        filters: Mapping[str, Any] | None = None,
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Orders of the half-open window, each once, as dicts, in a stable order; a few pages are held at a time.

        :raises KaptureError: the pull is not complete
        """
        query, windows = self._window_query(window_start, window_end, date_field, filters)
        async with aclosing(self.pull(query, windows)) as batches:
            async for batch in batches:
                for raw in batch.raws:
                    yield to_dict(raw)

    async def count_orders(
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
        async with aclosing(self.pull(query, windows, stats, at_least, proves_empty=proves_empty)) as batches:
            async for _ in batches:
                if at_least is not None and stats.rows >= at_least:
                    break
        return stats.rows

    async def pull(
        self,
        query: OrderQuery,
        windows: Sequence[Window],
        stats: PullStats | None = None,
        at_least: int | None = None,
        *,
        proves_empty: bool = True,
    ) -> AsyncGenerator[OrderBatch, None]:
        """The orders of windows, one window after another, as Kapture sent them, batch by batch.

        :param stats: counts what is done while it is done
        :param at_least: how many orders the caller will take: few pages are read beyond them
        :param proves_empty: whether to prove windows without orders before they end, with up to three more requests
        :raises KaptureError: the pull is not complete; what came before is not all there is
        """
        stats = PullStats() if stats is None else stats
        fetch = partial(self.fetch, query, cookies=PullCookies(self.account.origin))
        workers = AsyncWorkerPool(self.account, self._throttle, fetch, stats)
        self._open_workers.add(workers)
        fetched: Fetched | None = None
        try:
            with closing(self._steps(query, windows, stats, at_least, proves_empty=proves_empty)) as steps:
                while (step := next_step(steps, fetched)) is not None:
                    if isinstance(step, OrderBatch):
                        yield step
                        fetched = None
                    else:
                        fetched = await workers.carry_out(step)
        finally:
            await workers.close()
            self._open_workers.discard(workers)

    async def fetch(
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
        clock = asyncio.get_running_loop().time
        if (wait := self._not_before - clock()) > 0:
            await asyncio.sleep(wait)
        try:
            return self._page(query, await self.send(body, cookies, max_bytes))
        except KaptureError:
            self._not_before = clock() + self._min_retry_wait
            raise

    async def send(self, body: bytes, cookies: PullCookies | None = None, max_bytes: int | None = None) -> Response:
        """Send one request, without retries; return the complete response, whatever it says.

        :param cookies: those of the pull that the request belongs to
        :param max_bytes: the most that the response may unpack to; ``max_response_bytes`` if none
        :raises KaptureSettingsError: the environment names a proxy or a CA bundle that will not do
        :raises KaptureTransportError: no whole answer came
        :raises KaptureShapeError: it is packed in a way that was not asked for, or unpacks to too much
        """
        async with self._opening:
            if self._transport is None:
                self._transport = await AiohttpTransport.open(self.account)
            transport = self._transport
        return await transport.send(body, cookies, max_bytes)
