"""How many requests may be in flight and when the next may start, shared by all pulls of a client.

:class:`ConcurrencyLimiter` is pure and decides; :class:`Throttle` makes threads wait, :class:`AsyncThrottle` tasks.
Waits between attempts are those of :mod:`~airflow_provider_kapture.client.fetch.retry`.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Self

from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.errors import KaptureBusyError, KaptureError
from airflow_provider_kapture.client.pull.stats import PullStats
from airflow_provider_kapture.client.transport.network_errors import cancelled_error

# 5 % slack: network jitter could otherwise make two requests arrive within one interval.
_JITTER_MARGIN = 1.05


class ConcurrencyLimiter:
    """Requests in flight, halved when Kapture is busy and grown back one by one; and the interval between requests.

    :param max_concurrency: the most requests in flight
    :param requests_per_second: the most requests a second; none for no limit
    :param max_pause: the longest that all requests wait for a ``Retry-After``, in seconds
    """

    def __init__(self, max_concurrency: int, requests_per_second: float | None, max_pause: float = 0.0) -> None:
        self.limit = max_concurrency
        self.in_flight = 0
        self._max_concurrency = max_concurrency
        self._interval = _JITTER_MARGIN / requests_per_second if requests_per_second else 0.0
        self._max_pause = max_pause
        self._next_start = -math.inf
        self._successes = 0

    @classmethod
    def from_account(cls, account: Account) -> Self:
        """Return the limiter that an account's settings ask for."""
        dialect = account.dialect
        return cls(dialect.max_concurrency, dialect.requests_per_second, dialect.retry_budget)

    def delay(self, now: float) -> float:
        """Return the seconds until one more request may start; infinity until another one ends."""
        return math.inf if self.in_flight >= self.limit else max(self._next_start - now, 0.0)

    def acquire(self, now: float) -> None:
        """Count a request that starts."""
        self.in_flight += 1
        self._next_start = max(self._next_start, now + self._interval)

    def release(self, now: float, error: KaptureError | None = None) -> None:
        """Count a request that has ended.

        :param error: why it returned no page; none if it did
        """
        self.in_flight -= 1
        if error is None:
            # One more for each round of pages: one more for each page would exceed the limit in every other round.
            self._successes += 1
            if self._successes >= self.limit:
                self.limit, self._successes = min(self.limit + 1, self._max_concurrency), 0
        elif isinstance(error, KaptureBusyError) and error.reduces_concurrency:
            self.limit, self._successes = max(self.limit // 2, 1), 0
            self._next_start = max(self._next_start, now + min(error.retry_after or 0.0, self._max_pause))


def _count_attempt(stats: PullStats, attempt: int) -> None:
    stats.requests += 1
    stats.retries += attempt > 1


class Throttle:
    """The limiter of all threads of a client."""

    def __init__(self, account: Account) -> None:
        self._limiter = ConcurrencyLimiter.from_account(account)
        self._changed = threading.Condition()

    @contextmanager
    def passing(self, stop: threading.Event, stats: PullStats, attempt: int) -> Iterator[None]:
        """Wait for a request's turn, and count it as in flight until it has ended.

        :raises KaptureTransportError: ``stop`` was set
        """
        with self._changed:
            while not stop.is_set() and (delay := self._limiter.delay(time.monotonic())):
                self._changed.wait(delay if math.isfinite(delay) else None)
            if stop.is_set():
                raise cancelled_error()
            self._limiter.acquire(time.monotonic())
            _count_attempt(stats, attempt)
        failure: KaptureError | None = None
        try:
            yield
        except KaptureError as error:
            failure = error
            raise
        finally:
            with self._changed:
                self._limiter.release(time.monotonic(), failure)
                self._changed.notify_all()

    def wake(self) -> None:
        """Wake the waiting threads, so that they see whether they are to stop."""
        with self._changed:
            self._changed.notify_all()


class AsyncThrottle:
    """The limiter of all tasks of a client."""

    def __init__(self, account: Account) -> None:
        self._limiter = ConcurrencyLimiter.from_account(account)
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def passing(self, stats: PullStats, attempt: int) -> AsyncGenerator[None, None]:
        """Wait for a request's turn, and count it as in flight until it has ended."""
        clock = asyncio.get_running_loop().time
        await self._turn(clock)
        _count_attempt(stats, attempt)
        failure: KaptureError | None = None
        try:
            yield
        except KaptureError as error:
            failure = error
            raise
        finally:
            self._limiter.release(clock(), failure)
            async with self._changed:
                self._changed.notify_all()

    async def _turn(self, clock: Callable[[], float]) -> None:
        while True:
            async with self._changed:
                while math.isinf(delay := self._limiter.delay(clock())):
                    await self._changed.wait()
                if not delay:
                    self._limiter.acquire(clock())
                    return
            await asyncio.sleep(delay)
