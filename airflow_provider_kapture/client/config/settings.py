"""The settings in a connection's extra: names, types and defaults. Values are parsed in `parsers.py`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from airflow_provider_kapture.client.config.checks import did_you_mean
from airflow_provider_kapture.client.config.parsers import PARSERS
from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.client.orders import FieldType

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Dialect:
    """The settings of an account: how its API behaves, and the limits of pace and patience.

    Field names are the keys of the connection's extra; docs/connection.md gives their meaning. Times are in seconds.
    Use :func:`dialect_from_extra`, which checks the values.
    """

    cm_id: int
    auth: str | None = None
    # Not in ``repr``: values are secret.
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    timezone: str = "Asia/Kolkata"
    http_method: str = "POST"
    date_format: str = "%Y-%m-%d"
    end_date: str = "inclusive"
    max_days_per_request: int = 1
    control_day: dt.date | None = None
    paging: str = "rows"
    page_size: int = 500
    max_concurrency: int = 4
    requests_per_second: float | None = None
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    retry_budget: float = 600.0
    max_response_bytes: int = 64 * _MIB
    verify: bool | str = True
    # Not in ``repr``: it may identify customers.
    default_body: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({"viewId": "2"}), repr=False)
    body_format: str = "object"
    rows_at: str = "order_details"
    empty_messages: tuple[str, ...] = ()
    empty_answers: tuple[Mapping[str, Any], ...] = ()
    busy_messages: tuple[str, ...] = ()
    fields: Mapping[str, FieldType] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def first_offset(self) -> int:
        """The offset of the first page."""
        return 1 if self.paging == "pages_from_1" else 0


EXTRA_KEYS: tuple[str, ...] = tuple(each.name for each in fields(Dialect))


def dialect_from_extra(extra: Mapping[str, Any]) -> Dialect:
    """Return the settings in a connection's extra. None and empty strings (untouched form fields) mean the default.

    :raises KaptureSettingsError: an unknown key (suggests the nearest known one), or an invalid value
    """
    for key in extra:
        if key not in EXTRA_KEYS:
            hint = did_you_mean(str(key), EXTRA_KEYS) or f"; the known keys are {', '.join(EXTRA_KEYS)}"
            raise KaptureSettingsError(f"Connection extra has an unknown key {str(key)!r}{hint}")
    # An empty ``rows_at`` is a value: the response is the list.
    given = {key: value for key, value in extra.items() if value is not None and (value != "" or key == "rows_at")}
    if "cm_id" not in given:
        raise KaptureSettingsError("Connection extra `cm_id` is missing: set it to the account's id (cmId), above 0")
    dialect = Dialect(**{key: PARSERS[key](key, value) for key, value in given.items()})
    today = dt.datetime.now(ZoneInfo(dialect.timezone)).date()
    if dialect.control_day is not None and dialect.control_day >= today:
        raise KaptureSettingsError(
            f"Connection extra `control_day` is {dialect.control_day}, but today is {today} in {dialect.timezone}; "
            "set it to a past day that has orders"
        )
    return dialect
