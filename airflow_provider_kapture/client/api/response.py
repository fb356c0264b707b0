"""Parse a response into a page of orders, or raise the error that it means. No I/O.

The bytes are untrusted: only :class:`KaptureError` is raised, whatever they are. Errors are chosen in `failures.py`,
orders are cut out in `rows.py`, and malformed JSON is handled in `json_repair.py` and `json_fault.py`.
"""

from __future__ import annotations

import codecs
import datetime as dt
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from airflow_provider_kapture.client import orders
from airflow_provider_kapture.client.api import json_repair
from airflow_provider_kapture.client.api.empties import is_known_empty
from airflow_provider_kapture.client.api.envelope import (
    Pairs,
    claims_of,
    failure_message,
    failure_message_of,
    message_of,
    parse_envelope,
    to_utf8,
)
from airflow_provider_kapture.client.api.failures import (
    OK,
    Response,
    error_for_status,
    failure_error,
    login_page_error,
    permanent_shape_error,
)
from airflow_provider_kapture.client.api.json_fault import Fault, find_fault
from airflow_provider_kapture.client.api.keys import OrderKey, key_and_instant, keys_and_instants
from airflow_provider_kapture.client.api.redaction import redact, shorten
from airflow_provider_kapture.client.api.rows import RowDecoders, decoders_for, paths_of_orders
from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.errors import KaptureAnswerError, KaptureMalformedError, KaptureShapeError
from airflow_provider_kapture.client.words import is_listed, meaning_of


@dataclass(frozen=True, slots=True)
class Page:
    """The orders of one response.

    :ivar raws: each order's JSON as Kapture sent it
    :ivar keys: each order's ``id``
    :ivar instants: each order's ``createDate`` in epoch milliseconds; None if it has no usable one
    :ivar repaired: the indices of the orders whose JSON had line breaks inside strings, which are escaped
    """

    raws: Sequence[msgspec.Raw] = ()
    keys: Sequence[OrderKey] = ()
    instants: Sequence[int | None] = ()
    repaired: frozenset[int] = frozenset()


# A response is checked in pieces: decoded as a whole, a response with an emoji takes four times its size. The pieces
# are small: large ones leave gaps in the heap of each thread that add up to many responses.
_CHUNK_SIZE = 1 << 11
# Errors that decoding untrusted bytes may raise.
_DECODE_ERRORS = (msgspec.DecodeError, ValueError, RecursionError)
_LINE_BREAK = re.compile(rb"[\r\n]")


def parse_response(response: Response, account: Account, now: dt.datetime, *, has_answered: bool = False) -> Page:
    """Return the page in a response.

    :param now: current time, to evaluate a Retry-After that is a date
    :param has_answered: whether this client has received orders, or a known empty response, before
    :raises KaptureAnswerError: the response is not a page
    """
    try:
        body = to_utf8(response.body, response.headers)
    except UnicodeDecodeError:
        body = None
    if body is None:
        raise KaptureShapeError(
            f"{_UNEXPECTED} a body that is not in its declared charset",
            status=response.status,
            path=orders.PATH,
        )
    response = Response(response.status, response.headers, body)
    if response.status == OK:
        return _parse_ok(response, account, now, has_answered=has_answered)
    if is_known_empty(account.dialect, response.status, body):
        return Page()
    raise error_for_status(response, account, now, has_answered=has_answered)


def _parse_ok(response: Response, account: Account, now: dt.datetime, *, has_answered: bool) -> Page:
    parsers = (_parse_page, _parse_repaired)
    page = next((page for parse in parsers if (page := _parse_or_none(parse, response, account, now))), None)
    # Raised outside of the handlers: an exception in the chain would expose the response.
    if page is not None:
        return page
    body = response.body
    if is_known_empty(account.dialect, OK, body):
        return Page()
    if body.lstrip()[:1] == b"<" and not has_answered:
        raise login_page_error()
    # The message of an object was evaluated before.
    message = "" if body.lstrip()[:1] == b"{" else failure_message(body, account.dialect.rows_at)
    if _has_known_words(message, account):
        raise failure_error(message, account, response.headers, now)
    fault = find_fault(body) if body.lstrip()[:1] in (b"{", b"[") else None
    if fault is None or fault.is_truncated:
        raise KaptureShapeError(f"{_UNEXPECTED} {_describe(body, account)}", path=orders.PATH)
    raise KaptureMalformedError(
        f"Kapture sent malformed JSON: {fault.reason}, at byte {fault.place}{_order_of(fault)}. "
        "Report it to Kapture's support; until it is fixed, pull other days or exclude the order with `filters`",
        path=orders.PATH,
    )


