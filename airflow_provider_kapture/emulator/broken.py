"""Connections that break: what no web framework sends."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from airflow_provider_kapture.emulator.responses import Reply

_TRANSPORT = "kapture.transport"
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def with_transport(app: ASGIApp) -> ASGIApp:
    """The application with uvicorn's connection in the scope of each request."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        scope[_TRANSPORT] = getattr(getattr(send, "__self__", None), "transport", None)
        await app(scope, receive, send)

    return wrapped


async def break_connection(reply: Reply, scope: Scope, receive: Receive) -> None:
    """Send what a broken connection brings of an answer, and break it.

    :raises RuntimeError: the server is not uvicorn, whose connections are not at hand
    """
    transport: asyncio.Transport | None = scope.get(_TRANSPORT)
    if transport is None:
        raise RuntimeError("Connections can be broken only where Emulator serves them")
    length, half = len(reply.body), reply.body[: len(reply.body) // 2]
    whole_head = _HEAD + b"Content-Length: %d\r\n\r\n" % length
    sent = {
        "half_head": _HEAD[:30],
        "garbage": b"\x15\x03\x01\x00\x02\x02\x28\r\n\r\n",
        "reset_in_body": whole_head + half,
        "half_chunk": _HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % length + half,
        "silence": whole_head + half,
    }
    transport.write(sent.get(reply.broken or "", b""))
    if reply.broken in ("reset", "reset_in_body"):
        _reset(transport)
    elif reply.broken != "silence":
        transport.close()
    # Until the server knows that the connection is gone, it would send a failure of its own.
    while (await receive())["type"] != "http.disconnect":
        pass


def _reset(transport: asyncio.Transport) -> None:
    connection: Any = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
