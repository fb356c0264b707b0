"""The state of an asset watcher: which orders are new, and how far it has read. No I/O.

Polling is in ``triggers.kapture``; storage of the watermark is in ``triggers.state_store``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from airflow_provider_kapture.client.api.keys import OrderKey
from airflow_provider_kapture.client.days import from_ms

# Kapture's clock may be ahead of this machine's.
_CLOCK_SKEW_MS = 300_000
# Maximum number of orders in a stored watermark: the state of an asset should stay small.
_MAX_STORED = 1000


@dataclass(frozen=True, slots=True)
class PollResult:
    """The result of one poll. Instants are epoch milliseconds.

    :param start_ms: start of the range that was polled; orders created earlier were not requested
    :param next_ms: start of the next poll; orders created later may still become visible
    :param orders: the ``createDate`` of each order
    :param zone: the account's time zone
    """

    start_ms: int
    next_ms: int
    orders: Mapping[OrderKey, int]
    zone: dt.tzinfo = dt.UTC

    @staticmethod
    def window(start_ms: int | None, now_ms: int, lookback_ms: int) -> tuple[int, int, int]:
        """Return the half-open range ``[start, end)`` to poll, and the start of the next poll, in epoch milliseconds.

        :param start_ms: the start that the previous poll returned; None for the first poll
        :param now_ms: the current time
        :param lookback_ms: milliseconds for which an order may become visible late
        """
        earliest = now_ms - lookback_ms
        start = earliest if start_ms is None else start_ms
        # If the clock was set back, widen the range; never move its start forward.
        return min(start, earliest), now_ms + _CLOCK_SKEW_MS, max(start, earliest)


@dataclass(frozen=True, slots=True)
class NewOrders:
    """A summary of new orders. Instants are epoch milliseconds.

    :param orders: the number of orders
    :param first_ms: their oldest ``createDate``; 0 without orders
    :param last_ms: their newest ``createDate``; 0 without orders
    """

    orders: int = 0
    first_ms: int = 0
    last_ms: int = 0

    def __add__(self, other: NewOrders) -> NewOrders:
        if not self.orders or not other.orders:
            return self if self.orders else other
        return NewOrders(
            self.orders + other.orders, min(self.first_ms, other.first_ms), max(self.last_ms, other.last_ms)
        )

    def payload(self, zone: dt.tzinfo) -> dict[str, Any]:
        """Return the payload of the event; instants are ISO 8601 in ``zone``."""
        return {
            "orders": self.orders,
            "first_create_date": from_ms(self.first_ms, zone).isoformat(),
            "last_create_date": from_ms(self.last_ms, zone).isoformat(),
        }

    @classmethod
    def from_dates(cls, created: Collection[int]) -> NewOrders:
        """Return the summary of orders with these ``createDate`` values, in epoch milliseconds."""
        return cls(len(created), min(created), max(created)) if created else cls()


@dataclass(frozen=True, slots=True)
class Watermark:
    """How far a watcher has read. Instants are epoch milliseconds.

    :param since_ms: orders created earlier are never new, whenever they become visible
    :param seen: the known orders created since then, each with its ``createDate``. An order that leaves the listing
        stays here, so that it is not reported again if it returns
    """

    since_ms: int
    seen: Mapping[OrderKey, int]

    def new_orders(self, orders: Mapping[OrderKey, int]) -> NewOrders:
        """Return a summary of those orders of a poll that are new."""
        return NewOrders.from_dates([at for key, at in orders.items() if at >= self.since_ms and key not in self.seen])

    def advance(self, poll: PollResult) -> Watermark:
        """Return the watermark after a poll, without the orders that it no longer needs."""
        since = max(self.since_ms, poll.next_ms)
        return Watermark(since, {key: at for key, at in {**self.seen, **poll.orders}.items() if at >= since})

    @classmethod
    def initial(cls, poll: PollResult) -> Watermark:
        """Return the watermark after a first poll, all of whose orders are known."""
        return cls(poll.start_ms, {}).advance(poll)

    def to_state(self) -> dict[str, Any]:
        """Return the watermark as plain data of limited size.

        Of more than 1,000 orders only the newest are stored, and ``since`` moves up to them, so that no order is
        reported twice.
        """
        newest = sorted(self.seen.items(), key=lambda item: item[1], reverse=True)
        since = newest[_MAX_STORED][1] + 1 if len(newest) > _MAX_STORED else self.since_ms
        return {"since": since, "seen": [[key, at] for key, at in newest if at >= since]}

    @classmethod
    def from_state(cls, state: object) -> Watermark | None:
        """Return the watermark from stored state; None if the state is not a watermark."""
        try:
            found = msgspec.convert(state, _StoredWatermark)
        except msgspec.ValidationError:
            return None
        return cls(found.since, dict(found.seen))


class _StoredWatermark(msgspec.Struct):
    since: int
    seen: list[tuple[OrderKey, int]]
