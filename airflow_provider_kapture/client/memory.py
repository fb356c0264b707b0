"""Which orders of a listing were read, and in what order: exact, and in bounded memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

import msgspec

from airflow_provider_kapture.client.protocol import OrderKey

_RECENT = 50_000
_SQLITE_INTEGER = 1 << 63


class Memory:
    """Ranks of the orders read: the latest in a dict, older ones in a private SQLite database that spills to disk.

    A listing of some ten thousand orders never leaves the dict; one of millions costs no more memory than that.
    """

    def __init__(self, recent: int = _RECENT) -> None:
        self._recent: dict[OrderKey, int] = {}
        self._limit = recent
        self._older: sqlite3.Connection | None = None

    def ranks(self, keys: Sequence[OrderKey]) -> Mapping[OrderKey, int]:
        """The rank of each of these that was read."""
        recent = self._recent
        found = {key: recent[key] for key in keys if key in recent}
        if self._older is not None and len(found) < len(keys):
            missing = msgspec.json.encode([_column(key) for key in keys if key not in found]).decode()
            rows = self._older.execute(
                "SELECT key, rank FROM read WHERE key IN (SELECT value FROM json_each(?))", (missing,)
            )
            found |= {_key(column): rank for column, rank in rows}
        return found

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
        if self._older is None:
            self._older = sqlite3.connect("", check_same_thread=False, isolation_level=None)
            self._older.execute("PRAGMA journal_mode = OFF")
            self._older.execute("PRAGMA cache_size = -2048")
            self._older.execute("CREATE TABLE read (key PRIMARY KEY, rank) WITHOUT ROWID")
        by_age = sorted(self._recent.items(), key=lambda item: item[1])
        old, kept = by_age[: self._limit // 2], by_age[self._limit // 2 :]
        self._older.execute("BEGIN")
        self._older.executemany(
            "INSERT OR REPLACE INTO read VALUES (?, ?)", sorted(((_column(key), rank) for key, rank in old), key=str)
        )
        self._older.execute("COMMIT")
        self._recent = dict(kept)


def _column(key: OrderKey) -> int | str:
    """Integers that SQLite can't hold become strings that no ``id`` of a string can be."""
    return key if isinstance(key, str) or -_SQLITE_INTEGER <= key < _SQLITE_INTEGER else f"\0{key}"


def _key(column: int | str) -> OrderKey:
    return int(column[1:]) if isinstance(column, str) and column.startswith("\0") else column
