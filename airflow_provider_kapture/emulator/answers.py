"""Writing answers: orders in their envelope, failures, and what is neither."""

from __future__ import annotations

import gzip
import json
import re
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from airflow_provider_kapture.emulator.book import Order
from airflow_provider_kapture.emulator.switches import Switches


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer.

    :param is_cut: whether the connection breaks in the middle of the body
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    is_cut: bool = False


_ENVELOPES = {
    "success": (b'{"success":"true","order_details":', b"}"),
    "boolean": (b'{"success":true,"order_details":', b"}"),
    "status": (b'{"order_details":', b',"status":"success"}'),
}
_PAIR = re.compile(rb'("(?:[^"\\]|\\.)*"):("(?:[^"\\]|\\.)*"|[^,}]+)')
_LEFT_OUT = (b'"remarks"', b'"lastModificationTime"', b'"vatamount"')
_ADDED = (
    (b'"orderScore"', b"0.1250"),
    (b'"customFields"', '{"color":"बैंगनी","sizes":[1,2.50,null]}'.encode()),
)
_HTML = b"<!DOCTYPE html>\n<html><head><title>Kapture</title></head><body><h1>We'll be back soon</h1></body></html>\n"
_MESSAGES = {
    400: "Bad Request",
    401: "Invalid Auth Key",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


def success(orders: Sequence[Order], switches: Switches) -> Reply:
    """A page of orders, or what stands for it where there are none."""
    if not orders and switches.empty == "message":
        return failure(200, "No orders found.", switches)
    head, tail = _ENVELOPES[switches.envelope]
    if not orders and switches.empty == "null":
        return Reply(200, head + b"null" + tail)
    if switches.indent:
        return Reply(200, _indented(head, [_written(order, switches) for order in orders], tail))
    rewritten = switches.numbers_as_strings or switches.unknown_fields or switches.missing_fields
    records = [_written(order, switches) if rewritten else order.record for order in orders]
    return Reply(200, b"%b[%b]%b" % (head, b",".join(records), tail))


def _written(order: Order, switches: Switches) -> bytes:
    """An order's record as the switches want it, each value to the letter as it is in the book."""
    pairs = _PAIR.findall(order.record)
    if switches.missing_fields and order.id % 3 == 0:
        pairs = [pair for pair in pairs if pair[0] not in _LEFT_OUT]
    if switches.unknown_fields:
        pairs = [*pairs, *_ADDED]
    if switches.numbers_as_strings:
        pairs = [(name, b'"%b"' % value if value[:1] in b"-0123456789" else value) for name, value in pairs]
    if switches.indent:
        return b"{\n            %b\n        }" % b",\n            ".join(b"%b: %b" % pair for pair in pairs)
    return b"{%b}" % b",".join(b"%b:%b" % pair for pair in pairs)


def _indented(head: bytes, records: Sequence[bytes], tail: bytes) -> bytes:
    head, tail = (
        part.replace(b"{", b"{\n    ").replace(b":", b": ").replace(b",", b",\n    ").replace(b"}", b"\n}")
        for part in (head, tail)
    )
    listed = b"[\n        %b\n    ]" % b",\n        ".join(records) if records else b"[]"
    return head + listed + tail


def failure(status: int, message: str | None, switches: Switches, headers: Mapping[str, str] | None = None) -> Reply:
    """A failure in the vendor's words, or in HTTP's where there are none."""
    names = ("message", "status") if switches.failure_keys == "lower" else ("Message", "Status")
    said = dict(zip(names, (message or _MESSAGES.get(status, "Failed"), "failed"), strict=True))
    return Reply(status, json.dumps(said).encode(), {"content-type": "application/json", **(headers or {})})


def page_of_html() -> Reply:
    """What a proxy or a maintenance page sends."""
    return Reply(200, _HTML, {"content-type": "text/html; charset=utf-8"})


def redirect(url: str) -> Reply:
    """An answer that sends the client elsewhere."""
    return Reply(302, b"", {"location": url})


def truncated(reply: Reply) -> Reply:
    """The answer whole by HTTP's account, but its JSON ends in the middle."""
    return replace(reply, body=reply.body[: len(reply.body) // 2])


def dropped(reply: Reply) -> Reply:
    """The answer whose connection breaks in the middle of the body."""
    return replace(reply, is_cut=True)


def packed(reply: Reply) -> Reply:
    """The answer packed with gzip."""
    headers = {**reply.headers, "content-encoding": "gzip", "vary": "Accept-Encoding"}
    return replace(reply, body=gzip.compress(reply.body, compresslevel=1, mtime=0), headers=headers)


@cache
def bomb() -> Reply:
    """A sound answer without orders, with a gigabyte of spaces in it: one megabyte as it travels."""
    packer = zlib.compressobj(9, wbits=-15)
    start, spaces, end = b'{"success":"true","order_details":[', b" " * 2**20, b"]}"
    # Blocks that end in a full flush do not know of each other, so the same megabyte can stand there 1,024 times.
    head = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(spaces) + packer.flush(zlib.Z_FULL_FLUSH)
    tail = packer.compress(end) + packer.flush()
    checksum = zlib.crc32(start)
    for _ in range(1_024):
        checksum = zlib.crc32(spaces, checksum)
    trailer = struct.pack("<LL", zlib.crc32(end, checksum), len(start) + 2**30 + len(end))
    header = b"\x1f\x8b\x08\0\0\0\0\0\x02\xff"
    body = header + head + block * 1_024 + tail + trailer
    return Reply(200, body, {"content-type": "application/json", "content-encoding": "gzip"})
