"""What the triggerer says to the sensor, one way in and one way out; and which orders are news to a watcher: pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Self

import msgspec
from airflow.providers.common.compat.sdk import AirflowNotFoundException

from airflow_provider_kapture.client import errors
from airflow_provider_kapture.client.days import from_ms
from airflow_provider_kapture.client.protocol import OrderKey

# Seconds between polls, at the least: nobody's orders come so fast that a shorter pause would pay.
LEAST_INTERVAL = 1.0
# Kapture's clock may be ahead of this machine's.
_AHEAD_MS = 300_000
# Orders that outlive the triggerer in a watcher's place: what Airflow keeps for an asset should stay small.
_MOST_KEPT = 1000

_KINDS: Mapping[str, type[Exception]] = MappingProxyType(
    {
        name: kind
        for name, kind in {**vars(errors), AirflowNotFoundException.__name__: AirflowNotFoundException}.items()
        if isinstance(kind, type) and issubclass(kind, (errors.KaptureError, AirflowNotFoundException))
    }
)


def check_min_orders(min_orders: object) -> None:
    """What is enough must be a number of orders.

    :raises KaptureSettingsError: it is none, or below 1
    """
    if type(min_orders) is not int or min_orders < 1:
        raise errors.KaptureSettingsError(f"min_orders is {min_orders!r}: it must be a whole number of at least 1")


def pause(interval: float, doublings: int, most: float) -> float:
    """Seconds until the next poll: the interval, doubled so often, up to ``most``; never less than the interval."""
    return min(interval * 2.0 ** min(doublings, 32), max(interval, most))


class Enough(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="status", tag="enough"):
    """The window has enough orders.

    :param orders: how many were seen; reading stops where they are enough
    :param window_start: ISO 8601, the account's time zone
    :param window_end: ISO 8601, the account's time zone
    """

    orders: int
    window_start: str
    window_end: str

    def xcom(self) -> dict[str, Any]:
        """What the sensor hands on, whichever way it waited."""
        return {name: getattr(self, name) for name in self.__struct_fields__}


class Failed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="status", tag="failed"):
    """Waiting has become pointless.

    :param error: the name of the error's class
    :param message: its message
    """

    error: str
    message: str

    def __post_init__(self) -> None:
        if self.error not in _KINDS:
            raise ValueError(f"{self.error!r} is no error of this provider")

    @classmethod
    def of(cls, error: Exception) -> Self:
        """The event that an error becomes."""
        return cls(type(error).__name__, str(error))

    def exception(self) -> Exception:
        """The error that it was: its class and its message."""
        return _KINDS[self.error](self.message)


def to_payload(event: Enough | Failed) -> dict[str, Any]:
    """The event as Airflow carries it: plain data."""
    payload: dict[str, Any] = msgspec.to_builtins(event)
    return payload


def from_payload(payload: object) -> Enough | Failed:
    """The event that Airflow carried.

    :raises ValueError: it is none of these
    """
    try:
        return msgspec.convert(payload, Enough | Failed)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error


@dataclass(frozen=True, slots=True)
class Look:
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
        return min(start, earliest), now_ms + _AHEAD_MS, max(start, earliest)


@dataclass(frozen=True, slots=True)
class News:
    """Orders that were not there before. Instants are epoch milliseconds.

    :param orders: how many
    :param first_ms: their oldest ``createDate``
    :param last_ms: their newest
    """

    orders: int = 0
    first_ms: int = 0
    last_ms: int = 0

    def __add__(self, other: News) -> News:
        if not self.orders or not other.orders:
            return self if self.orders else other
        return News(self.orders + other.orders, min(self.first_ms, other.first_ms), max(self.last_ms, other.last_ms))

    def payload(self, zone: dt.tzinfo) -> dict[str, Any]:
        """What the event says of them; instants are ISO 8601 in the account's time zone."""
        return {
            "orders": self.orders,
            "first_create_date": from_ms(self.first_ms, zone).isoformat(),
            "last_create_date": from_ms(self.last_ms, zone).isoformat(),
        }

    @classmethod
    def of(cls, created: Collection[int]) -> News:
        """The news that orders with these ``createDate`` are."""
        return cls(len(created), min(created), max(created)) if created else cls()


@dataclass(frozen=True, slots=True)
class Place:
    """How far a watcher has seen.

    :param since_ms: what was created before is no news, whenever it shows up; epoch milliseconds
    :param seen: the orders since then that are no news either, each with its ``createDate``. One that leaves the
        listing stays, so that it is no news if it comes back
    """

    since_ms: int
    seen: Mapping[OrderKey, int]

    def news(self, orders: Mapping[OrderKey, int]) -> News:
        """Those of a poll's orders that were not seen before."""
        return News.of([at for key, at in orders.items() if at >= self.since_ms and key not in self.seen])

    def after(self, look: Look) -> Place:
        """The place after a look, as small as it can be."""
        since = max(self.since_ms, look.next_ms)
        return Place(since, {key: at for key, at in {**self.seen, **look.orders}.items() if at >= since})

    @classmethod
    def begin(cls, look: Look) -> Place:
        """The place of a watcher to which all that its first look saw is no news."""
        return cls(look.start_ms, {}).after(look)

    def kept(self) -> dict[str, Any]:
        """The place as Airflow keeps it: plain data, small, and never such that an order is told twice."""
        newest = sorted(self.seen.items(), key=lambda item: item[1], reverse=True)
        since = newest[_MOST_KEPT][1] + 1 if len(newest) > _MOST_KEPT else self.since_ms
        return {"since": since, "seen": [[key, at] for key, at in newest if at >= since]}

    @classmethod
    def recalled(cls, kept: object) -> Place | None:
        """The place that Airflow kept; none where that is not one."""
        try:
            found = msgspec.convert(kept, _Kept)
        except msgspec.ValidationError:
            return None
        return cls(found.since, dict(found.seen))


class _Kept(msgspec.Struct):
    since: int
    seen: list[tuple[OrderKey, int]]
