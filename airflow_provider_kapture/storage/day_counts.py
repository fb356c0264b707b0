"""The counts of one day among those of its pull: what a checkpoint keeps of a day, and what a retry takes over."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from airflow_provider_kapture.client.pull.stats import PullStats
from airflow_provider_kapture.storage.destinations.stores.store import ChangedError

# Counters of orders that a resumed day keeps.
_COUNTS = ("trimmed", "moved", "repaired")
# What a day adds that is not published, and is pulled again.
_UNDONE = ("rows", "days", *_COUNTS)


@contextmanager
def counting(stats: PullStats, *, is_complete: bool) -> Iterator[Callable[[], dict[str, Any]]]:
    """Give a function that returns the counts of what was pulled in the context so far.

    A :class:`ChangedError` in the context takes them back.

    :param is_complete: whether the day was over when it was pulled
    """
    before = replace(stats)
    stats.first_ms = stats.last_ms = None

    def counts() -> dict[str, Any]:
        return {
            "complete": is_complete,
            "first_ms": stats.first_ms,
            "last_ms": stats.last_ms,
            **{name: getattr(stats, name) - getattr(before, name) for name in _COUNTS},
        }

    try:
        yield counts
    except ChangedError:
        stats.first_ms = stats.last_ms = None
        for name in _UNDONE:
            setattr(stats, name, getattr(before, name))
        raise
    finally:
        _merge_instants(stats, before.first_ms, before.last_ms)


def add_resumed_day(stats: PullStats, rows: int, counts: Mapping[str, Any]) -> None:
    """Add a day that an earlier attempt has published.

    :param rows: its orders
    :param counts: as :func:`counting` gave them
    """
    stats.rows += rows
    stats.resumed += rows
    stats.days += 1
    stats.resumed_days += 1
    for name in _COUNTS:
        setattr(stats, name, getattr(stats, name) + counts[name])
    _merge_instants(stats, counts["first_ms"], counts["last_ms"])


def _merge_instants(stats: PullStats, first: int | None, last: int | None) -> None:
    stats.first_ms = min((each for each in (stats.first_ms, first) if each is not None), default=None)
    stats.last_ms = max((each for each in (stats.last_ms, last) if each is not None), default=None)
