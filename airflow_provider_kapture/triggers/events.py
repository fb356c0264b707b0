"""Events that the triggerer sends to the sensor, and the values that both check."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Self

import msgspec
from airflow.providers.common.compat.sdk import AirflowNotFoundException

from airflow_provider_kapture.client import errors

# Seconds between polls, at the least: nobody's orders come so fast that a shorter pause would pay.
MIN_INTERVAL = 1.0

_ERROR_TYPES: Mapping[str, type[Exception]] = MappingProxyType(
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


def poll_delay(interval: float, doublings: int, most: float) -> float:
    """Seconds until the next poll: the interval, doubled so often, up to ``most``; never less than the interval."""
    return min(interval * 2.0 ** min(doublings, 32), max(interval, most))


class ConditionMet(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="status", tag="enough"):
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


class WaitFailed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="status", tag="failed"):
    """Waiting has become pointless.

    :param error: the name of the error's class
    :param message: its message
    """

    error: str
    message: str

    def __post_init__(self) -> None:
        if self.error not in _ERROR_TYPES:
            raise ValueError(f"{self.error!r} is no error of this provider")

    @classmethod
    def from_error(cls, error: Exception) -> Self:
        """The event that an error becomes."""
        return cls(type(error).__name__, str(error))

    def exception(self) -> Exception:
        """The error that it was: its class and its message."""
        return _ERROR_TYPES[self.error](self.message)


def to_payload(event: ConditionMet | WaitFailed) -> dict[str, Any]:
    """The event as Airflow carries it: plain data."""
    payload: dict[str, Any] = msgspec.to_builtins(event)
    return payload


def from_payload(payload: object) -> ConditionMet | WaitFailed:
    """The event that Airflow carried.

    :raises ValueError: it is none of these
    """
    try:
        return msgspec.convert(payload, ConditionMet | WaitFailed)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error
