"""The worker threads that fetch the pages of a pull.

The event loop's counterpart is :mod:`~airflow_provider_kapture.client.fetch.async_workers`. Which requests are sent is
decided by the pull, when by :mod:`~airflow_provider_kapture.client.fetch.throttle`, and how often by
:mod:`~airflow_provider_kapture.client.fetch.retry`.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

import tenacity

from airflow_provider_kapture.client.api.response import Page
from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.days import DayRange
from airflow_provider_kapture.client.errors import KaptureError
from airflow_provider_kapture.client.fetch.in_flight import InFlightRequests
from airflow_provider_kapture.client.fetch.retry import check_options, retrying
from airflow_provider_kapture.client.fetch.throttle import Throttle
from airflow_provider_kapture.client.pull.listing import ListingRequest
from airflow_provider_kapture.client.pull.stats import PullStats
from airflow_provider_kapture.client.pull.steps import CheckPage, Fetched, FetchPages


class WorkerPool:
    """Worker threads of one pull; daemonic, so that an abandoned pull does not block interpreter exit.

    :param fetch: fetches a page of some days, without retries
    :param stats: counts requests and retries
    """

    def __init__(self, account: Account, throttle: Throttle, fetch: Callable[..., Page], stats: PullStats) -> None:
        self._account = account
        self._throttle = throttle
        self._fetch = fetch
        self._stats = stats
        self._stop = threading.Event()
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._in_flight = InFlightRequests(self._submit)
        self._max_workers = account.dialect.max_concurrency

    def carry_out(self, step: FetchPages | CheckPage) -> Fetched:
        """Fetch what a step of the pull needs; the error of a page is returned for the step that needs that page."""
        try:
            if isinstance(step, CheckPage):
                return Fetched(self.check(step))
            self._in_flight.submit_missing(step.requests)
            page = self._in_flight.remove(step.requests[0]).result()
            return Fetched(page, completed=self._in_flight.completed())
        except KaptureError as error:
            return Fetched(error=error)

    def _submit(self, request: ListingRequest) -> Future[Page]:
        future: Future[Page] = Future()

        def job() -> None:
            try:
                future.set_result(self.fetch(request.days, request.page.offset, request.page.limit))
            except BaseException as error:  # noqa: BLE001 - raised where the result is taken
                future.set_exception(error)

        self._jobs.put(job)
        if len(self._threads) < self._max_workers:
            thread = threading.Thread(target=self._work, name="kapture-page", daemon=True)
            self._threads.append(thread)
            thread.start()
        return future

    def close(self) -> None:
        """Stop the threads after their current request; requests that wait for their turn are cancelled."""
        self._stop.set()
        for _ in self._threads:
            self._jobs.put(None)
        self._throttle.wake()

    @property
    def is_closed(self) -> bool:
        return self._stop.is_set()

    def join(self, until: float) -> bool:
        """Wait for the threads to end; return whether they have.

        :param until: when to stop waiting, on the monotonic clock
        """
        for each in self._threads:
            each.join(max(until - time.monotonic(), 0.0))
        return not any(each.is_alive() for each in self._threads)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    def fetch(self, days: DayRange, offset: int, limit: int | None = None) -> Page:
        """Fetch a page of a listing, with retries."""
        return self._retry(retrying(self._account), partial(self._fetch, days, offset, limit))

    def check(self, step: CheckPage) -> Page:
        """Fetch the page of a check, with the retries that it allows."""
        policy = retrying(self._account, **check_options(step))
        return self._retry(policy, partial(self._fetch, step.days, step.offset, step.limit, is_control=step.is_control))

    def _retry(self, policy: tenacity.Retrying, fetch: Callable[[], Page]) -> Page:
        for attempt in policy.copy(sleep=self._stop.wait):
            number = attempt.retry_state.attempt_number
            with attempt, self._throttle.passing(self._stop, self._stats, number):
                return fetch()
        raise AssertionError  # the policy reraises