def _order_of(fault: Fault) -> str:
    """Return the part of a message that says which order has the fault."""
    if not fault.number:
        return " of the response"
    name = f"the order with `id` {shorten(fault.order_id.decode())}, " if fault.order_id else ""
    return f" of the response, in {name}number {fault.number} of its orders"


_Parser = Callable[[Response, Account, dt.datetime], Page]


def _parse_or_none(parse: _Parser, response: Response, account: Account, now: dt.datetime) -> Page | None:
    """Return the page in a body, or None if the parser does not accept its JSON."""
    try:
        _check_text(response.body)
        return parse(response, account, now)
    except _DECODE_ERRORS:
        return None


def _check_text(body: bytes) -> None:
    """Raise UnicodeDecodeError unless a body is UTF-8, which msgspec does not check in strings that it skips."""
    at = len(body) if body.isascii() else 0
    while at < len(body):
        chunk = body[at : at + _CHUNK_SIZE]
        is_last = at + _CHUNK_SIZE >= len(body)
        # A character that is cut by the end of a chunk is left to the next one.
        at += len(chunk) if chunk.isascii() else codecs.utf_8_decode(chunk, "strict", is_last)[1]


def _parse_page(response: Response, account: Account, now: dt.datetime) -> Page:
    body, decoders = response.body, decoders_for(account.dialect.rows_at)
    raws = decoders.raws(body)
    is_bare = not decoders.path and body.lstrip()[:1] == b"["
    envelope = [] if is_bare else parse_envelope(_without_rows(body, raws or (), decoders))
    _check_envelope(response, envelope, raws, account, now)
    return Page(raws, *keys_and_instants(body, decoders)) if raws else Page()


def _parse_repaired(response: Response, account: Account, now: dt.datetime) -> Page:
    """Return the page in a body that a strict decoder rejects, if its values are clear.

    :raises ValueError: the body is malformed
    """
    envelope, raws = _repaired_rows(response.body, decoders_for(account.dialect.rows_at).path)
    _check_envelope(response, envelope, raws, account, now)
    found = [key_and_instant(raw) for raw in raws or ()]
    lines = [json_repair.escape_line_breaks(raw) if _LINE_BREAK.search(raw) else raw for raw in raws or ()]
    repaired = (index for index, (line, raw) in enumerate(zip(lines, raws or (), strict=True)) if line != raw)
    keys, instants = [key for key, _ in found], [instant for _, instant in found]
    return Page([msgspec.Raw(line) for line in lines], keys, instants, frozenset(repaired))


def _repaired_rows(body: bytes, path: Sequence[str]) -> tuple[Pairs, Sequence[bytes] | None]:
    """Return the envelope and the orders of a body; None for the orders if there is no list at the path.

    :raises ValueError: the body is malformed
    """
    if not path:
        return [], json_repair.elements(body)
    values = json_repair.members(body)
    rows = body
    for name in path:
        members = json_repair.members(rows) if rows.lstrip().startswith(b"{") else []
        rows = next((value for key, value in reversed(members) if key == name), b"")
    raws = json_repair.elements(rows) if rows.startswith(b"[") else None
    # The envelope is parsed without the key that leads to the orders.
    fields = ((name, b"[]" if raws is not None and name == path[0] else value) for name, value in values)
    rest = b",".join(b"%b:%b" % (json.dumps(name).encode(), json_repair.strict(value)) for name, value in fields)
    return parse_envelope(b"{%b}" % rest), raws


def _check_envelope(
    response: Response, envelope: Pairs, raws: Sequence[object] | None, account: Account, now: dt.datetime
) -> None:
    """Raise an error unless the envelope is that of a page.

    :param raws: orders of the response; None if it has no list of orders
    :raises KaptureAnswerError: the response is not a page
    """
    body, path = response.body, decoders_for(account.dialect.rows_at).path
    if len(envelope) != len({name for name, _ in envelope}):
        # A decoder keeps the last value: orders under the other key would be lost without an error.
        raise KaptureShapeError(f"{_UNEXPECTED} a JSON object with a duplicate key", path=orders.PATH)
    claims = claims_of(envelope)
    message = (message_of if claims and all(claims) else failure_message_of)(envelope, account.dialect.rows_at)
    is_failure = not all(claims)
    has_words = _has_known_words(message, account)
    if raws:
        if is_failure or (not claims and has_words):
            raise failure_error(message, account, response.headers, now)
        return
    if is_known_empty(account.dialect, OK, body):
        return
    if is_failure or has_words:
        raise failure_error(message, account, response.headers, now)
    if raws is not None and not path:
        return
    if not claims:
        raise _no_claim_error(body, message, account)
    if raws is None and not _is_null(envelope, path):
        raise _missing_list_error(body, envelope, message, account)


