"""Log lines about a pull: its progress at intervals, and its result. No I/O: the operator logs them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from airflow_provider_kapture.client.pull.stats import PullStats

# Minimum seconds between two lines.
INTERVAL = 30.0


class ProgressLine:
    """The progress lines of a running pull.

    :param stats: the counters of the pull
    :param days: the number of account days that the pull reads
    :param clock: returns seconds since any fixed origin
    """

    def __init__(self, stats: PullStats, days: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._stats = stats
        self._days = days
        self._clock = clock
        self._started = self._last = clock()

    def line(self) -> str | None:
        """Return the progress; None if the last line is less than :data:`INTERVAL` seconds old."""
        now = self._clock()
        if now - self._last < INTERVAL:
            return None
        self._last = now
        stats, seconds = self._stats, now - self._started
        done = min(stats.days, self._days)
        return (
            f"{stats.rows:,} orders, {done:,} of {_count(self._days, 'day')} done, "
            f"{_count(stats.requests, 'request')}, {(stats.rows - stats.resumed) / seconds:,.0f} orders/s"
            f"{self._time_left(done, seconds)}"
        )

    def _time_left(self, done: int, seconds: float) -> str:
        """Return an estimate from the days that this attempt has read; empty before the first and after the last."""
        read = done - self._stats.resumed_days
        if read <= 0 or done >= self._days:
            return ""
        return f", about {_duration(seconds * (self._days - done) / read)} left"


def summary(receipt: Mapping[str, Any], destination: str | None) -> str:
    """Return the line that reports the result of a pull, from its receipt, and where the orders are.

    :param destination: None for XCom
    """
    return (
        f"Pulled {_count(receipt['rows'], 'order')} in {receipt['duration_seconds']:.1f} s: "
        f"{_count(receipt['requests'], 'request')}, {_count(receipt['retries'], 'retry', 'retries')}, "
        f"{_count(receipt['restarts'], 'restart')}; {_where(receipt['files'], destination)}"
    )


def _where(files: Sequence[Mapping[str, Any]], destination: str | None) -> str:
    if destination is None:
        return "returned in XCom"
    if not files:
        return f"nothing was written to {destination}"
    kinds = {"empty": sum(not file["rows"] for file in files), "unchanged": sum(not file["changed"] for file in files)}
    notes = ", ".join(f"{number:,} {kind}" for kind, number in kinds.items() if number)
    size = sum(file["bytes"] for file in files)
    return f"{_count(len(files), 'file')}{f' ({notes})' if notes else ''}, {size:,} bytes in {destination}"


def empty_window(receipt: Mapping[str, Any], on_empty: str, *, is_xcom: bool) -> str:
    """Return the line that reports that a window has no orders: what proves it, and what was written."""
    proof = "proven" if receipt.get("empty_proof") == "control_day" else "not proven"
    names = [file["uri"] for file in receipt["files"] if not file["rows"]]
    if is_xcom:
        written = "returned an empty list in XCom"
    elif names:
        more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
        written = f"wrote the empty file {names[0]}{more}, because `on_empty` is {on_empty!r}"
    else:
        written = f"wrote no file, because `on_empty` is {on_empty!r}"
    return f"The window has no orders, which is {proof} by orders of another day; {written}"


def _count(number: int, one: str, more: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else more or one + 's'}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3_600:.1f} h"
