"""Parse the JSON object around the orders: its message, and whether it reports success. No I/O.

The orders themselves are decoded in `rows.py`; what the message means is in `../words.py`.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from airflow_provider_kapture.client.words import meaning_of

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# Keys and values of an envelope, duplicates included.
Pairs = list[tuple[str, Any]]

_CHARSET = re.compile(r"charset\s*=\s*\"?([\w.:-]+)", re.IGNORECASE)
_CHARSETS = frozenset({"iso8859-1", "cp1252", "utf-16", "utf-16-le", "utf-16-be"})
_MESSAGE_KEYS = ("message", "msg", "error", "errormessage", "error_message", "description", "reason")
_SUCCESSES = frozenset({"true", "success", "ok", "200", "1"})
_FAILURES = frozenset({"false", "failed", "failure", "fail", "error"})
# Longer plain texts are not messages.
_MAX_TEXT = 1_000
_FAILED_STATUS = re.compile(r"[45]\d\d")


def header_of(headers: Mapping[str, str], name: str) -> str:
    """Return the value of a header, found without regard to case; an empty text if there is none.

    :param name: name in lower case
    """
    return next((value for key, value in headers.items() if key.lower() == name), "")


def to_utf8(body: bytes, headers: Mapping[str, str]) -> bytes:
    """Return a body in UTF-8 without a byte order mark, decoded by the charset that its Content-Type declares.

    A body that is valid UTF-8 stays unchanged, because servers declare their default charset and send UTF-8.

    :raises UnicodeDecodeError: the body is neither UTF-8 nor in the declared charset
    """
    declared = _CHARSET.search(header_of(headers, "content-type"))
    if declared:
        try:
            charset = codecs.lookup(declared[1]).name
        except LookupError:
            charset = ""
        if charset in _CHARSETS and not _is_utf8(body):
            body = body.decode(charset).encode()
    return body.removeprefix(BYTE_ORDER_MARK)


def _is_utf8(body: bytes) -> bool:
    # In UTF-16, JSON starts with a NUL beside its first bracket.
    if b"\0" in body[:4]:
        return False
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def parse_envelope(body: bytes) -> Pairs:
    """Return the keys and values of a JSON object; numbers as text, nested objects as lists of pairs.

    :raises json.JSONDecodeError: the body is not a JSON object
    """
    if body.lstrip()[:1] != b"{":
        raise json.JSONDecodeError("No object", "", 0)
    pairs: Pairs = _parse(body)
    return pairs


def _parse(body: bytes) -> Any:
    return json.loads(body.decode(), object_pairs_hook=list, parse_int=str, parse_float=str)


def values_of(envelope: Pairs, name: str) -> list[Any]:
    """Return the values of a key, compared without regard to case."""
    return [value for key, value in envelope if key.lower() == name.lower()]


def message_of(envelope: Pairs, rows_at: str = "") -> str:
    """Return the vendor's message in an envelope, or an empty text.

    :param rows_at: path of the orders, where some accounts put a text instead
    """
    named = [each for name in _MESSAGE_KEYS for each in values_of(envelope, name)]
    for each in (*named, *_values_at(envelope, rows_at)):
        if isinstance(each, str) and each.strip():
            return each.strip()
    return ""


def _values_at(envelope: Pairs, path: str) -> list[Any]:
    found: list[Any] = [envelope]
    for name in path.split(".") if path else ():
        found = [value for each in found if _is_object(each) for value in values_of(each, name)]
    return found


def _is_object(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, tuple) for each in value)


def texts_of(value: Any) -> Iterator[str]:
    """Yield every text in an envelope, except keys and the texts of orders."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list) and not (_is_object(value) and {"id", "createDate"} <= {name for name, _ in value}):
        for each in value:
            yield from texts_of(each[1] if isinstance(each, tuple) else each)


def failure_message(body: bytes, rows_at: str) -> str:
    """Return the message of a response without orders: of its envelope, or a short plain text; else an empty text.

    A text that means a known failure takes precedence; in a list, only such a text is a message.

    :param body: body in UTF-8
    :param rows_at: path of the orders, where some accounts put a text instead
    """
    try:
        found = _parse(body)
    except (ValueError, RecursionError):
        found = body.decode(errors="replace")
    if isinstance(found, list):
        try:
            return failure_message_of(found if body.lstrip()[:1] == b"{" else [("", found)], rows_at)
        except RecursionError:
            return ""
    text = str(found).strip()
    # Not HTML, malformed JSON or a JSON string with JSON in it.
    return text if len(text) <= _MAX_TEXT and text[:1] not in ("<", "{", "[") else ""


def failure_message_of(envelope: Pairs, rows_at: str) -> str:
    """Return the message of an envelope without orders; a text that means a known failure takes precedence."""
    message = message_of(envelope, rows_at)
    if meaning_of(message) is not None:
        return message
    return next((each.strip() for each in texts_of(envelope) if meaning_of(each) is not None), message)


def claims_of(envelope: Pairs) -> list[bool]:
    """Return what `success`, `status` and `code` report: true for success, false for failure, one value per key."""
    claims = [_normalized(each) in _SUCCESSES for each in values_of(envelope, "success") if each is not None]
    for each in (*values_of(envelope, "status"), *values_of(envelope, "code")):
        text = _normalized(each)
        if text in _FAILURES or _FAILED_STATUS.fullmatch(text):
            claims.append(False)
        elif text in _SUCCESSES:
            claims.append(True)
    return claims


def _normalized(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value.strip().lower() if isinstance(value, str) else ""
