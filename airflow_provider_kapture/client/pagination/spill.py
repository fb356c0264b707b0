"""Ranks of the orders read, in bounded memory: the latest in dicts, older ones in a private SQLite database."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from airflow_provider_kapture.client.api.keys import OrderKey

_RECENT = 52_000
_SQLITE_INTEGER = 1 << 63
_MAX_PARAMETERS = 500  # every SQLite takes more


class RankStore:
    """A mapping of order ids to ranks that spills to disk.

    A listing of a hundred thousand orders never leaves the dicts; one of millions needs no more memory than that.
    """

    def __init__(self, recent: int = _RECENT) -> None:
        # Two generations: once the newer is full, the older is written to disk, without a copy.
        self._recent: dict[OrderKey, int] = {}
        self._before: dict[OrderKey, int] = {}
        self._limit = recent
        self._older: sqlite3.Connection | None = None
        # The range of the keys on disk. Where ids rise or fall along the listing, the next page lies outside it.
        self._lowest: int | float = float("inf")
        self._highest: int | float = float("-inf")

    def add_new(self, keys: Sequence[OrderKey], ranks: Sequence[int]) -> bool:
        """Store the ranks of a page if none of its keys is stored or repeated; return whether they were stored."""
        if not (self._recent.keys().isdisjoint(keys) and (not self._before or self._before.keys().isdisjoint(keys))):
            return False
        if self._older is not None and self._overlaps_older(keys) and self._find_older(keys):
            return False
        expected = len(self._recent) + len(keys)
        self._recent.update(zip(keys, ranks, strict=True))
        if len(self._recent) < expected:
            for key in set(keys):
                del self._recent[key]
            return False
        if expected > self._limit:
            self._spill()
        return True

    def _overlaps_older(self, keys: Sequence[OrderKey]) -> bool:
        """Return whether some of these keys may be on disk, at the cost of two comparisons for each."""
        try:
            return min(keys) <= self._highest and max(keys) >= self._lowest  # type: ignore[operator]
        except TypeError:  # there is text among them
            return True

    def ranks(self, keys: Sequence[OrderKey]) -> dict[OrderKey, int]:
        """Return the rank of each of these keys that is stored."""
        found: dict[OrderKey, int] = {}
        for ranks in (self._before, self._recent):
            found |= {key: ranks[key] for key in keys if key in ranks}
        if self._older is not None and len(found) < len(keys):
            found |= self._find_older([key for key in keys if key not in found])
        return found

    def _find_older(self, keys: Sequence[OrderKey]) -> dict[OrderKey, int]:
        assert self._older is not None
        found: dict[OrderKey, int] = {}
        missing = [_column(key) for key in keys if self._may_be_older(key)]
        for start in range(0, len(missing), _MAX_PARAMETERS):
            some = missing[start : start + _MAX_PARAMETERS]
            marks = ",".join("?" * len(some))
            rows = self._older.execute(f"SELECT key, rank FROM read WHERE key IN ({marks})", some)  # noqa: S608
            found |= {_key(column): rank for column, rank in rows}
        return found

    def _may_be_older(self, key: OrderKey) -> bool:
        return isinstance(key, str) or self._lowest <= key <= self._highest

    def set(self, ranks: Mapping[OrderKey, int]) -> None:
        """Store these ranks."""
        self._recent.update(ranks)
        if len(self._recent) > self._limit:
            self._spill()

    def close(self) -> None:
        """Close the database, which removes its file."""
        if self._older is not None:
            self._older.close()
            self._older = None

    def _spill(self) -> None:
        if not self._before:
            self._before, self._recent = self._recent, {}
            return
        if self._older is None:
            self._older = sqlite3.connect("", check_same_thread=False, isolation_level=None)
            self._older.execute("PRAGMA journal_mode = OFF")
            self._older.execute("PRAGMA cache_size = -2048")
            self._older.execute("CREATE TABLE read (key PRIMARY KEY, rank) WITHOUT ROWID")
        before, self._before, self._recent = self._before, self._recent, {}
        numbers = sorted(key for key in before if not isinstance(key, str))
        texts = sorted(key for key in before if isinstance(key, str))
        if numbers:
            self._lowest, self._highest = min(self._lowest, numbers[0]), max(self._highest, numbers[-1])
        self._older.execute("BEGIN")
        self._older.executemany(
            "INSERT OR REPLACE INTO read VALUES (?, ?)",
            ((_column(key), before[key]) for keys in (numbers, texts) for key in keys),
        )
        self._older.execute("COMMIT")


def _column(key: OrderKey) -> int | str | bytes:
    """Return the key as SQLite stores it: integers that it cannot hold become bytes, which no ``id`` is."""
    return key if isinstance(key, str) or -_SQLITE_INTEGER <= key < _SQLITE_INTEGER else str(key).encode()


def _key(column: int | str | bytes) -> OrderKey:
    return int(column) if isinstance(column, bytes) else column