def _has_known_words(message: str, account: Account) -> bool:
    """Return whether a message means a failure: by the table of words, or by ``busy_messages``."""
    return meaning_of(message) is not None or is_listed(message, account.dialect.busy_messages)


def _is_null(envelope: Pairs, path: Sequence[str]) -> bool:
    """Return whether null is in the place of the orders."""
    found: Any = envelope
    for name in path:
        if not isinstance(found, list) or not any(isinstance(each, tuple) and each[0] == name for each in found):
            return False
        found = dict(found)[name]
    return found is None


def _without_rows(body: bytes, raws: Sequence[msgspec.Raw], decoders: RowDecoders) -> bytes:
    """Return the response with an empty list in place of its orders, to parse only the small rest."""
    if not raws:
        return body
    first, last = bytes(raws[0]), bytes(raws[-1])
    start, end = body.find(first), body.rfind(last) + len(last)
    # From the first order to the last, there is at least this much text; if there is not more, these are their places.
    length = sum(map(len, raws)) + len(raws) - 1
    if end - start == length and body[start - 1 : start] == b"[" and body[end : end + 1] == b"]":
        return body[:start] + body[end:]
    # There is white space between the orders, or the text of the first or the last one also occurs elsewhere.
    rows = decoders.span(body)
    start = body.find(rows)
    return body[:start] + b"[]" + body[start + len(rows) :]


_UNEXPECTED = "Kapture returned 200, but not a success response of its API:"


def _no_claim_error(body: bytes, message: str, account: Account) -> KaptureAnswerError:
    excerpt = redact(message, account)
    shown = f', with the message "{excerpt}"' if message else ""
    where = _where_orders_are(body, account)
    remedy = where or "; check the connection's `host`, and run `kapture doctor CONN_ID`"
    message = f"{_UNEXPECTED} a JSON object that reports no success{shown}{remedy}"
    if where:
        return permanent_shape_error(message, excerpt=excerpt)
    return KaptureShapeError(message, path=orders.PATH, excerpt=excerpt)


def _missing_list_error(body: bytes, envelope: Pairs, message: str, account: Account) -> KaptureAnswerError:
    rows_at = account.dialect.rows_at
    is_there = any(name == rows_at.partition(".")[0] for name, _ in envelope)
    found = f"`{rows_at}` is not a list" if is_there else f"there is no `{rows_at}`"
    if not rows_at:
        found = "an object instead of the bare list that `rows_at` ('') means"
    excerpt = redact(message, account)
    hint = _where_orders_are(body, account)
    if not hint and message:
        hint = f'. If its message, "{excerpt}", means that there are no orders, add it to `empty_messages`'
    elif not hint:
        hint = "; if this account returns that when there are no orders, `kapture doctor CONN_ID` finds the setting"
    return permanent_shape_error(f"{_UNEXPECTED} {found}{hint}", excerpt=excerpt)


def _where_orders_are(body: bytes, account: Account) -> str:
    """Return a hint to connection extra ``rows_at`` if the orders are elsewhere in the response."""
    paths = [each for each in paths_of_orders(body) if each != account.dialect.rows_at]
    return f"; orders are at {paths[0]!r}: set `rows_at` to that" if len(paths) == 1 else ""


def _describe(body: bytes, account: Account) -> str:
    """Describe an unexpected body, without any of its text, which may be confidential."""
    start = body.lstrip()[:1]
    if not start:
        return "an empty body"
    if start == b"<":
        return "an HTML or XML page, such as a login, maintenance or proxy page; check the connection's `host`"
    if start == b'"':
        return "a JSON string instead of an object"
    if start == b"[":
        return f"a list instead of an object{_where_orders_are(body, account)}"
    try:
        body.decode()
    except UnicodeDecodeError:
        return "a body that is not UTF-8 and declares no other charset in its Content-Type"
    return "an incomplete JSON object, or a list with entries that are not orders"
