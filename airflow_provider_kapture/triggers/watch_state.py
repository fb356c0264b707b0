"""What the triggerer says to the sensor, one way in and one way out; and which orders are news to a watcher: pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from airflow_provider_kapture.client.api.response import OrderKey
from airflow_provider_kapture.client.days import from_ms

# Kapture's clock may be ahead of this machine's.
_CLOCK_SKEW_MS = 300_000
# Orders that outlive the triggerer in a watcher's place: what Airflow keeps for an asset should stay small.
_MAX_STORED = 1000


@dataclass(frozen=True, slots=True)
class PollResult:
    """What a poll of a watcher saw. Instants are epoch milliseconds.

    :param start_ms: what was created before was not asked for
    :param next_ms: where the next look starts: what is created from then on may still show up
    :param orders: each order's ``createDate``
    :param zone: the account's time zone
    """

    start_ms: int
    next_ms: int
    orders: Mapping[OrderKey, int]
    zone: dt.tzinfo = dt.UTC

    @staticmethod
    def window(start_ms: int | None, now_ms: int, lookback_ms: int) -> tuple[int, int, int]:
        """Start and end of what a look asks for, half-open, and where the next one starts.

        :param start_ms: where the look before said that it starts
        """
        earliest = now_ms - lookback_ms
        start = earliest if start_ms is None else start_ms
        # A clock that was set back makes a look wider, and no later.
        return min(start, earliest), now_ms + _CLOCK_SKEW_MS, max(start, earliest)


@dataclass(frozen=True, slots=True)
class NewOrders:
    """Orders that were not there before. Instants are epoch milliseconds.

    :param orders: how many
    :param first_ms: their oldest ``createDate``
    :param last_ms: their newest
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
        """What the event says of them; instants are ISO 8601 in the account's time zone."""
        return {
            "orders": self.orders,
            "first_create_date": from_ms(self.first_ms, zone).isoformat(),
            "last_create_date": from_ms(self.last_ms, zone).isoformat(),
        }

    @classmethod
    def from_dates(cls, created: Collection[int]) -> NewOrders:
        """The news that orders with these ``createDate`` are."""
        return cls(len(created), min(created), max(created)) if created else cls()


@dataclass(frozen=True, slots=True)
class Watermark:
    """How far a watcher has seen.

    :param since_ms: what was created before is no news, whenever it shows up; epoch milliseconds
    :param seen: the orders since then that are no news either, each with its ``createDate``. One that leaves the
        listing stays, so that it is no news if it comes back
    """

    since_ms: int
    seen: Mapping[OrderKey, int]

    def new_orders(self, orders: Mapping[OrderKey, int]) -> NewOrders:
        """Those of a poll's orders that were not seen before."""
        return NewOrders.from_dates([at for key, at in orders.items() if at >= self.since_ms and key not in self.seen])

    def advance(self, poll: PollResult) -> Watermark:
        """The place after a look, as small as it can be."""
        since = max(self.since_ms, poll.next_ms)
        return Watermark(since, {key: at for key, at in {**self.seen, **poll.orders}.items() if at >= since})

    @classmethod
    def initial(cls, poll: PollResult) -> Watermark:
        """The place of a watcher to which all that its first look saw is no news."""
        return cls(poll.start_ms, {}).advance(poll)

    def to_state(self) -> dict[str, Any]:
        """The place as Airflow keeps it: plain data, small, and never such that an order is told twice."""
        newest = sorted(self.seen.items(), key=lambda item: item[1], reverse=True)
        since = newest[_MAX_STORED][1] + 1 if len(newest) > _MAX_STORED else self.since_ms
        return {"since": since, "seen": [[key, at] for key, at in newest if at >= since]}

    @classmethod
    def from_state(cls, state: object) -> Watermark | None:
        """The place that Airflow kept; none where that is not one."""
        try:
            found = msgspec.convert(state, _StoredWatermark)
        except msgspec.ValidationError:
            return None
        return cls(found.since, dict(found.seen))


class _StoredWatermark(msgspec.Struct):
    since: int
    seen: list[tuple[OrderKey, int]]
