"""What the triggerer says to the sensor, one way in and one way out; and which orders are news to a watcher: pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Self

import msgspec

from airflow_provider_kapture.client import errors
from airflow_provider_kapture.client.protocol import OrderKey

# Seconds between polls, at the least: nobody's orders come so fast that a shorter pause would pay.
LEAST_INTERVAL = 1.0
# Kapture's clock may be ahead of this machine's.
_AHEAD_MS = 300_000

_KINDS: Mapping[str, type[errors.KaptureError]] = MappingProxyType(
    {
        name: kind
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.KaptureError)
    }
)


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
    def of(cls, error: errors.KaptureError) -> Self:
        """The event that an error becomes."""
        return cls(type(error).__name__, str(error))

    def exception(self) -> errors.KaptureError:
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
class Place:
    """How far a watcher has seen. Instants are epoch milliseconds.

    :param until_ms: up to when it has looked; what was created then may still show up late
    :param newest_ms: the newest ``createDate`` that it has seen
    :param seen: the orders of its last poll; none before its first, or where only ``newest_ms`` outlived the triggerer
    """

    until_ms: int
    newest_ms: int
    seen: frozenset[OrderKey] | None = None

    @classmethod
    def begin(cls, newest_ms: int) -> Self:
        """Where a watcher begins for which all that was created until then is no news."""
        return cls(newest_ms, newest_ms)

    def window(self, now_ms: int, lookback_ms: int) -> tuple[int, int]:
        """What the next poll asks for: half-open. It covers all of what may be new, and little else."""
        return min(self.until_ms, now_ms) - lookback_ms, now_ms + _AHEAD_MS

    def new(self, orders: Mapping[OrderKey, int]) -> dict[OrderKey, int]:
        """Those of a poll's orders, each with its ``createDate``, that were not seen before."""
        if self.seen is None:
            return {key: created for key, created in orders.items() if created > self.newest_ms}
        return {key: created for key, created in orders.items() if key not in self.seen}

    def after(self, orders: Mapping[OrderKey, int], now_ms: int) -> Place:
        """The place after a poll."""
        return Place(now_ms, max([self.newest_ms, *orders.values()]), frozenset(orders))
