"""The tasks that bring the pages of a pull, and the one way to Kapture that they share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import tenacity

from airflow_provider_kapture.client.api.response import Page
from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.days import DayRange
from airflow_provider_kapture.client.errors import KaptureError
from airflow_provider_kapture.client.fetch.retry import async_retrying
from airflow_provider_kapture.client.fetch.throttle import AsyncThrottle
from airflow_provider_kapture.client.pull.listing import ListingRequest
from airflow_provider_kapture.client.pull.stats import PullStats
from airflow_provider_kapture.client.pull.steps import CheckPage, Fetched, FetchPages
from airflow_provider_kapture.client.transport.network_errors import cancelled_error


class AsyncWorkerPool:
    """The tasks of one pull.

    :param fetch: gets a page of some days, and does not try again
    :param stats: counts requests and retries
    """

    def __init__(
        self,
        account: Account,
        throttle: AsyncThrottle,
        fetch: Callable[..., Awaitable[Page]],
        stats: PullStats,
    ) -> None:
        self._account = account
        self._throttle = throttle
        self._fetch = fetch
        self._stats = stats
        self._is_closed = False
        self._in_flight: dict[ListingRequest, asyncio.Task[Page]] = {}

    def submit_missing(self, requests: Sequence[ListingRequest]) -> None:
        """Ask for pages that were not asked for yet. Answers to listings that are over are not held."""
        if self._is_closed:
            return
        pending = self._in_flight.items()
        obsolete = [each for each, page in pending if page.done() and each.listing < requests[0].listing]
        for each in obsolete:
            del self._in_flight[each]
        for request in requests:
            if request not in self._in_flight:
                page = self.fetch(request.days, request.page.offset, request.page.limit)
                task = self._in_flight[request] = asyncio.create_task(page, name="kapture-page")
                # Of one that is wanted no more nobody takes the failure.
                task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())

    async def carry_out(self, step: FetchPages | CheckPage) -> Fetched:
        """Fetch what a step of the pull needs. A failure of a page is raised where the pull needs that page."""
        try:
            if isinstance(step, CheckPage):
                return Fetched(await self.check(step))
            self.submit_missing(step.requests)
            return Fetched(await self.result(step.requests[0]), completed=self.completed())
        except KaptureError as error:
            return Fetched(error=error)

    async def result(self, request: ListingRequest) -> Page:
        """Wait for a page that was asked for, and hold it no longer."""
        task = self._in_flight.get(request)
        if task is not None:
            await asyncio.wait((task,))
        if task is None or task.cancelled():
            raise cancelled_error()
        del self._in_flight[request]
        return task.result()

    def completed(self) -> dict[ListingRequest, Page]:
        """The pages that are there."""
        done = {each: page for each, page in self._in_flight.items() if page.done() and not page.cancelled()}
        return {each: page.result() for each, page in done.items() if page.exception() is None}

    async def close(self) -> None:
        self._is_closed = True
        tasks = tuple(self._in_flight.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def fetch(self, days: DayRange, offset: int, limit: int | None = None) -> Page:
        """Fetch a page of a listing, with retries."""
        return await self._retry(async_retrying(self._account), partial(self._fetch, days, offset, limit))

    async def check(self, step: CheckPage) -> Page:
        """Fetch the page of a check, with the retries that it allows."""
        policy = async_retrying(self._account, optional=step.optional, is_single=step.days is None)
        return await self._retry(
            policy, partial(self._fetch, step.days, step.offset, step.limit, is_control=step.is_control)
        )

    async def _retry(self, policy: tenacity.AsyncRetrying, fetch: Callable[[], Awaitable[Page]]) -> Page:
        async for attempt in policy:
            with attempt:
                async with self._throttle.passing(self._stats, attempt.retry_state.attempt_number):
                    return await fetch()
        raise AssertionError  # the policy reraises
