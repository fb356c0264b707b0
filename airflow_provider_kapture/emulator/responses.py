"""Responses without orders (failures, redirects), and faults in the transmission of any response.

Responses with orders are in ``envelopes``; the bytes of broken connections are in ``broken``.
"""

from __future__ import annotations

import gzip
import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from airflow_provider_kapture.emulator.switches import Switches


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP response.

    :param is_cut: whether the connection is closed in the middle of the body
    :param broken: how the connection breaks, as :attr:`Switches.broken`; None if it does not
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    is_cut: bool = False
    broken: str | None = None


_HTML = b"<!DOCTYPE html>\n<html><head><title>Kapture</title></head><body><h1>We'll be back soon</h1></body></html>\n"
_MESSAGES = {
    400: "Bad Request",
    401: "Invalid Auth Key",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Request is already in process",
    411: "Length Required",
    423: "Locked",
    429: "Too Many Requests",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
}


def failure(status: int, message: str | None, switches: Switches, headers: Mapping[str, str] | None = None) -> Reply:
    """Return a failure in the vendor's JSON.

    :param message: the message; None for the text of the HTTP status
    """
    names = ("message", "status") if switches.failure_keys == "lower" else ("Message", "Status")
    content = dict(zip(names, (message or _MESSAGES.get(status, "Failed"), "failed"), strict=True))
    return Reply(status, json.dumps(content).encode(), {"content-type": "application/json", **(headers or {})})


def too_many_requests(switches: Switches, headers: Mapping[str, str]) -> Reply:
    """Return the response to a request beyond the rate limit."""
    status = 200 if switches.too_fast == "failed" else int(switches.too_fast)
    message = switches.too_fast_message or (_MESSAGES[429] if status == 200 else None)
    return failure(status, message, switches, headers)


def html_page() -> Reply:
    """Return an HTML page, as a proxy or a server under maintenance sends it."""
    return Reply(200, _HTML, {"content-type": "text/html; charset=utf-8"})


def redirect(url: str) -> Reply:
    """Return a redirect to another URL."""
    return Reply(302, b"", {"location": url})


def truncated(reply: Reply) -> Reply:
    """Return the response with its JSON cut in the middle, and a matching Content-Length."""
    return replace(reply, body=reply.body[: len(reply.body) // 2])


def dropped(reply: Reply) -> Reply:
    """Return the response whose connection is closed in the middle of the body."""
    return replace(reply, is_cut=True)


def compressed(reply: Reply) -> Reply:
    """Return the response compressed with gzip."""
    headers = {**reply.headers, "content-encoding": "gzip", "vary": "Accept-Encoding"}
    return replace(reply, body=gzip.compress(reply.body, compresslevel=1, mtime=0), headers=headers)


def broken(reply: Reply, how: str) -> Reply:
    """Return the response with a broken connection or broken compression."""
    if how == "bad_gzip":
        return replace(compressed(reply), body=reply.body)
    if how == "short_gzip":
        whole = compressed(reply)
        return replace(whole, body=whole.body[: len(whole.body) // 2])
    return replace(reply, broken=how)


@cache
def bomb() -> Reply:
    """Return a valid response without orders that contains a gigabyte of spaces, compressed to a megabyte."""
    packer = zlib.compressobj(9, wbits=-15)
    start, spaces, end = b'{"success":"true","order_details":[', b" " * 2**20, b"]}"
    # Blocks that end with a full flush are independent, so the same compressed megabyte can be repeated 1,024 times.
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
