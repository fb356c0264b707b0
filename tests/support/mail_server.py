"""An SMTP server on a loopback port that keeps the messages it is sent."""

from __future__ import annotations

import contextlib
import socketserver
import threading
from collections.abc import Iterator


class _Session(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self._reply(b"220 ready")
        for line in self.rfile:
            command = line.strip().upper()
            if command == b"DATA":
                self._reply(b"354 go on")
                self.server.messages.append(self._message())
            self._reply(b"221 bye" if command == b"QUIT" else b"250 ok")
            if command == b"QUIT":
                return

    def _message(self) -> str:
        lines = []
        for line in self.rfile:
            if line == b".\r\n":
                break
            lines.append(line.decode())
        return "".join(lines)

    def _reply(self, line: bytes) -> None:
        self.wfile.write(line + b"\r\n")


class MailServer(socketserver.ThreadingTCPServer):
    """A server with the connection ``smtp_default`` that leads to it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.messages: list[str] = []

    def connection(self) -> str:
        """The connection as JSON."""
        extra = '{"disable_ssl": true, "disable_tls": true}'
        return f'{{"conn_type": "smtp", "host": "127.0.0.1", "port": {self.server_address[1]}, "extra": {extra}}}'


@contextlib.contextmanager
def mail_server() -> Iterator[MailServer]:
    with MailServer() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
