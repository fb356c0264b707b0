"""How far a pull has come, in a line now and then: pure, the clock is given."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_kapture.client.pull import Tally

# Seconds between lines, at the least.
INTERVAL = 10.0


class ProgressLine:
    """Lines about a pull that is going on.

    :param tally: what the pull counts
    :param days: how many of the account's days it has to read
    :param clock: seconds, from any origin
    """

    def __init__(self, tally: Tally, days: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._tally = tally
        self._days = days
        self._clock = clock
        self._began = self._told = clock()

    def line(self) -> str | None:
        """How far the pull has come; none where the latest line is not old enough."""
        now = self._clock()
        if now - self._told < INTERVAL:
            return None
        self._told = now
        tally = self._tally
        day = min(tally.days + 1, self._days)
        rate = (tally.rows - tally.resumed) / (now - self._began)
        return (
            f"Day {day:,} of {self._days:,}: {tally.rows:,} orders so far, {rate:,.0f} orders/s, "
            f"{tally.requests:,} requests, {tally.retries:,} retries"
        )


def summary(receipt: Mapping[str, Any]) -> str:
    """What a pull came to, in a line."""
    size = sum(file["bytes"] for file in receipt["files"])
    count = len(receipt["files"])
    files = f"; {count:,} {'file' if count == 1 else 'files'}, {size:,} bytes" if count else ""
    return (
        f"{receipt['rows']:,} orders in {receipt['duration_seconds']:.1f} s: {receipt['requests']:,} requests, "
        f"{receipt['retries']:,} retries, {receipt['restarts']:,} restarts{files}"
    )
