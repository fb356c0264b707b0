"""Unions of half-open intervals of epoch milliseconds."""

from __future__ import annotations

from collections.abc import Iterable

Interval = tuple[int, int]


def union(intervals: Iterable[Interval]) -> list[Interval]:
    """Return disjoint intervals that cover the same instants, in order."""
    found: list[Interval] = []
    for start, end in sorted(intervals):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def uncovered(start: int, end: int, intervals: Iterable[Interval]) -> list[Interval]:
    """Return the parts of ``[start, end)`` that no interval covers, in order."""
    found: list[Interval] = []
    for first, after in union(intervals):
        if first >= end:
            break
        if first > start:
            found.append((start, first))
        start = max(start, after)
    if start < end:
        found.append((start, end))
    return found
