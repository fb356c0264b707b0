"""The settings in a connection's extra: names, types, defaults. Their values: parsers.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any

from airflow_provider_kapture.client.config.checks import did_you_mean
from airflow_provider_kapture.client.config.parsers import PARSERS
from airflow_provider_kapture.client.errors import KaptureSettingsError

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Dialect:
    """The keys of the connection's extra: how this account's API behaves, and how hard it may be asked.

    Each meaning and default is the contract of the connection form. Values are checked by :func:`dialect_from_extra`.
    """

    cm_id: int
    timezone: str = "Asia/Kolkata"
    http_method: str = "POST"
    date_format: str = "%Y-%m-%d"
    end_date: str = "inclusive"
    max_days_per_request: int = 1
    paging: str = "rows"
    page_size: int = 500
    max_concurrency: int = 4
    requests_per_second: float | None = None
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    retry_budget: float = 600.0
    max_response_bytes: int = 64 * _MIB
    verify: bool | str = True
    # Out of ``repr``: it may name customers.
    default_body: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({"viewId": "2"}), repr=False)
    empty_messages: tuple[str, ...] = ()


EXTRA_KEYS: tuple[str, ...] = tuple(each.name for each in fields(Dialect))


def dialect_from_extra(extra: Mapping[str, Any]) -> Dialect:
    """The settings in a connection's extra; ``None`` and empty strings (fields untouched in the form) mean the default.

    :raises KaptureSettingsError: an unknown key (names the nearest known one), or a value that will not do
    """
    for key in extra:
        if key not in EXTRA_KEYS:
            hint = did_you_mean(str(key), EXTRA_KEYS) or f"; the known keys are {', '.join(EXTRA_KEYS)}"
            raise KaptureSettingsError(f"Connection extra has an unknown key {str(key)!r}{hint}")
    given = {key: value for key, value in extra.items() if value is not None and value != ""}
    if "cm_id" not in given:
        raise KaptureSettingsError("Connection extra `cm_id` is missing: set it to the account's id (cmId), above 0")
    return Dialect(**{key: PARSERS[key](key, value) for key, value in given.items()})
