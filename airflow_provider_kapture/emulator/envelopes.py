"""Successful responses: orders in their envelope, and the response without orders.

Failures are in ``responses``; how a single order is written is in ``records``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from airflow_provider_kapture.emulator import responses
from airflow_provider_kapture.emulator.book import Order
from airflow_provider_kapture.emulator.records import is_rewritten, rewritten
from airflow_provider_kapture.emulator.responses import Reply
from airflow_provider_kapture.emulator.switches import Switches

# The JSON before the rows, and after them.
_CLAIMS = {
    "success": (b'"success":"true",', b""),
    "boolean": (b'"success":true,', b""),
    "number": (b'"success":1,', b""),
    "status": (b"", b',"status":"success"'),
    "capital": (b"", b',"Status":"Success"'),
    "status_200": (b"", b',"status":200'),
    "status_200_text": (b"", b',"status":"200"'),
    "status_ok": (b"", b',"status":"OK"'),
    "status_true": (b"", b',"status":true'),
    "code_200": (b'"code":200,', b""),
    "none": (b"", b""),
}
_ROWS = {"null": b"null", "text": b'""', "object": b"{}", "array": b"[]"}
_FAILURES = {"message": 200, "400": 400, "404": 404}
_CHARSETS = {
    "utf_8_bom": ("utf-8-sig", ""),
    "latin_1": ("iso-8859-1", "; charset=ISO-8859-1"),
    "latin_1_undeclared": ("iso-8859-1", ""),
    "cp1252": ("cp1252", "; charset=windows-1252"),
    "utf_16": ("utf-16", "; charset=UTF-16"),
    "utf_16_undeclared": ("utf-16", ""),
}


def orders_response(rows: Sequence[Order], switches: Switches) -> Reply:
    """Return the response with a page of orders."""
    head, tail = _envelope(switches)
    if switches.indent:
        body = _indented(head, [rewritten(order, switches) for order in rows], tail)
    else:
        has_changes = is_rewritten(switches)
        records = [rewritten(order, switches) if has_changes else order.record for order in rows]
        comma = b"," if switches.trailing_comma and records else b""
        body = b"%b[%b%b]%b" % (head, b",".join(records), comma, tail)
    if switches.double_json:
        body = json.dumps(body.decode(), ensure_ascii=False).encode()
    return _encoded(body, switches)


def empty_response(start_date: str, switches: Switches) -> Reply:
    """Return the response to a request that no order matches.

    :param start_date: the first date of the request, as it was sent
    """
    kind, message = switches.empty, switches.empty_message.replace("{start}", start_date)
    if kind == "array":
        return orders_response((), switches)
    if kind in _ROWS:
        head, tail = _envelope(switches)
        return _encoded(head + _ROWS[kind] + tail, switches)
    if kind in _FAILURES:
        return responses.failure(_FAILURES[kind], message, switches)
    rows_key = switches.rows_at.rpartition(".")[2] or "order_details"
    bodies = {
        "missing": json.dumps({"success": "true", "message": message}).encode(),
        "failed_array": json.dumps({"success": False, rows_key: []}).encode(),
        "sentence": json.dumps({"status": "failed", rows_key: message}).encode(),
        "bare_object": b"{}",
        "bare_list": b"[]",
    }
    wholes = {
        "204": Reply(204, b"", {}),
        "404_html": Reply(404, b"<html><body>Not Found</body></html>", {"content-type": "text/html"}),
    }
    return wholes.get(kind) or Reply(200, bodies.get(kind, b""))


def _envelope(switches: Switches) -> tuple[bytes, bytes]:
    """Return the JSON before the list of rows, and after it."""
    if not switches.rows_at:
        return b"", b""
    before, after = _CLAIMS[switches.envelope]
    path = [json.dumps(name).encode() + b":" for name in switches.rows_at.split(".")]
    return b"{" + before + b"{".join(path), b"}" * (len(path) - 1) + after + b"}"


def _indented(head: bytes, records: Sequence[bytes], tail: bytes) -> bytes:
    head, tail = (
        part.replace(b"{", b"{\n    ").replace(b":", b": ").replace(b",", b",\n    ").replace(b"}", b"\n}")
        for part in (head, tail)
    )
    listed = b"[\n        %b\n    ]" % b",\n        ".join(records) if records else b"[]"
    return head + listed + tail


def _encoded(body: bytes, switches: Switches) -> Reply:
    if switches.charset == "utf_8":
        return Reply(200, body, {"content-type": switches.content_type})
    name, declared = _CHARSETS[switches.charset]
    text = "".join(_escaped(each, name) for each in body.decode())
    return Reply(200, text.encode(name), {"content-type": switches.content_type + declared})


def _escaped(character: str, charset: str) -> str:
    """Return a character, as a JSON escape if the charset does not contain it."""
    if character.isascii() or charset.startswith("utf"):
        return character
    try:
        character.encode(charset)
    except UnicodeEncodeError:
        return json.dumps(character)[1:-1]
    return character
