"""What an answer under 200 holds: a page of orders, or the error that it is. Pure.

A decoder of bytes that anybody may have sent: what it raises is a :class:`KaptureError` and nothing else.
"""

from __future__ import annotations

import codecs
import datetime as dt
import json
import math
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec

from airflow_provider_kapture.client import orders
from airflow_provider_kapture.client.api import json_repair
from airflow_provider_kapture.client.api.failures import (
    BYTE_ORDER_MARK,
    OK,
    Pairs,
    Response,
    auth_error,
    error_for_status,
    is_auth_failure,
    message_of,
    parse_envelope,
    refused_error,
    values_of,
)
from airflow_provider_kapture.client.api.json_fault import Fault, find_fault
from airflow_provider_kapture.client.api.redaction import redact, shorten
from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.errors import KaptureMalformedError, KaptureShapeError

OrderKey = int | str


@dataclass(frozen=True, slots=True)
class Page:
    """The orders of one answer.

    :ivar raws: each order's JSON as Kapture sent it
    :ivar keys: each order's ``id``
    :ivar instants: each order's ``createDate`` in epoch milliseconds; none where it has no usable one
    :ivar repaired: the indices of the orders whose JSON had line breaks inside strings, which are escaped
    """

    raws: Sequence[msgspec.Raw] = ()
    keys: Sequence[OrderKey] = ()
    instants: Sequence[int | None] = ()
    repaired: frozenset[int] = frozenset()


# An answer's text is looked at in pieces: as one, an answer with an emoji in it takes four times its size. They are
# small: large ones leave gaps in the heap of each thread that add up to many answers.
_CHUNK_SIZE = 1 << 11
# Orders that are put together at once, for much the same reason: what is as large as an answer is taken from the system
# and given back each time, which costs more than all that is done with it.
_BATCH_ROWS = 32


class _RawPage(msgspec.Struct):
    """An answer with a list of orders, each as it was sent."""

    order_details: list[msgspec.Raw]


class _CommonKeys(msgspec.Struct, gc=False):
    """The few fields of an order that a pull looks at, as they usually are."""

    id: int
    createDate: int  # noqa: N815 - the vendor's name


class _AnyKeys(msgspec.Struct, gc=False):
    """The same, whatever they are."""

    id: Any = None
    createDate: Any = None  # noqa: N815 - the vendor's name


class _CommonKeysPage(msgspec.Struct):
    order_details: list[_CommonKeys]


class _AnyKeysPage(msgspec.Struct):
    order_details: list[_AnyKeys]


_RAW_PAGE_DECODER = msgspec.json.Decoder(_RawPage)
_COMMON_KEYS_DECODER = msgspec.json.Decoder(_CommonKeysPage)
_ANY_KEYS_DECODER = msgspec.json.Decoder(_AnyKeysPage)
_ANY_KEYS_ROW_DECODER = msgspec.json.Decoder(_AnyKeys)
_LINE_BREAK = re.compile(rb"[\r\n]")
_SPANS_DECODER = msgspec.json.Decoder(dict[str, msgspec.Raw])
# What a decoder of bytes that anybody may have sent comes to grief with.
_DECODE_ERRORS = (msgspec.DecodeError, ValueError, RecursionError)


def parse_body(body: bytes, account: Account) -> Page:
    """The page that a body is.

    :raises KaptureAnswerError: the error that it is instead
    """
    body = body.removeprefix(BYTE_ORDER_MARK)
    page = _parse_or_none(body, _parse_page, account) or _parse_or_none(body, _parse_repaired, account)
    # Raised out here: an exception in its chain would carry the response along.
    if page is not None:
        return page
    fault = find_fault(body) if body.lstrip().startswith(b"{") else None
    if fault is None or fault.is_truncated:
        raise KaptureShapeError(f"{_UNEXPECTED} {_describe(body)}", path=orders.PATH)
    raise KaptureMalformedError(
        f"Kapture sent malformed JSON: {fault.reason}, at byte {fault.place}{_order_of(fault)}. "
        "Report it to Kapture's support; until it is mended, pull other days, or leave the order out with `filters`",
        path=orders.PATH,
    )


def _order_of(fault: Fault) -> str:
    """Return which order a fault is in."""
    if not fault.number:
        return " of the response"
    name = f"the order with `id` {shorten(fault.order_id.decode())}, " if fault.order_id else ""
    return f" of the response, in {name}number {fault.number} of its orders"


def _parse_or_none(body: bytes, parse: Callable[[bytes, Account], Page], account: Account) -> Page | None:
    """The page in a body; none where it is no JSON of that shape."""
    try:
        _check_text(body)
        return parse(body, account)
    except _DECODE_ERRORS:
        return None


