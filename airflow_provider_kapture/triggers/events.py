"""The events that the trigger sends to the sensor, and the checks that both share.

The event of the asset watcher is in ``triggers.watch_state``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Self, cast

import msgspec
from airflow.providers.common.compat.sdk import AirflowNotFoundException

from airflow_provider_kapture.client import errors

# Minimum seconds between polls; more frequent ones would only add load.
MIN_INTERVAL = 1.0
# Maximum seconds between two polls after growing delays.
MAX_DELAY = 3600.0

_ERROR_TYPES: Mapping[str, type[errors.KaptureError | AirflowNotFoundException]] = MappingProxyType(
    {
        name: kind
        for name, kind in {**vars(errors), AirflowNotFoundException.__name__: AirflowNotFoundException}.items()
        if isinstance(kind, type) and issubclass(kind, (errors.KaptureError, AirflowNotFoundException))
    }
)


def parse_min_orders(min_orders: object) -> int:
    """Return the number of orders to wait for, which a template renders to text.

    :raises KaptureSettingsError: it is not a whole number, or below 1
    """
    is_text = isinstance(min_orders, str) and min_orders.isascii() and min_orders.strip().isdigit()
    number = int(cast("str", min_orders)) if is_text else min_orders
    if type(number) is not int or number < 1:
        raise errors.KaptureSettingsError(f"`min_orders` is {min_orders!r}: it must be a whole number of at least 1")
    return number


def so_far(orders: int, min_orders: int) -> str:
    """Return how many of the orders that are waited for are there, for logs and errors."""
    return f"{orders:,} of {min_orders:,} orders so far"


def poll_delay(interval: float, doublings: int, max_delay: float) -> float:
    """Return the seconds until the next poll.

    :param interval: seconds between polls; the result is never less
    :param doublings: how many times the interval is doubled
    :param max_delay: maximum seconds
    """
    return min(interval * 2.0 ** min(doublings, 32), max(interval, max_delay))


class ConditionMet(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="status", tag="enough"):
    """The window has enough orders.

    :param orders: the number of orders seen; reading stops once they are enough
    :param window_start: first instant of the window, ISO 8601 in the account's time zone
    :param window_end: first instant after the window, ISO 8601 in the account's time zone
    """

    orders: int
    window_start: str
    window_end: str

    def xcom(self) -> dict[str, Any]:
        """Return the sensor's XCom value, which is the same in every mode."""
        return {name: getattr(self, name) for name in self.__struct_fields__}


class TimedOut(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="status", tag="timed_out"):
    """The deadline has passed before the window had enough orders.

    :param orders: the number of orders seen last; None if they could not be counted
    """

    orders: int | None


class WaitFailed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="status", tag="failed"):
    """An error has ended the wait.

    :param error: the name of the error's class
    :param message: its message
    """

    error: str
    message: str

    def __post_init__(self) -> None:
        if self.error not in _ERROR_TYPES:
            raise ValueError(f"{self.error!r} is not an error of this provider")

    @classmethod
    def from_error(cls, error: Exception) -> Self:
        """Return the event that reports an error."""
        return cls(type(error).__name__, str(error))

    def exception(self) -> errors.KaptureError | AirflowNotFoundException:
        """Return the reported error, with its class and message."""
        return _ERROR_TYPES[self.error](self.message)


def to_payload(event: ConditionMet | TimedOut | WaitFailed) -> dict[str, Any]:
    """Return the event as plain data, which Airflow can store."""
    payload: dict[str, Any] = msgspec.to_builtins(event)
    return payload


def from_payload(payload: object) -> ConditionMet | TimedOut | WaitFailed:
    """Return the event of a payload.

    :raises ValueError: the payload is not one of these events
    """
    try:
        return msgspec.convert(payload, ConditionMet | TimedOut | WaitFailed)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error
