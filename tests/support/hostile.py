"""A server that sends what no HTTP library would: raw bytes, on a socket of its own."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

ORDERS = b'{"success":"true","order_details":[]}'
Hello = Callable[[socket.socket, int], None]
Answer = bytes | Callable[[socket.socket], None]


def http(body: bytes = ORDERS, *headers: bytes, status: bytes = b"200 OK", length: int | None = None) -> bytes:
    """An answer; with a length that may not be the body's."""
    lines = [b"HTTP/1.1 " + status, b"Content-Type: application/json", *headers]
    lines.append(b"Content-Length: %d" % (len(body) if length is None else length))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def chunked(*chunks: bytes) -> bytes:
    """An answer with its chunks as they are given, sizes and all."""
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(chunks)


def endless(start: bytes, more: bytes, pause: float = 0.0) -> Callable[[socket.socket], None]:
    """Bytes that never end: as fast as they are taken, or one lot each ``pause`` seconds."""

    def send(connection: socket.socket) -> None:
        connection.sendall(start)
        gone = threading.Event()
        while not gone.wait(pause):
            connection.sendall(more)

    return send


def unfinished(start: bytes) -> Callable[[socket.socket], None]:
    """Some bytes, and silence until the other side is gone."""

    def send(connection: socket.socket) -> None:
        connection.sendall(start)
        connection.recv(1)

    return send


class Hostile:
    """Answers every request with the same, and counts them. A context manager.

    :param answer: the bytes of the answer, or what writes them
    :param then: the answer to every request but the first, where it is another
    :param tls: the certificate and key to speak TLS with; none for plain HTTP
    :param hello: what is done with a connection, and the how manieth it is, before anything is read from it
    """

    def __init__(
        self,
        answer: Answer,
        *,
        then: Answer | None = None,
        tls: Path | None = None,
        hello: Callable[[socket.socket, int], None] | None = None,
    ) -> None:
        self._first = answer
        self._then = answer if then is None else then
        self._hello = hello
        self._context = None
        if tls is not None:
            self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self._context.load_cert_chain(tls)
        self.requests: list[bytes] = []
        self.connections = 0
        self._open: list[socket.socket] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept, name="hostile", daemon=True)
        self._serving: list[threading.Thread] = []

    @property
    def origin(self) -> str:
        """The connection's host."""
        scheme = "http" if self._context is None else "https"
        return f"{scheme}://127.0.0.1:{self._listening.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listening.close()
        for each in self._open:
            with suppress(OSError):
                socket.socket.shutdown(each, socket.SHUT_RDWR)
        for each in self._serving:
            each.join()

    def is_left_alone(self) -> bool:
        """Whether every connection is closed on the other side, or is within seconds."""
        for each in tuple(self._serving):
            each.join(10)
        return not any(each.is_alive() for each in self._serving)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self.connections += 1
                self._open.append(connection)
                thread = threading.Thread(target=self._serve, args=(connection,), name="hostile", daemon=True)
                self._serving.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            if self._hello is not None:
                self._hello(connection, self.connections)
            if self._context is None:
                self._answer_all(connection)
            else:
                with self._context.wrap_socket(connection, server_side=True) as wrapped:
                    self._open.append(wrapped)
                    self._answer_all(wrapped)

    def _answer_all(self, connection: socket.socket) -> None:
        while request := _read_request(connection):
            self.requests.append(request)
            answer = self._first if len(self.requests) == 1 else self._then
            if callable(answer):
                answer(connection)
                return
            connection.sendall(answer)
            if b"Content-Length" not in answer and b"chunked" not in answer:
                return


def _read_request(connection: socket.socket) -> bytes:
    """A request, whole; nothing where the other side is gone."""
    request = b""
    while b"\r\n\r\n" not in request:
        lot = connection.recv(1 << 16)
        if not lot:
            return b""
        request += lot
    head, _, body = request.partition(b"\r\n\r\n")
    lengths: Iterable[bytes] = (line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    expected_length = int(next(iter(lengths), b":0").partition(b":")[2])
    while len(body) < expected_length:
        lot = connection.recv(1 << 16)
        if not lot:
            return b""
        body += lot
    return head + b"\r\n\r\n" + body
