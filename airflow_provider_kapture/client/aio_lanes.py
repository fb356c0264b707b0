"""The tasks that bring the pages of a pull, and the one way to Kapture that they share."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from airflow_provider_kapture.client.account import Account
from airflow_provider_kapture.client.days import DayRange
from airflow_provider_kapture.client.errors import KaptureError
from airflow_provider_kapture.client.flow import Flow
from airflow_provider_kapture.client.listing import Request
from airflow_provider_kapture.client.protocol import Page
from airflow_provider_kapture.client.pull import CheckPage, Fetched, FetchPages, Tally
from airflow_provider_kapture.client.retry import async_policy
from airflow_provider_kapture.client.transport import stopped_error


class Gate:
    """The one way to Kapture of all tasks of a client, and the flow that it lets through."""

    def __init__(self, account: Account) -> None:
        self._flow = Flow.of(account)
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def passing(self, tally: Tally, attempt: int) -> AsyncGenerator[None, None]:
        """Wait for one's turn, and count as on the way until it is over."""
        clock = asyncio.get_running_loop().time
        await self._turn(clock)
        tally.requests += 1
        tally.retries += attempt > 1
        failure: KaptureError | None = None
        try:
            yield
        except KaptureError as error:
            failure = error
            raise
        finally:
            self._flow.end(clock(), failure)
            async with self._changed:
                self._changed.notify_all()

    async def _turn(self, clock: Callable[[], float]) -> None:
        while True:
            async with self._changed:
                while math.isinf(pause := self._flow.pause(clock())):
                    await self._changed.wait()
                if not pause:
                    self._flow.start(clock())
                    return
            await asyncio.sleep(pause)


class Lanes:
    """The tasks of one pull.

    :param fetch: gets a page of some days, and does not try again
    :param tally: counts requests and retries
    """

    def __init__(
        self, account: Account, gate: Gate, fetch: Callable[[DayRange, int, int | None], Awaitable[Page]], tally: Tally
    ) -> None:
        self._account = account
        self._gate = gate
        self._fetch = fetch
        self._tally = tally
        self._is_closed = False
        self._on_their_way: dict[Request, asyncio.Task[Page]] = {}

    def want(self, wanted: Sequence[Request]) -> None:
        """Ask for pages that were not asked for yet. Answers to listings that are over are not held."""
        if self._is_closed:
            return
        held = self._on_their_way.items()
        in_vain = [each for each, page in held if page.done() and each.listing < wanted[0].listing]
        for each in in_vain:
            del self._on_their_way[each]
        for request in wanted:
            if request not in self._on_their_way:
                page = self.fetch(request.days, request.page.offset, request.page.limit)
                task = self._on_their_way[request] = asyncio.create_task(page, name="kapture-page")
                # Of one that is wanted no more nobody takes the failure.
                task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())

    async def carry_out(self, step: FetchPages | CheckPage) -> Fetched:
        """Fetch what a step of the pull needs. A failure of a page is raised where the pull needs that page."""
        try:
            if isinstance(step, CheckPage):
                return Fetched(await self.fetch(step.days, step.offset, step.limit, is_optional=step.is_optional))
            self.want(step.requests)
            return Fetched(await self.result(step.requests[0]), completed=self.arrived())
        except KaptureError as error:
            return Fetched(error=error)

    async def result(self, request: Request) -> Page:
        """Wait for a page that was asked for, and hold it no longer."""
        task = self._on_their_way.get(request)
        if task is not None:
            await asyncio.wait((task,))
        if task is None or task.cancelled():
            raise stopped_error()
        del self._on_their_way[request]
        return task.result()

    def arrived(self) -> dict[Request, Page]:
        """The pages that are there."""
        done = {each: page for each, page in self._on_their_way.items() if page.done() and not page.cancelled()}
        return {each: page.result() for each, page in done.items() if page.exception() is None}

    async def close(self) -> None:
        self._is_closed = True
        tasks = tuple(self._on_their_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def fetch(self, days: DayRange, offset: int, limit: int | None = None, *, is_optional: bool = False) -> Page:
        async for attempt in async_policy(self._account, is_optional=is_optional):
            with attempt:
                async with self._gate.passing(self._tally, attempt.retry_state.attempt_number):
                    return await self._fetch(days, offset, limit)
        raise AssertionError  # the policy reraises
