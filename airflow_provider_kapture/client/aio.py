"""AsyncKaptureClient: moves bytes with aiohttp, several pages at a time; decides nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, closing
from functools import partial
from types import TracebackType
from typing import Any, Self

from airflow_provider_kapture.client.account import Account
from airflow_provider_kapture.client.aio_lanes import Gate, Lanes
from airflow_provider_kapture.client.aio_wire import Line
from airflow_provider_kapture.client.base import BaseClient
from airflow_provider_kapture.client.days import DayRange, Window, WindowEdge
from airflow_provider_kapture.client.dicts import as_dict
from airflow_provider_kapture.client.protocol import Answer, Page, Question
from airflow_provider_kapture.client.pull import Batch, Fetched, Tally, next_step


class AsyncKaptureClient(BaseClient):
    """Pulls of orders from one account, on an event loop. An asynchronous context manager.

    The connections are pooled for as long as it is open.

    :param account: where, who and the account's dialect
    """

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self._line: Line | None = None
        self._opening = asyncio.Lock()
        self._gate = Gate(account)
        self._open_lanes: set[Lanes] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End what pulls there are, and give the connections back."""
        for lanes in tuple(self._open_lanes):
            await lanes.close()
        line, self._line = self._line, None
        if line is not None:
            await line.close()

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
        asked, windows = self._window_query(window_start, window_end, date_field, filters)
        async with aclosing(self.pull(asked, windows)) as batches:
            async for batch in batches:
                for raw in batch.raws:
                    yield as_dict(raw)

    async def count_orders(
        self,
        window_start: WindowEdge,
        window_end: WindowEdge,
        *,
        date_field: str = "create",
        filters: Mapping[str, Any] | None = None,
        at_least: int | None = None,
    ) -> int:
        """How many orders the window has; reading stops once ``at_least`` are seen.

        :raises KaptureError: the pull is not complete
        """
        asked, windows = self._window_query(window_start, window_end, date_field, filters)
        tally = Tally()
        async with aclosing(self.pull(asked, windows, tally, at_least)) as batches:
            async for _ in batches:
                if at_least is not None and tally.rows >= at_least:
                    break
        return tally.rows

    async def pull(
        self, asked: Question, windows: Sequence[Window], tally: Tally | None = None, enough: int | None = None
    ) -> AsyncGenerator[Batch, None]:
        """The orders of windows, one window after another, as Kapture sent them, batch by batch.

        :param tally: counts what is done while it is done
        :param enough: how many orders the caller will take: few pages are read beyond them
        :raises KaptureError: the pull is not complete; what came before is not all there is
        """
        tally = Tally() if tally is None else tally
        lanes = Lanes(self.account, self._gate, partial(self.fetch, asked), tally)
        self._open_lanes.add(lanes)
        fetched: Fetched | None = None
        try:
            with closing(self._steps(asked, windows, tally, enough)) as steps:
                while (step := next_step(steps, fetched)) is not None:
                    if isinstance(step, Batch):
                        yield step
                        fetched = None
                    else:
                        fetched = await lanes.carry_out(step)
        finally:
            await lanes.close()
            self._open_lanes.discard(lanes)

    async def fetch(self, asked: Question, days: DayRange, offset: int, limit: int | None = None) -> Page:
        """One page, asked for once: no retry.

        :raises KaptureError: the error that the answer is instead
        """
        return self._page(asked, await self.send(self._body(asked, days, offset, limit)))

    async def send(self, body: bytes) -> Answer:
        """One request, and the whole answer to it, whatever it says: no retry.

        :raises KaptureSettingsError: the environment names a proxy or a CA bundle that will not do
        :raises KaptureTransportError: no whole answer came
        :raises KaptureShapeError: it is packed in a way that was not asked for, or unpacks to too much
        """
        async with self._opening:
            if self._line is None:
                self._line = await Line.to(self.account)
            line = self._line
        return await line.send(body)
