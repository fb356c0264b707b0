"""Broken connections: bytes and resets that a web framework cannot produce, written to uvicorn's transport."""

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
    """Return the application with uvicorn's transport in the scope of each request."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        scope[_TRANSPORT] = getattr(getattr(send, "__self__", None), "transport", None)
        await app(scope, receive, send)

    return wrapped


async def break_connection(reply: Reply, scope: Scope, receive: Receive) -> None:
    """Send a part of a response, and break the connection.

    :raises RuntimeError: the server is not the emulator's own, so its transport is not available
    """
    transport: asyncio.Transport | None = scope.get(_TRANSPORT)
    if transport is None:
        raise RuntimeError("Connections can only be broken in a server started by Emulator; remove switch broken_every")
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
    # Until the server notices that the connection is closed, it would send its own error response.
    while (await receive())["type"] != "http.disconnect":
        pass


def _reset(transport: asyncio.Transport) -> None:
    connection: Any = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
