"""Which orders of a listing were read, and in what order: exact, and in bounded memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from airflow_provider_kapture.client.protocol import OrderKey

_RECENT = 52_000
_SQLITE_INTEGER = 1 << 63
_MOST_PARAMETERS = 500  # every SQLite takes more


class Memory:
    """Ranks of the orders read: the latest in dicts, older ones in a private SQLite database that spills to disk.

    A listing of a hundred thousand orders never leaves the dicts; one of millions costs no more memory than that.
    """

    def __init__(self, recent: int = _RECENT) -> None:
        # Two generations: once the newer is full, the older goes to disk, and nothing is copied for that.
        self._recent: dict[OrderKey, int] = {}
        self._before: dict[OrderKey, int] = {}
        self._limit = recent
        self._older: sqlite3.Connection | None = None
        # Of the keys in the database. Where ids rise or fall with the listing, what comes next lies outside.
        self._lowest: int | float = float("inf")
        self._highest: int | float = float("-inf")

    def ranks(self, keys: Sequence[OrderKey]) -> Mapping[OrderKey, int]:
        """The rank of each of these that was read."""
        found: dict[OrderKey, int] = {}
        for ranks in (self._before, self._recent):
            found |= {key: ranks[key] for key in keys if key in ranks}
        if self._older is not None and len(found) < len(keys):
            missing = [_column(key) for key in keys if key not in found and self._may_be_older(key)]
            for at in range(0, len(missing), _MOST_PARAMETERS):
                some = missing[at : at + _MOST_PARAMETERS]
                marks = ",".join("?" * len(some))
                rows = self._older.execute(f"SELECT key, rank FROM read WHERE key IN ({marks})", some)  # noqa: S608
                found |= {_key(column): rank for column, rank in rows}
        return found

    def _may_be_older(self, key: OrderKey) -> bool:
        return isinstance(key, str) or self._lowest <= key <= self._highest

    def set(self, ranks: Mapping[OrderKey, int]) -> None:
        """Remember these, or their new ranks."""
        self._recent.update(ranks)
        if len(self._recent) > self._limit:
            self._spill()

    def close(self) -> None:
        """Give back the disk."""
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
    """Integers that SQLite can't hold become bytes, which no ``id`` is."""
    return key if isinstance(key, str) or -_SQLITE_INTEGER <= key < _SQLITE_INTEGER else str(key).encode()


def _key(column: int | str | bytes) -> OrderKey:
    return int(column) if isinstance(column, bytes) else column
