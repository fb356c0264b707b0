"""Connection extra ``empty_answers``: which objects may stand there, and which responses they match. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.client.words import masked, meaning_of

_REFUSED_STATUSES = frozenset({401, 403, 405, 407, 409, 423, 429})
# Statuses under which orders and failures come too.
_AMBIGUOUS_STATUSES = frozenset({200, 400, 404})
# What null stands for, besides a key that is missing.
_NOTHING: tuple[Any, ...] = (None, "", [], {})


def parse_empty_answers(key: str, value: Any) -> tuple[Mapping[str, Any], ...]:
    """Return the objects, checked.

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
            raise KaptureSettingsError(f"Connection extra `{key}` holds {dict(each)!r:.80}: {problem}")
    return tuple(MappingProxyType(dict(each)) for each in value)


def _problem(answer: Mapping[str, Any]) -> str | None:
    status = answer.get("status")
    status = status if isinstance(status, int) and not isinstance(status, bool) else None
    others = {name: value for name, value in answer.items() if status is None or name != "status"}
    body = answer.get("body")
    if "body" in answer and (body is None or body == {} or (isinstance(body, str) and not body.strip())):
        return 'a `body` of {} or "" proves nothing; an empty body needs {"status": 204}'
    if status is not None:
        is_refused = status in _REFUSED_STATUSES or not 200 <= status < 500 or 300 <= status < 400
        if is_refused:
            return f"a response under {status} is a failure, and cannot mean that there are no orders"
        if status in _AMBIGUOUS_STATUSES and not others:
            return f"{status} alone would match other responses too; add its message"
    if (others or status is None) and all(value is None for value in others.values()):
        return "it holds nothing but nulls, and would match other responses too"
    for text in _texts(others):
        if meaning := meaning_of(text):
            return f"it has the words of {meaning.value}, and cannot mean that there are no orders"
    return None


def is_match(answer: Mapping[str, Any], status: int, body: Any) -> bool:
    """Return whether a response is what one of the objects describes.

    :param answer: an object of ``empty_answers``
    :param status: the HTTP status
    :param body: the parsed JSON; a text where it is none
    """
    keys = {str(key).lower(): value for key, value in body.items()} if isinstance(body, Mapping) else {}
    for name, wanted in answer.items():
        if name == "status" and isinstance(wanted, int) and not isinstance(wanted, bool):
            if wanted != status:
                return False
        elif not _is_equal(wanted, body if name == "body" else keys.get(name.lower())):
            return False
    return True


def _is_equal(wanted: Any, found: Any) -> bool:
    if wanted is None:
        return found in _NOTHING and found is not False and found != 0
    if isinstance(wanted, str):
        return isinstance(found, str) and masked(wanted) == masked(found)
    if isinstance(wanted, Mapping):
        return (
            isinstance(found, Mapping)
            and wanted.keys() == found.keys()
            and all(_is_equal(value, found[name]) for name, value in wanted.items())
        )
    if isinstance(wanted, list):
        return (
            isinstance(found, list)
            and len(wanted) == len(found)
            and all(_is_equal(*each) for each in zip(wanted, found, strict=True))
        )
    return type(wanted) is type(found) and wanted == found


def _texts(value: Any) -> Iterator[str]:
    """Every text in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


def has_failure_words(body: Any) -> bool:
    """Return whether a text of a response has words of a wrong key, a missing filter, a fault or a busy server."""
    return any(meaning_of(each) is not None for each in _texts(body))


def has_order(body: Any) -> bool:
    """Return whether an order stands anywhere in a response.

    :param body: the parsed JSON; a text where it is none, which may be malformed JSON with orders
    """
    if isinstance(body, str):
        return '"createDate"' in body
    if isinstance(body, Mapping):
        return {"id", "createDate"} <= body.keys() or any(has_order(each) for each in body.values())
    return isinstance(body, list) and any(has_order(each) for each in body)
