"""Connection extra ``empty_answers``: which objects are allowed, and which responses they match. No I/O.

Responses are compared with all settings of empty responses in `../api/empties.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.client.words import masked, meaning_of

_REFUSED_STATUSES = frozenset({401, 403, 405, 407, 409, 423, 429})
# Statuses that orders or failures have too.
_AMBIGUOUS_STATUSES = frozenset({200, 400, 404})
# Values that null matches, besides a missing key.
_EMPTY_VALUES: tuple[Any, ...] = (None, "", [], {})


def parse_empty_answers(key: str, value: Any) -> tuple[Mapping[str, Any], ...]:
    """Return the objects, checked.

    :param key: name of the setting, for messages
    :raises KaptureSettingsError: an object that could match a failure
    """
    if isinstance(value, Mapping):
        value = [value]
    if not isinstance(value, list | tuple) or not all(isinstance(each, Mapping) for each in value):
        raise KaptureSettingsError(
            f"Connection extra `{key}` must be a list of objects, such as "
            '[{"status": 404, "message": "No data found"}]'
        )
    for each in value:
        if problem := _problem(each):
            raise KaptureSettingsError(f"Connection extra `{key}` contains {dict(each)!r:.80}: {problem}")
    return tuple(MappingProxyType(dict(each)) for each in value)


def _problem(answer: Mapping[str, Any]) -> str | None:
    status = answer.get("status")
    status = status if isinstance(status, int) and not isinstance(status, bool) else None
    others = {name: value for name, value in answer.items() if status is None or name != "status"}
    body = answer.get("body")
    if "body" in answer and (body is None or body == {} or (isinstance(body, str) and not body.strip())):
        return 'a `body` of {} or "" would match other responses too; for an empty body use {"status": 204}'
    if status is not None:
        is_refused = status in _REFUSED_STATUSES or not 200 <= status < 500 or 300 <= status < 400
        if is_refused:
            return f"status {status} is a failure and cannot mean that there are no orders"
        if status in _AMBIGUOUS_STATUSES and not others:
            return f"status {status} alone would match other responses too; add the message"
    if (others or status is None) and all(value is None for value in others.values()):
        return "it contains only nulls and would match other responses too"
    for text in _texts(others):
        if meaning := meaning_of(text):
            return f"its text means {meaning.value} and cannot mean that there are no orders"
    return None


def is_match(answer: Mapping[str, Any], status: int, body: Any) -> bool:
    """Return whether a response matches an object.

    :param answer: an object of ``empty_answers``
    :param status: HTTP status
    :param body: parsed JSON; the text if it is not JSON
    """
    keys = {str(key).lower(): value for key, value in body.items()} if isinstance(body, Mapping) else {}
    for name, expected in answer.items():
        if name == "status" and isinstance(expected, int) and not isinstance(expected, bool):
            if expected != status:
                return False
        elif not _is_equal(expected, body if name == "body" else keys.get(name.lower())):
            return False
    return True


def _is_equal(expected: Any, found: Any) -> bool:
    if expected is None:
        return found in _EMPTY_VALUES and found is not False and found != 0
    if isinstance(expected, str):
        return isinstance(found, str) and masked(expected) == masked(found)
    if isinstance(expected, Mapping):
        return (
            isinstance(found, Mapping)
            and expected.keys() == found.keys()
            and all(_is_equal(value, found[name]) for name, value in expected.items())
        )
    if isinstance(expected, list):
        return (
            isinstance(found, list)
            and len(expected) == len(found)
            and all(_is_equal(*each) for each in zip(expected, found, strict=True))
        )
    return type(expected) is type(found) and expected == found


def _texts(value: Any) -> Iterator[str]:
    """Yield every text in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


def has_failure_words(body: Any) -> bool:
    """Return whether a text in a response means a wrong key, a missing filter, a fault or a busy server."""
    return any(meaning_of(each) is not None for each in _texts(body))


def has_order(body: Any) -> bool:
    """Return whether there is an order anywhere in a response.

    :param body: parsed JSON; the text if it is not JSON, such as malformed JSON with orders
    """
    if isinstance(body, str):
        return '"createDate"' in body
    if isinstance(body, Mapping):
        return {"id", "createDate"} <= body.keys() or any(has_order(each) for each in body.values())
    return isinstance(body, list) and any(has_order(each) for each in body)
