"""The threads that bring the pages of a pull, and the one way to Kapture that they share."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial

import tenacity

from airflow_provider_kapture.client.api.response import Page
from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.days import DayRange
from airflow_provider_kapture.client.errors import KaptureError
from airflow_provider_kapture.client.fetch.retry import retrying
from airflow_provider_kapture.client.fetch.throttle import Throttle
from airflow_provider_kapture.client.pull.listing import ListingRequest
from airflow_provider_kapture.client.pull.stats import PullStats
from airflow_provider_kapture.client.pull.steps import CheckPage, Fetched, FetchPages


class WorkerPool:
    """The threads of one pull. Daemons: a pull that is given up holds nobody up.

    :param fetch: gets a page of some days, and does not try again
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
        self._in_flight: dict[ListingRequest, Future[Page]] = {}
        self._max_workers = account.dialect.max_concurrency

    def submit_missing(self, requests: Sequence[ListingRequest]) -> None:
        """Ask for pages that were not asked for yet. Answers to listings that are over are not held."""
        pending = self._in_flight.items()
        obsolete = [each for each, page in pending if page.done() and each.listing < requests[0].listing]
        for each in obsolete:
            del self._in_flight[each]
        for request in requests:
            if request not in self._in_flight:
                self._in_flight[request] = self._submit(request)

    def carry_out(self, step: FetchPages | CheckPage) -> Fetched:
        """Fetch what a step of the pull needs. A failure of a page is raised where the pull needs that page."""
        try:
            if isinstance(step, CheckPage):
                return Fetched(self.check(step))
            self.submit_missing(step.requests)
            return Fetched(self.result(step.requests[0]), completed=self.completed())
        except KaptureError as error:
            return Fetched(error=error)

    def result(self, request: ListingRequest) -> Page:
        """Wait for a page that was asked for, and hold it no longer."""
        return self._in_flight.pop(request).result()

    def completed(self) -> dict[ListingRequest, Page]:
        """The pages that are there."""
        done = {each: page for each, page in self._in_flight.items() if page.done() and page.exception() is None}
        return {each: page.result() for each, page in done.items()}

    def _submit(self, request: ListingRequest) -> Future[Page]:
        future: Future[Page] = Future()

        def job() -> None:
            try:
                future.set_result(self.fetch(request.days, request.page.offset, request.page.limit))
            except BaseException as error:  # noqa: BLE001 - it is raised where the result is taken
                future.set_exception(error)

        self._jobs.put(job)
        if len(self._threads) < self._max_workers:
            thread = threading.Thread(target=self._work, name="kapture-page", daemon=True)
            self._threads.append(thread)
            thread.start()
        return future

    def close(self) -> None:
        self._stop.set()
        for _ in self._threads:
            self._jobs.put(None)
        self._throttle.wake()

    @property
    def is_closed(self) -> bool:
        return self._stop.is_set()

    def join(self, until: float) -> bool:
        """Wait for the threads to end, until that moment at the latest; whether they have."""
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
        policy = retrying(self._account, optional=step.optional, is_single=step.days is None)
        return self._retry(policy, partial(self._fetch, step.days, step.offset, step.limit, is_control=step.is_control))

    def _retry(self, policy: tenacity.Retrying, fetch: Callable[[], Page]) -> Page:
        for attempt in policy.copy(sleep=self._stop.wait):
            number = attempt.retry_state.attempt_number
            with attempt, self._throttle.passing(self._stop, self._stats, number):
                return fetch()
        raise AssertionError  # the policy reraises
