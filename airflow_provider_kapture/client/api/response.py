"""What a response holds: a page of orders, or the error that it is instead. Pure.

A decoder of bytes that anybody may have sent: what it raises is a :class:`KaptureError` and nothing else.
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
    :ivar instants: each order's ``createDate`` in epoch milliseconds; none where it has no usable one
    :ivar repaired: the indices of the orders whose JSON had line breaks inside strings, which are escaped
    """

    raws: Sequence[msgspec.Raw] = ()
    keys: Sequence[OrderKey] = ()
    instants: Sequence[int | None] = ()
    repaired: frozenset[int] = frozenset()


# A response's text is checked in pieces: as one, a response with an emoji in it takes four times its size. They are
# small: large ones leave gaps in the heap of each thread that add up to many responses.
_CHUNK_SIZE = 1 << 11
# Orders that are put together at once, for much the same reason: what is as large as a response is taken from the
# system and given back each time, which costs more than all that is done with it.
_BATCH_ROWS = 32
# What decoders of foreign bytes raise.
_DECODE_ERRORS = (msgspec.DecodeError, ValueError, RecursionError)
_LINE_BREAK = re.compile(rb"[\r\n]")


def parse_response(response: Response, account: Account, now: dt.datetime, *, has_answered: bool = False) -> Page:
    """Return the page that a response is.

    :param now: what a Retry-After that is a date is compared with
    :param has_answered: whether Kapture has answered this client with orders, or a known empty, before
    :raises KaptureAnswerError: the error that it is instead
    """
    try:
        body = to_utf8(response.body, response.headers)
    except UnicodeDecodeError:
        body = None
    if body is None:
        raise KaptureShapeError(
            f"{_UNEXPECTED} a body that is not in the charset that it declares",
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
    # Raised out here: an exception in its chain would carry the response along.
    if page is not None:
        return page
    body = response.body
    if is_known_empty(account.dialect, OK, body):
        return Page()
    if body.lstrip()[:1] == b"<" and not has_answered:
        raise login_page_error()
    # An object's message has been read.
    message = "" if body.lstrip()[:1] == b"{" else failure_message(body, account.dialect.rows_at)
    if meaning_of(message) is not None or is_listed(message, account.dialect.busy_messages):
        raise failure_error(message, account, response.headers, now)
    fault = find_fault(body) if body.lstrip()[:1] in (b"{", b"[") else None
    if fault is None or fault.is_truncated:
        raise KaptureShapeError(f"{_UNEXPECTED} {_describe(body, account)}", path=orders.PATH)
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


_Parser = Callable[[Response, Account, dt.datetime], Page]


def _parse_or_none(parse: _Parser, response: Response, account: Account, now: dt.datetime) -> Page | None:
    """Return the page in a body; none where it is no JSON of that shape."""
    try:
        _check_text(response.body)
        return parse(response, account, now)
    except _DECODE_ERRORS:
        return None


def _check_text(body: bytes) -> None:
    """See that a body is UTF-8: msgspec does not look into strings that it passes by."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    for at in range(0, len(body), _CHUNK_SIZE):
        decoder.decode(body[at : at + _CHUNK_SIZE])
    decoder.decode(b"", final=True)


def _parse_page(response: Response, account: Account, now: dt.datetime) -> Page:
    body, decoders = response.body, decoders_for(account.dialect.rows_at)
    raws = decoders.raws(body)
    is_bare = not decoders.path and body.lstrip()[:1] == b"["
    envelope = [] if is_bare else parse_envelope(_without_rows(body, raws or (), decoders))
    _check_envelope(response, envelope, raws, account, now)
    return Page(raws, *keys_and_instants(body, decoders)) if raws else Page()


def _parse_repaired(response: Response, account: Account, now: dt.datetime) -> Page:
    """Return the page in a body that a strict decoder rejects, as long as its values can be told.

    :raises ValueError: it is malformed
    """
    envelope, raws = _repaired_rows(response.body, decoders_for(account.dialect.rows_at).path)
    _check_envelope(response, envelope, raws, account, now)
    found = [key_and_instant(raw) for raw in raws or ()]
    lines = [json_repair.escape_line_breaks(raw) if _LINE_BREAK.search(raw) else raw for raw in raws or ()]
    repaired = (index for index, (line, raw) in enumerate(zip(lines, raws or (), strict=True)) if line != raw)
    keys, instants = [key for key, _ in found], [instant for _, instant in found]
    return Page([msgspec.Raw(line) for line in lines], keys, instants, frozenset(repaired))


def _repaired_rows(body: bytes, path: Sequence[str]) -> tuple[Pairs, Sequence[bytes] | None]:
    """Return the envelope and the orders of a body; none where no list of them stands at the path.

    :raises ValueError: it is malformed
    """
    if not path:
        return [], json_repair.elements(body)
    values = json_repair.members(body)
    rows = body
    for name in path:
        members = json_repair.members(rows) if rows.lstrip().startswith(b"{") else []
        rows = next((value for key, value in reversed(members) if key == name), b"")
    raws = json_repair.elements(rows) if rows.startswith(b"[") else None
    # What leads to the orders is left out of the envelope.
    fields = ((name, b"[]" if raws is not None and name == path[0] else value) for name, value in values)
    rest = b",".join(b"%b:%b" % (json.dumps(name).encode(), json_repair.strict(value)) for name, value in fields)
    return parse_envelope(b"{%b}" % rest), raws


def _check_envelope(
    response: Response, envelope: Pairs, raws: Sequence[object] | None, account: Account, now: dt.datetime
) -> None:
    """Raise unless an envelope is that of a page.

    :param raws: the orders in it; none where it has no list of them
    :raises KaptureAnswerError: the error that the response is
    """
    body, path = response.body, decoders_for(account.dialect.rows_at).path
    if len(envelope) != len({name for name, _ in envelope}):
        # A decoder keeps the last: the orders under the other would be lost in silence.
        raise KaptureShapeError(f"{_UNEXPECTED} a JSON object that has one of its keys twice", path=orders.PATH)
    claims = claims_of(envelope)
    message = (message_of if claims and all(claims) else failure_message_of)(envelope, account.dialect.rows_at)
    is_failure = not all(claims)
    has_words = meaning_of(message) is not None or is_listed(message, account.dialect.busy_messages)
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


def _is_null(envelope: Pairs, path: Sequence[str]) -> bool:
    """Return whether null stands in the place of the orders."""
    found: Any = envelope
    for name in path:
        if not isinstance(found, list) or not any(isinstance(each, tuple) and each[0] == name for each in found):
            return False
        found = dict(found)[name]
    return found is None


def _without_rows(body: bytes, raws: Sequence[msgspec.Raw], decoders: RowDecoders) -> bytes:
    """Return the response with an empty list in place of its orders: what is left is small."""
    if not raws:
        return body
    start = body.find(bytes(raws[0]))
    end = _end_of_rows(raws, body, start)
    if end is not None and body[start - 1 : start] == b"[" and body.startswith(b"]", end):
        return body[:start] + body[end:]
    # There is space between the orders, or the first stands elsewhere, too.
    rows = decoders.span(body)
    start = body.find(rows)
    return body[:start] + b"[]" + body[start + len(rows) :]


def _end_of_rows(raws: Sequence[msgspec.Raw], body: bytes, start: int) -> int | None:
    """Return where orders end that stand one behind another from ``start`` on; none where they do not."""
    end = start + len(raws[0])
    for at in range(1, len(raws), _BATCH_ROWS):
        few = b",".join((b"", *raws[at : at + _BATCH_ROWS]))
        if not body.startswith(few, end):
            return None
        end += len(few)
    return end


_UNEXPECTED = "Kapture answered 200, but not with the success that its API promises:"


def _no_claim_error(body: bytes, message: str, account: Account) -> KaptureAnswerError:
    excerpt = redact(message, account)
    shown = f' and says "{excerpt}"' if message else ""
    where = _where_orders_are(body, account)
    message = f"{_UNEXPECTED} a JSON object that claims no success{shown}{where}"
    return _permanent(message, excerpt) if where else KaptureShapeError(message, path=orders.PATH, excerpt=excerpt)


def _missing_list_error(body: bytes, envelope: Pairs, message: str, account: Account) -> KaptureAnswerError:
    rows_at = account.dialect.rows_at
    is_there = any(name == rows_at.partition(".")[0] for name, _ in envelope)
    found = f"`{rows_at}` is not a list" if is_there else f"there is no `{rows_at}`"
    if not rows_at:
        found = "an object, and not the bare list that `rows_at` ('') says"
    excerpt = redact(message, account)
    hint = _where_orders_are(body, account)
    if not hint and message:
        hint = (
            f'. The message is "{excerpt}": where that is how this account says that there are no orders, put it in '
            "`empty_messages`"
        )
    elif not hint:
        hint = "; where that is how this account says that there are no orders, `kapture doctor CONN_ID` finds it out"
    return _permanent(f"{_UNEXPECTED} {found}{hint}", excerpt)


def _where_orders_are(body: bytes, account: Account) -> str:
    """Return a hint at connection extra ``rows_at``, where orders stand elsewhere."""
    try:
        paths = paths_of_orders(json.loads(body))
    except (ValueError, RecursionError):
        return ""
    paths = [each for each in paths if each != account.dialect.rows_at]
    return f"; orders stand at {paths[0]!r}: set `rows_at` to it" if len(paths) == 1 else ""


def _permanent(message: str, excerpt: str = "") -> KaptureShapeError:
    """Return an error that another response to the same request would be again."""
    error = KaptureShapeError(message, path=orders.PATH, excerpt=excerpt)
    error.transient, error.permanent = False, True
    return error


def _describe(body: bytes, account: Account) -> str:
    """Return what a strange body is, without a word of it: it may hold anything."""
    start = body.lstrip()[:1]
    if not start:
        return "an empty body"
    if start == b"<":
        return "an HTML or XML page, such as a proxy, a login page or a maintenance page sends"
    if start == b'"':
        return "a text that may hold JSON, and not the JSON itself"
    if start == b"[":
        return f"a list, and not an object{_where_orders_are(body, account)}"
    try:
        body.decode()
    except UnicodeDecodeError:
        return "a body that is not UTF-8, and declares no other charset in its Content-Type"
    return "a body that is not a whole JSON object, or holds what is no order"
