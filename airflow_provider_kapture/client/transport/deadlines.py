"""A time limit for whole responses, for requests.

requests and urllib3 limit only the wait for the next bytes. aiohttp has a total time-out of its own.
"""

from __future__ import annotations

import http.client
import http.cookiejar
import io
import socket
import time
from typing import Any

from airflow_provider_kapture.client.transport.network_errors import TOTAL_TIMEOUT_FACTOR, ResponseTooSlowError


class BoundedResponse(http.client.HTTPResponse):
    """A response that must be complete within a time limit."""

    def __init__(self, sock: socket.socket, *args: Any, **settings: Any) -> None:
        super().__init__(sock, *args, **settings)
        read_timeout = sock.gettimeout()
        if read_timeout is not None:
            self.fp = io.BufferedReader(_BoundedReader(self.fp.detach(), TOTAL_TIMEOUT_FACTOR * read_timeout))

    def begin(self) -> None:
        super().begin()
        # After an invalid header line, urllib3 ignores the other headers and logs the line, which may be secret.
        if self.msg.defects or self.msg.get_payload():
            raise http.client.HTTPException("invalid headers")
        if not all(each.strip().isdecimal() for each in self.msg.get_all("Content-Length", ())):
            raise http.client.HTTPException("invalid Content-Length")


class _BoundedReader(io.RawIOBase):
    """Reader with a deadline; the socket's time-out limits each single read."""

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
