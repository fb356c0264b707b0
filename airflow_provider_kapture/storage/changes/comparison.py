"""Compare the orders of two files by id, in bounded memory: a hash of each former order is in a database on disk."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from enum import StrEnum

import msgspec

from airflow_provider_kapture.client.api.keys import key_and_instant, order_key
from airflow_provider_kapture.client.api.rows import AnyKeys
from airflow_provider_kapture.client.errors import KaptureShapeError

_KEYS = msgspec.json.Decoder(AnyKeys)


class Operation(StrEnum):
    """What happened to an order."""

    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"


Change = tuple[Operation, bytes]
# An order's id as text, and its JSON.
KeyedOrder = tuple[str, bytes]


def keyed(orders: Iterable[bytes]) -> Iterator[KeyedOrder]:
    """Yield each order with its id, which is the same text for a number and its digits.

    :raises ValueError: an order is malformed
    :raises KaptureShapeError: an order has no usable id
    """
    for order in orders:
        try:
            key = order_key(_KEYS.decode(order).id)
        except (msgspec.DecodeError, RecursionError, KaptureShapeError):
            key, _ = key_and_instant(order)
        yield str(key), order


def compare(
    former: Callable[[], Iterator[KeyedOrder]], current: Iterable[KeyedOrder], *, is_rewritten: bool = False
) -> Iterator[Change]:
    """Yield each difference between two sets of orders: inserts and updates as they are now, then deletes as they were.

    :param former: returns the orders as they were; called again for the deletes. Of several orders with one id, the
        first counts
    :param current: the orders as they are
    :param is_rewritten: whether each order that stays is an update, because its columns or their spelling differ
    """
    with closing(_Digests()) as known:
        known.add(former())
        for key, order in current:
            digest = known.pop(key)
            if digest is None:
                yield Operation.INSERT, order
            elif is_rewritten or digest != _digest(order):
                yield Operation.UPDATE, order
        if known.count():
            for key, order in former():
                if known.pop(key) is not None:
                    yield Operation.DELETE, order


class _Digests:
    """A hash of each order by its id, in a private database that disappears when it is closed."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        for statement in (
            "PRAGMA journal_mode = OFF",
            "PRAGMA cache_size = -4096",
            "CREATE TABLE known (id TEXT PRIMARY KEY, digest BLOB) WITHOUT ROWID",
            "BEGIN",
        ):
            self._database.execute(statement)

    def add(self, orders: Iterable[KeyedOrder]) -> None:
        self._database.executemany(
            "INSERT OR IGNORE INTO known VALUES (?, ?)", ((key, _digest(order)) for key, order in orders)
        )

    def pop(self, key: str) -> bytes | None:
        found: tuple[bytes] | None = self._database.execute("SELECT digest FROM known WHERE id = ?", (key,)).fetchone()
        if found is None:
            return None
        self._database.execute("DELETE FROM known WHERE id = ?", (key,))
        return found[0]

    def count(self) -> int:
        [(count,)] = self._database.execute("SELECT count(*) FROM known")
        return int(count)

    def close(self) -> None:
        self._database.close()


def _digest(order: bytes) -> bytes:
    return hashlib.sha256(order).digest()[:16]
