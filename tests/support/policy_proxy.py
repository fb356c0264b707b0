"""A proxy before an S3 server that refuses what a policy does not permit, by action and prefix, as Amazon does."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

_REFUSED = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"


def action_of(method: str, key: str, query: Mapping[str, Any]) -> str:
    """Return the action of IAM that a request needs."""
    if not key:
        return "s3:GetBucketLocation" if "location" in query else "s3:ListBucket"
    if method == "DELETE":
        return "s3:AbortMultipartUpload" if "uploadId" in query else "s3:DeleteObject"
    return "s3:GetObject" if method in {"GET", "HEAD"} else "s3:PutObject"


class PolicyProxy:
    """Serves in threads from when it is entered.

    :ivar policy: what is permitted: action to the prefix of the keys
    :ivar seen: requests, by method and action
    :ivar answers: action to status and error code of a fault, in place of an answer
    """

    def __init__(self, origin: str) -> None:
        self.policy: dict[str, str] = {}
        self.seen: Counter[str] = Counter()
        self.answers: dict[str, tuple[int, str]] = {}
        parts = urlsplit(origin)
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, headers, content = proxy.answer(self.command, self.path, dict(self.headers), body)
                self.send_response(status)
                for name, value in headers:
                    if name.lower() not in {"transfer-encoding", "connection", "content-length", "date", "server"}:
                        self.send_header(name, value)
                length = dict(headers).get("Content-Length") if self.command == "HEAD" else len(content)
                self.send_header("Content-Length", str(length or 0))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_one  # noqa: N815 - the names that http.server looks for

            def log_message(self, *_: Any) -> None:
                pass

        self._to = (parts.hostname or "", parts.port or 80)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.origin = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(
        self, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """Return status, headers and body of the answer to a request."""
        path, _, text = target.partition("?")
        query = parse_qs(text, keep_blank_values=True)
        key = unquote(path).strip("/").partition("/")[2]
        action = action_of(method, key, query)
        self.seen[f"{method} {action}"] += 1
        if action in self.answers:
            status, code = self.answers[action]
            return status, [], b"<Error><Code>%b</Code><Message>fault</Message></Error>" % code.encode()
        where = key or query.get("prefix", [""])[0]
        if not self._permits(action, where):
            return 403, [], _REFUSED
        status, found, content = self._forward(method, target, headers, body)
        # Who may not list is not told what does not exist.
        if status == 404 and action == "s3:GetObject" and not self._permits("s3:ListBucket", where):
            return 403, [], _REFUSED
        return status, found, content

    def _permits(self, action: str, key: str) -> bool:
        prefix = self.policy.get(action)
        return prefix is not None and key.startswith(prefix)

    def _forward(
        self, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(*self._to)
        try:
            connection.request(method, target, body, headers)
            response = connection.getresponse()
            return response.status, response.getheaders(), response.read()
        finally:
            connection.close()
