"""How many pages may be on their way, and how soon the next may start: pure, asked by both transports."""

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

# Requests are spaced a little wider than the ceiling asks: the way to Kapture takes one longer than another.
_JITTER_MARGIN = 1.05


class ConcurrencyLimiter:
    """Pages in flight, halved when Kapture is busy and grown back one by one; and the spacing of requests.

    :param max_concurrency: the ceiling of pages in flight
    :param requests_per_second: the ceiling of requests a second; none for no ceiling
    :param max_pause: the longest that all pages wait because Kapture said when to come back, in seconds
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
        """The flow that an account's dialect asks for."""
        dialect = account.dialect
        return cls(dialect.max_concurrency, dialect.requests_per_second, dialect.retry_budget)

    def delay(self, now: float) -> float:
        """Seconds until one more page may start: 0 for now, infinity for not before another has ended."""
        return math.inf if self.in_flight >= self.limit else max(self._next_start - now, 0.0)

    def acquire(self, now: float) -> None:
        """Count a page in."""
        self.in_flight += 1
        self._next_start = max(self._next_start, now + self._interval)

    def release(self, now: float, error: KaptureError | None = None) -> None:
        """Count a page out.

        :param error: what came of it, where that is no page
        """
        self.in_flight -= 1
        if error is None:
            # One more for each round of good pages: were it for each page, every other round would be too much.
            self._successes += 1
            if self._successes >= self.limit:
                self.limit, self._successes = min(self.limit + 1, self._max_concurrency), 0
        elif isinstance(error, KaptureBusyError) and error.reduces_concurrency:
            self.limit, self._successes = max(self.limit // 2, 1), 0
            self._next_start = max(self._next_start, now + min(error.retry_after or 0.0, self._max_pause))


class Throttle:
    """The one way to Kapture of all threads of a client, and the flow that it lets through."""

    def __init__(self, account: Account) -> None:
        self._limiter = ConcurrencyLimiter.from_account(account)
        self._changed = threading.Condition()

    @contextmanager
    def passing(self, stop: threading.Event, stats: PullStats, attempt: int) -> Iterator[None]:
        """Wait for one's turn, and count as on the way until it is over.

        :raises KaptureTransportError: ``stop`` was set
        """
        with self._changed:
            while not stop.is_set() and (delay := self._limiter.delay(time.monotonic())):
                self._changed.wait(delay if math.isfinite(delay) else None)
            if stop.is_set():
                raise cancelled_error()
            self._limiter.acquire(time.monotonic())
            stats.requests += 1
            stats.retries += attempt > 1
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
        """Have those that wait look whether they are to stop."""
        with self._changed:
            self._changed.notify_all()


class AsyncThrottle:
    """The one way to Kapture of all tasks of a client, and the flow that it lets through."""

    def __init__(self, account: Account) -> None:
        self._limiter = ConcurrencyLimiter.from_account(account)
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def passing(self, stats: PullStats, attempt: int) -> AsyncGenerator[None, None]:
        """Wait for one's turn, and count as on the way until it is over."""
        clock = asyncio.get_running_loop().time
        await self._turn(clock)
        stats.requests += 1
        stats.retries += attempt > 1
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
