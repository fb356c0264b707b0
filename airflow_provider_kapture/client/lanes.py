"""The threads that bring the pages of a pull, and the one way to Kapture that they share."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager

from airflow_provider_kapture.client.account import Account
from airflow_provider_kapture.client.days import DayRange
from airflow_provider_kapture.client.errors import KaptureError
from airflow_provider_kapture.client.flow import Flow
from airflow_provider_kapture.client.listing import Request
from airflow_provider_kapture.client.protocol import Page
from airflow_provider_kapture.client.pull import CheckPage, Fetched, FetchPages, Tally
from airflow_provider_kapture.client.retry import policy
from airflow_provider_kapture.client.transport import stopped_error


class Gate:
    """The one way to Kapture of all threads of a client, and the flow that it lets through."""

    def __init__(self, account: Account) -> None:
        self._flow = Flow.of(account)
        self._changed = threading.Condition()

    @contextmanager
    def passing(self, stop: threading.Event, tally: Tally, attempt: int) -> Iterator[None]:
        """Wait for one's turn, and count as on the way until it is over.

        :raises KaptureTransportError: ``stop`` was set
        """
        with self._changed:
            while not stop.is_set() and (pause := self._flow.pause(time.monotonic())):
                self._changed.wait(pause if math.isfinite(pause) else None)
            if stop.is_set():
                raise stopped_error()
            self._flow.start(time.monotonic())
            tally.requests += 1
            tally.retries += attempt > 1
        failure: KaptureError | None = None
        try:
            yield
        except KaptureError as error:
            failure = error
            raise
        finally:
            with self._changed:
                self._flow.end(time.monotonic(), failure)
                self._changed.notify_all()

    def wake(self) -> None:
        """Have those that wait look whether they are to stop."""
        with self._changed:
            self._changed.notify_all()


class Lanes:
    """The threads of one pull. Daemons: a pull that is given up holds nobody up.

    :param fetch: gets a page of some days, and does not try again
    :param tally: counts requests and retries
    """

    def __init__(
        self, account: Account, gate: Gate, fetch: Callable[[DayRange, int, int | None], Page], tally: Tally
    ) -> None:
        self._account = account
        self._gate = gate
        self._fetch = fetch
        self._tally = tally
        self._stop = threading.Event()
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._on_their_way: dict[Request, Future[Page]] = {}
        self._most = account.dialect.max_concurrency

    def want(self, wanted: Sequence[Request]) -> None:
        """Ask for pages that were not asked for yet. Answers to listings that are over are not held."""
        held = self._on_their_way.items()
        in_vain = [each for each, page in held if page.done() and each.listing < wanted[0].listing]
        for each in in_vain:
            del self._on_their_way[each]
        for request in wanted:
            if request not in self._on_their_way:
                self._on_their_way[request] = self._submit(request)

    def carry_out(self, step: FetchPages | CheckPage) -> Fetched:
        """Fetch what a step of the pull needs. A failure of a page is raised where the pull needs that page."""
        try:
            if isinstance(step, CheckPage):
                return Fetched(self.fetch(step.days, step.offset, step.limit, is_optional=step.is_optional))
            self.want(step.requests)
            return Fetched(self.result(step.requests[0]), completed=self.arrived())
        except KaptureError as error:
            return Fetched(error=error)

    def result(self, request: Request) -> Page:
        """Wait for a page that was asked for, and hold it no longer."""
        return self._on_their_way.pop(request).result()

    def arrived(self) -> dict[Request, Page]:
        """The pages that are there."""
        done = {each: page for each, page in self._on_their_way.items() if page.done() and page.exception() is None}
        return {each: page.result() for each, page in done.items()}

    def _submit(self, request: Request) -> Future[Page]:
        future: Future[Page] = Future()

        def job() -> None:
            try:
                future.set_result(self.fetch(request.days, request.page.offset, request.page.limit))
            except BaseException as error:  # noqa: BLE001 - it is raised where the result is taken
                future.set_exception(error)

        self._jobs.put(job)
        if len(self._threads) < self._most:
            thread = threading.Thread(target=self._work, name="kapture-page", daemon=True)
            self._threads.append(thread)
            thread.start()
        return future

    def close(self) -> None:
        self._stop.set()
        for _ in self._threads:
            self._jobs.put(None)
        self._gate.wake()

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

    def fetch(self, days: DayRange, offset: int, limit: int | None = None, *, is_optional: bool = False) -> Page:
        for attempt in policy(self._account, is_optional=is_optional).copy(sleep=self._stop.wait):
            number = attempt.retry_state.attempt_number
            with attempt, self._gate.passing(self._stop, self._tally, number):
                return self._fetch(days, offset, limit)
        raise AssertionError  # the policy reraises