def _check_text(body: bytes) -> None:
    """See that a body is UTF-8: msgspec does not look into strings that it passes by."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    for at in range(0, len(body), _CHUNK_SIZE):
        decoder.decode(body[at : at + _CHUNK_SIZE])
    decoder.decode(b"", final=True)


def _parse_page(body: bytes, account: Account) -> Page:
    raws: list[msgspec.Raw] | None
    try:
        raws = _RAW_PAGE_DECODER.decode(body).order_details
    except msgspec.ValidationError:
        raws = None
    envelope = parse_envelope(_without_rows(body, raws or ()))
    _check_envelope(envelope, raws, account)
    return Page(raws, *_keys_and_instants(body)) if raws else Page()


def _check_envelope(envelope: Pairs, raws: Sequence[object] | None, account: Account) -> None:
    """Raise unless an envelope is that of a page.

    :param raws: the orders in it; none where it has no list of them
    """
    if len(envelope) != len({name for name, _ in envelope}):
        # A decoder keeps the last: the orders under the other would be lost in silence.
        raise KaptureShapeError(f"{_UNEXPECTED} a JSON object that has one of its keys twice", path=orders.PATH)
    message = message_of(envelope)
    is_known_empty = not raws and message in account.dialect.empty_messages
    _check_success(envelope, message, account, is_known_empty=is_known_empty)
    if raws is None and not (is_known_empty and dict(envelope).get("order_details") is None):
        raise _missing_list_error(envelope, message, account)


def _parse_repaired(body: bytes, account: Account) -> Page:
    """Return the page in a body that a strict decoder rejects, as long as its values can be told.

    :raises ValueError: it is malformed
    """
    values = json_repair.members(body)
    rows = next((value for name, value in reversed(values) if name == "order_details"), b"")
    raws = json_repair.elements(rows) if rows.startswith(b"[") else None
    fields = ((name, b"[]" if raws is not None and value is rows else value) for name, value in values)
    rest = b",".join(b"%b:%b" % (json.dumps(name).encode(), json_repair.strict(value)) for name, value in fields)
    _check_envelope(parse_envelope(b"{%b}" % rest), raws, account)
    found = [_key_and_instant(raw) for raw in raws or ()]
    lines = [json_repair.escape_line_breaks(raw) if _LINE_BREAK.search(raw) else raw for raw in raws or ()]
    repaired = (index for index, (line, raw) in enumerate(zip(lines, raws or (), strict=True)) if line != raw)
    keys, instants = [key for key, _ in found], [instant for _, instant in found]
    return Page([msgspec.Raw(line) for line in lines], keys, instants, frozenset(repaired))


def _key_and_instant(raw: bytes) -> tuple[OrderKey, int | None]:
    """Return an order's ``id`` and ``createDate``, from JSON that may not be strict.

    :raises ValueError: it is malformed
    """
    strict = json_repair.strict(raw, constant=b"{}")
    # With U+FFFD for each lone surrogate, two ids could become one.
    readable = [raw] if strict == raw or json_repair.replace_lone_surrogates(raw) != raw else [raw, strict]
    for text in readable:
        with suppress(msgspec.DecodeError, RecursionError):
            order = _ANY_KEYS_ROW_DECODER.decode(text)
            return order_key(order.id), _to_instant(order.createDate)
    # msgspec also rejects deep nesting, and a number of thousands of digits.
    if find_fault(raw) is not None:
        raise ValueError("malformed")
    values = dict(json_repair.members(raw))
    found = (json_repair.scalar(values.get(name, b"null")) for name in ("id", "createDate"))
    return order_key(next(found)), _to_instant(next(found))


def _keys_and_instants(body: bytes) -> tuple[list[OrderKey], list[int | None]]:
    with suppress(msgspec.ValidationError):
        common = _COMMON_KEYS_DECODER.decode(body).order_details
        instants = [each.createDate for each in common]
        return [each.id for each in common], [each if each in _INSTANTS else None for each in instants]
    found = _ANY_KEYS_DECODER.decode(body).order_details
    return [order_key(each.id) for each in found], [_to_instant(each.createDate) for each in found]


def _without_rows(body: bytes, raws: Sequence[msgspec.Raw]) -> bytes:
    """The answer with an empty list in place of its orders: what is left is small."""
    if not raws:
        return body
    start = body.find(bytes(raws[0]))
    end = _end_of_rows(raws, body, start)
    if end is not None and body[start - 1 : start] == b"[" and body.startswith(b"]", end):
        return body[:start] + body[end:]
    # There is space between the orders, or the first stands elsewhere, too.
    rows = bytes(_SPANS_DECODER.decode(body)["order_details"])
    start = body.find(rows)
    return body[:start] + b"[]" + body[start + len(rows) :]


def _end_of_rows(raws: Sequence[msgspec.Raw], body: bytes, start: int) -> int | None:
    """Where orders end that stand one behind another from ``start`` on; none where they do not."""
    end = start + len(raws[0])
    for at in range(1, len(raws), _BATCH_ROWS):
        few = b",".join((b"", *raws[at : at + _BATCH_ROWS]))
        if not body.startswith(few, end):
            return None
        end += len(few)
    return end


_UNEXPECTED = "Kapture answered 200, but not with the success that its API promises:"
# How a whole number is written where it is a number: "007" is a text of its own.
_NUMERAL = re.compile(r"0|-?[1-9][0-9]{0,3999}")
_SURROGATE = re.compile("[\ud800-\udfff]")
# The whole numbers that a float holds exactly: beyond, two ids could become one.
_MAX_EXACT_FLOAT = 2**53
# Years 1 to 9999 in epoch milliseconds, less a day or two for any zone.
_INSTANTS = range(-62_135_400_000_000, 253_402_100_000_000)


def order_key(value: Any) -> OrderKey:
    """An order's ``id`` as one value, whether it came as a number or as a string.

    :raises KaptureShapeError: there is none
    """
    if type(value) is int:
        return value
    if isinstance(value, str) and value.strip() and "\0" not in value:
        if _SURROGATE.search(value):
            # No database takes such a text. Another id cannot be the same: none contains NUL.
            return "\0" + json.dumps(value)
        return int(value) if _NUMERAL.fullmatch(value) else value
    if isinstance(value, float) and value.is_integer() and -_MAX_EXACT_FLOAT < value < _MAX_EXACT_FLOAT:
        return int(value)
    raise KaptureShapeError(f"{_UNEXPECTED} an order without an `id` that tells it from others", path=orders.PATH)


def _to_instant(value: Any) -> int | None:
    if isinstance(value, str):
        value = int(value) if _NUMERAL.fullmatch(value.strip()) else None
    elif isinstance(value, float) and math.isfinite(value):
        value = int(value)
    return value if type(value) is int and value in _INSTANTS else None


def _check_success(envelope: Pairs, message: str, account: Account, *, is_known_empty: bool) -> None:
    """Raise unless the envelope claims success and nothing in it says otherwise; a message that means "none" passes."""
    if is_auth_failure(message):
        raise auth_error(OK)
    if is_known_empty:
        return
    claims = [
        each is True or _normalized(each) == "true" for each in values_of(envelope, "success") if each is not None
    ]
    for each in values_of(envelope, "status"):
        if each is False or _normalized(each) in _FAILURES:
            claims.append(False)
        elif _normalized(each) == "success":
            claims.append(True)
    if not all(claims):
        raise refused_error(OK, message, account)
    if not claims:
        shown = f' and says "{redact(message, account)}"' if message else ""
        raise KaptureShapeError(
            f"{_UNEXPECTED} a JSON object that claims no success{shown}",
            path=orders.PATH,
            excerpt=redact(message, account),
        )


_FAILURES = frozenset({"failed", "failure", "fail", "error", "false"})


def _normalized(value: Any) -> str:
    return value.strip().lower() if isinstance(value, str) else ""


def _missing_list_error(envelope: Pairs, message: str, account: Account) -> KaptureShapeError:
    is_there = any(name == "order_details" for name, _ in envelope)
    found = "`order_details` is not a list" if is_there else "there is no `order_details`"
    excerpt = redact(message, account)
    hint = (
        f'. The message is "{excerpt}": where that is how this account says that there are no orders, '
        "put it in `empty_messages`"
        if message
        else ""
    )
    return KaptureShapeError(f"{_UNEXPECTED} {found}{hint}", path=orders.PATH, excerpt=excerpt)


def _describe(body: bytes) -> str:
    """What a strange answer is, without a word of it: it may hold anything."""
    start = body.lstrip()[:1]
    if not start:
        return "an empty body"
    if start == b"<":
        return "an HTML or XML page, such as a proxy, a login page or a maintenance page sends"
    return "a body that is not a whole JSON object in UTF-8, or holds what is no order"


def parse_response(response: Response, account: Account, now: dt.datetime) -> Page:
    """The page that an answer is.

    :param now: what a Retry-After that is a date is held against
    :raises KaptureAnswerError: the error that it is instead
    """
    if response.status != 200:
        raise error_for_status(response, account, now)
    return parse_body(response.body, account)
