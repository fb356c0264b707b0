"""How many pages may be on their way, and how soon the next may start: pure, asked by both transports."""

from __future__ import annotations

import math
from typing import Self

from airflow_provider_kapture.client.account import Account
from airflow_provider_kapture.client.errors import KaptureBusyError, KaptureError

# Statuses that ask for fewer requests, not only for later ones.
BUSY = frozenset({429, 503})
# Requests are spaced a little wider than the ceiling asks: the way to Kapture takes one longer than another.
_MARGIN = 1.05


class Flow:
    """Pages in flight, halved when Kapture is busy and grown back one by one; and the spacing of requests.

    :param most: the ceiling of pages in flight
    :param per_second: the ceiling of requests a second; none for no ceiling
    :param patience: the longest that all pages wait because Kapture said when to come back, in seconds
    """

    def __init__(self, most: int, per_second: float | None, patience: float = 0.0) -> None:
        self.limit = most
        self.in_flight = 0
        self._most = most
        self._gap = _MARGIN / per_second if per_second else 0.0
        self._patience = patience
        self._next = -math.inf
        self._good = 0

    @classmethod
    def of(cls, account: Account) -> Self:
        """The flow that an account's dialect asks for."""
        dialect = account.dialect
        return cls(dialect.max_concurrency, dialect.requests_per_second, dialect.retry_budget)

    def pause(self, now: float) -> float:
        """Seconds until one more page may start: 0 for now, infinity for not before another has ended."""
        return math.inf if self.in_flight >= self.limit else max(self._next - now, 0.0)

    def start(self, now: float) -> None:
        """Count a page in."""
        self.in_flight += 1
        self._next = max(self._next, now + self._gap)

    def end(self, now: float, error: KaptureError | None = None) -> None:
        """Count a page out.

        :param error: what came of it, where that is no page
        """
        self.in_flight -= 1
        if error is None:
            # One more for each round of good pages: were it for each page, every other round would be too much.
            self._good += 1
            if self._good >= self.limit:
                self.limit, self._good = min(self.limit + 1, self._most), 0
        elif isinstance(error, KaptureBusyError) and error.status in BUSY:
            self.limit, self._good = max(self.limit // 2, 1), 0
            self._next = max(self._next, now + min(error.retry_after or 0.0, self._patience))
