"""Responses of requests that must be complete within a time limit."""

from __future__ import annotations

import http.client
import http.cookiejar
import io
import socket
import time
from typing import Any

from airflow_provider_kapture.client.transport.network_errors import TOTAL_TIMEOUT_FACTOR, ResponseTooSlowError


class BoundedResponse(http.client.HTTPResponse):
    """An answer that must have come whole by its time."""

    def __init__(self, sock: socket.socket, *args: Any, **settings: Any) -> None:
        super().__init__(sock, *args, **settings)
        longest = sock.gettimeout()
        if longest is not None:
            self.fp = io.BufferedReader(_BoundedReader(self.fp.detach(), TOTAL_TIMEOUT_FACTOR * longest))

    def begin(self) -> None:
        super().begin()
        # What is no header hides those behind it; urllib3 would go on without them, and log what it is.
        if self.msg.defects or self.msg.get_payload():
            raise http.client.HTTPException("headers that are none")
        if not all(each.strip().isdecimal() for each in self.msg.get_all("Content-Length", ())):
            raise http.client.HTTPException("a Content-Length that is none")


class _BoundedReader(io.RawIOBase):
    """Reads on until its time is up; each read is itself bounded by the socket's time-out."""

    def __init__(self, raw: io.RawIOBase, seconds: float) -> None:
        self._raw = raw
        self._deadline = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if time.monotonic() > self._deadline:
            raise ResponseTooSlowError
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()
