"""Parse the values of a connection's extra: JSON values, or strings as the connection form stores them.

Names, types and defaults are in `settings.py`; help texts are in `table.py`.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from airflow_provider_kapture.client.config.checks import check_body_keys, did_you_mean
from airflow_provider_kapture.client.config.date_format import written_date
from airflow_provider_kapture.client.config.empty_answers import parse_empty_answers
from airflow_provider_kapture.client.config.fields import parse_fields
from airflow_provider_kapture.client.config.headers import parse_headers
from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.client.orders import FieldType
from airflow_provider_kapture.client.words import meaning_of

Parser = Callable[[str, Any], Any]


def _invalid(key: str, value: object, expected: str) -> KaptureSettingsError:
    return KaptureSettingsError(f"Connection extra `{key}` is {value!r:.80}: it must be {expected}")


def time_zone(name: Any) -> ZoneInfo:
    """Return the time zone of an IANA name.

    :raises ValueError: the zone is unknown; the message suggests the nearest known one
    """
    try:
        return ZoneInfo(name)
    except (TypeError, ValueError, OSError, ZoneInfoNotFoundError) as error:
        hint = did_you_mean(name, available_timezones()) if isinstance(name, str) else ""
        raise ValueError(f"an IANA time zone such as 'Asia/Kolkata'{hint}") from error


def _integer(low: int, high: float = math.inf) -> Parser:
    expected = f"a whole number from {low} to {high}" if high < math.inf else f"a whole number of at least {low}"

    def parse(key: str, value: Any) -> int:
        try:
            number = int(value) if isinstance(value, str) else value
        except ValueError:
            number = None
        if not isinstance(number, int) or isinstance(number, bool) or not low <= number <= high:
            raise _invalid(key, value, expected)
        return number

    return parse


def _positive(key: str, value: Any) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 < number < math.inf:
        raise _invalid(key, value, "a number above 0")
    return number


def _one_of(*choices: str) -> Parser:
    by_folded = {choice.casefold(): choice for choice in choices}

    def parse(key: str, value: Any) -> str:
        choice = by_folded.get(str(value).casefold())
        if choice is None:
            raise _invalid(key, value, " or ".join(map(repr, choices)))
        return choice

    return parse


def _timezone(key: str, value: Any) -> str:
    try:
        return time_zone(value).key
    except ValueError as error:
        raise _invalid(key, value, str(error)) from error


def _auth(key: str, value: Any) -> str:
    # The value is not shown, because it may be the secret itself, pasted into the wrong field.
    choice = str(value).casefold()
    if choice not in ("basic", "token", "key"):
        raise KaptureSettingsError(
            f"Connection extra `{key}` must be 'basic', 'token' or 'key'; enter secrets in `password`"
        )
    return choice


def _date_format(key: str, value: Any) -> str:
    expected = "a strftime format with year, month and day, such as '%Y-%m-%d'"
    if not isinstance(value, str):
        raise _invalid(key, value, expected)
    try:
        written = {written_date(day, value) for day in _UNLIKE_DAYS}
    except ValueError as error:
        raise _invalid(key, value, f"{expected}; {error}") from error
    if len(written) != len(_UNLIKE_DAYS):
        raise _invalid(key, value, expected)
    return value


# A format with year, month and day gives each of these another text.
_UNLIKE_DAYS = (dt.date(2024, 3, 5), dt.date(2025, 3, 5), dt.date(2024, 4, 5), dt.date(2024, 3, 6))


def _verify(key: str, value: Any) -> bool | str:
    if isinstance(value, bool):
        return value
    parsed = {"true": True, "false": False}.get(str(value).casefold())
    if parsed is not None:
        return parsed
    if not isinstance(value, str) or not _exists(value):
        raise _invalid(key, value, "true, false or the path of a CA bundle that exists on this machine")
    return value


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):  # too long, or containing NUL
        return False


def _parse_json(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _body(key: str, value: Any) -> Mapping[str, Any]:
    body = _parse_json(value)
    if not isinstance(body, dict):
        # The value is not shown, because a body may contain names and numbers of customers.
        raise KaptureSettingsError(f'Connection extra `{key}` must be a JSON object, such as {{"viewId": "2"}}')
    check_body_keys(f"Connection extra `{key}`", body)
    return MappingProxyType(body)


def _messages(key: str, value: Any) -> tuple[str, ...]:
    messages = _parse_json(value)
    if isinstance(messages, str):
        messages = [messages]
    if not isinstance(messages, list | tuple) or not all(isinstance(each, str) for each in messages):
        raise _invalid(key, value, 'a list of the vendor\'s messages, such as ["No orders found"]')
    # Empty lines of a text field are not messages.
    return tuple(each.strip() for each in messages if each.strip())


def _empty_messages(key: str, value: Any) -> tuple[str, ...]:
    messages = _messages(key, value)
    for each in messages:
        if meaning := meaning_of(each):
            raise _invalid(key, each, f"a message for no orders, but this one means {meaning.value}")
    return messages


def _headers(key: str, value: Any) -> Mapping[str, str]:
    return parse_headers(key, _parse_json(value))


def _empty_answers(key: str, value: Any) -> tuple[Mapping[str, Any], ...]:
    return parse_empty_answers(key, _parse_json(value))


def _fields(key: str, value: Any) -> Mapping[str, FieldType]:
    return parse_fields(key, _parse_json(value))


def _control_day(key: str, value: Any) -> dt.date:
    expected = "a past day of create dates that has orders, such as '2024-05-08'"
    try:
        return dt.date.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise _invalid(key, value, expected) from error


def _rows_at(key: str, value: Any) -> str:
    if not isinstance(value, str) or (value and not all(value.split("."))):
        raise _invalid(
            key, value, "the path of the list of orders, such as 'response.orders', or '' if the response is the list"
        )
    return value


PARSERS: Mapping[str, Parser] = MappingProxyType(
    {
        "cm_id": _integer(1),
        "auth": _auth,
        "headers": _headers,
        "timezone": _timezone,
        "http_method": _one_of("POST", "GET"),
        "date_format": _date_format,
        "end_date": _one_of("inclusive", "exclusive"),
        "max_days_per_request": _integer(1),
        "control_day": _control_day,
        "paging": _one_of("rows", "pages", "pages_from_1", "none"),
        "page_size": _integer(2, 10_000),
        "max_concurrency": _integer(1, 32),
        "requests_per_second": _positive,
        "connect_timeout": _positive,
        "read_timeout": _positive,
        "retry_budget": _positive,
        "max_response_bytes": _integer(1),
        "verify": _verify,
        "default_body": _body,
        "body_format": _one_of("object", "list"),
        "rows_at": _rows_at,
        "empty_messages": _empty_messages,
        "empty_answers": _empty_answers,
        "busy_messages": _messages,
        "fields": _fields,
    }
)
