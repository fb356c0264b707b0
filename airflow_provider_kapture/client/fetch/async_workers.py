"""The tasks that fetch the pages of a pull on an event loop.

The counterpart with threads is :mod:`~airflow_provider_kapture.client.fetch.workers`; both share every decision.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import tenacity

from airflow_provider_kapture.client.api.response import Page
from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.days import DayRange
from airflow_provider_kapture.client.errors import KaptureError
from airflow_provider_kapture.client.fetch.in_flight import InFlightRequests
from airflow_provider_kapture.client.fetch.retry import async_retrying, check_options
from airflow_provider_kapture.client.fetch.throttle import AsyncThrottle
from airflow_provider_kapture.client.pull.listing import ListingRequest
from airflow_provider_kapture.client.pull.stats import PullStats
from airflow_provider_kapture.client.pull.steps import CheckPage, Fetched, FetchPages
from airflow_provider_kapture.client.transport.network_errors import cancelled_error


class AsyncWorkerPool:
    """The tasks of one pull.

    :param fetch: fetches a page of some days, without retries
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
        self._in_flight = InFlightRequests(self._submit)

    async def carry_out(self, step: FetchPages | CheckPage) -> Fetched:
        """Fetch what a step of the pull needs; the error of a page is returned for the step that needs that page."""
        try:
            if isinstance(step, CheckPage):
                return Fetched(await self.check(step))
            if not self._is_closed:
                self._in_flight.submit_missing(step.requests)
            page = await self._result(step.requests[0])
            return Fetched(page, completed=self._in_flight.completed())
        except KaptureError as error:
            return Fetched(error=error)

    async def _result(self, request: ListingRequest) -> Page:
        """Wait for a page, and hold it no longer."""
        task = self._in_flight.get(request)
        if task is not None:
            await asyncio.wait((task,))
        if task is None or task.cancelled():
            raise cancelled_error()
        return self._in_flight.remove(request).result()

    def _submit(self, request: ListingRequest) -> asyncio.Task[Page]:
        page = self.fetch(request.days, request.page.offset, request.page.limit)
        task = asyncio.create_task(page, name="kapture-page")
        # Retrieve the exception of a page that is no longer needed, which asyncio would log otherwise.
        task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        return task

    async def close(self) -> None:
        """Cancel all requests."""
        self._is_closed = True
        for task in self._in_flight.futures:
            task.cancel()
        await asyncio.gather(*self._in_flight.futures, return_exceptions=True)

    async def fetch(self, days: DayRange, offset: int, limit: int | None = None) -> Page:
        """Fetch a page of a listing, with retries."""
        return await self._retry(async_retrying(self._account), partial(self._fetch, days, offset, limit))

    async def check(self, step: CheckPage) -> Page:
        """Fetch the page of a check, with the retries that it allows."""
        policy = async_retrying(self._account, **check_options(step))
        return await self._retry(
            policy, partial(self._fetch, step.days, step.offset, step.limit, is_control=step.is_control)
        )

    async def _retry(self, policy: tenacity.AsyncRetrying, fetch: Callable[[], Awaitable[Page]]) -> Page:
        async for attempt in policy:
            with attempt:
                async with self._throttle.passing(self._stats, attempt.retry_state.attempt_number):
                    return await fetch()
        raise AssertionError  # the policy reraises
