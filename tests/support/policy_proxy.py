"""A proxy before an object store that refuses what a policy does not permit, by action and prefix, and makes faults."""

from __future__ import annotations

import http.client
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, quote, unquote, urlsplit

Answer = tuple[int, list[tuple[str, str]], bytes]


class BrokenConnectionError(Exception):
    """Instead of an answer: the connection is closed."""


@dataclass(frozen=True)
class Request:
    """What a client wants.

    :param action: as the store's policies name it; empty: permitted to everybody
    :param key: of the object, or the prefix of those that are listed
    :param headers: with names in lower case
    """

    method: str
    action: str
    key: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str] = field(default_factory=dict)


def s3_request(method: str, path: str, query: Mapping[str, list[str]], body: bytes) -> Request:
    """Read a request of Amazon's API with the bucket in the path."""
    key = unquote(path).strip("/").partition("/")[2]
    if not key:
        action = "s3:GetBucketLocation" if "location" in query else "s3:ListBucket"
    elif method == "DELETE":
        action = "s3:AbortMultipartUpload" if "uploadId" in query else "s3:DeleteObject"
    else:
        action = "s3:GetObject" if method in {"GET", "HEAD"} else "s3:PutObject"
    return Request(method, action, key or query.get("prefix", [""])[0], query)


def gs_request(method: str, path: str, query: Mapping[str, list[str]], body: bytes) -> Request:
    """Read a request of Google's JSON API."""
    _, _, key = path.partition("/o/")
    action = {"GET": "storage.objects.get", "DELETE": "storage.objects.delete"}.get(method, "")
    if "upload_id" in query:
        action = ""
    elif method == "POST":
        found = re.search(rb'"name": ?("(?:[^"\\]|\\.)*")', body)
        assert found is not None, body[:1_000]
        return Request(method, "storage.objects.create", json.loads(found[1]), query)
    elif not key:
        action = "storage.objects.list" if path.endswith("/o") else "storage.buckets.get"
    return Request(method, action, unquote(key) or query.get("prefix", [""])[0], query)


def abfs_request(method: str, path: str, query: Mapping[str, list[str]], body: bytes) -> Request:
    """Read a request to Azurite, which has the account and the container in the path."""
    key = unquote(path).strip("/").partition("/")[2].partition("/")[2]
    if not key:
        action = "blobs/read (list)" if query.get("comp") == ["list"] else "containers/read"
    else:
        action = {"GET": "blobs/read", "HEAD": "blobs/read", "DELETE": "blobs/delete"}.get(method, "blobs/write")
    return Request(method, action, key or query.get("prefix", [""])[0], query)


@dataclass(frozen=True)
class Kind:
    """How a store's requests are read, and how it refuses one.

    :param refused: headers and body of a refusal; the body has the action in place of ``ACTION``
    :param replace: what replacing an object needs besides writing it, where that is another permission
    :param hiding: who lacks it is not told what does not exist
    """

    read: Callable[[str, str, Mapping[str, list[str]], bytes], Request]
    refused: tuple[list[tuple[str, str]], bytes]
    replace: str = ""
    hiding: str = ""


KINDS = {
    "s3": Kind(
        s3_request,
        ([], b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"),
        hiding="s3:ListBucket",
    ),
    "gs": Kind(
        gs_request,
        (
            [("Content-Type", "application/json")],
            b'{"error": {"code": 403, "message": "Permission \'ACTION\' denied on resource (or it may not exist)."}}',
        ),
        replace="storage.objects.delete",
        hiding="storage.objects.list",
    ),
    "abfs": Kind(
        abfs_request,
        (
            [("x-ms-error-code", "AuthorizationPermissionMismatch"), ("Content-Type", "application/xml")],
            b"<Error><Code>AuthorizationPermissionMismatch</Code><Message>not permitted</Message></Error>",
        ),
    ),
}


class PolicyProxy:
    """Serves in threads from when it is entered.

    :ivar policy: what is permitted: action to the prefix of the keys
    :ivar seen: requests, by method and action
    :ivar fault: given a request, and a function that lets it through and returns its answer, returns another answer or
        raises :class:`BrokenConnectionError`; None to treat it as any other
    """

    def __init__(self, origin: str, kind: Kind = KINDS["s3"]) -> None:
        self.policy: dict[str, str] = {}
        self.seen: Counter[str] = Counter()
        self.fault: Callable[[Request, Callable[[], Answer]], Answer | None] | None = None
        self._kind = kind
        parts = urlsplit(origin)
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                try:
                    status, headers, content = proxy.answer(self.command, self.path, dict(self.headers), body)
                except BrokenConnectionError:
                    self.close_connection = True
                    return
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
        # Clients that were refused hang up while they send.
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self.origin = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        """Return status, headers and body of the answer to a request."""
        path, _, text = target.partition("?")
        request = self._kind.read(method, path, parse_qs(text, keep_blank_values=True), body)
        request = replace(request, headers={name.lower(): value for name, value in headers.items()})
        self.seen[f"{method} {request.action}"] += 1
        found = self.fault and self.fault(request, lambda: self._forward(method, target, headers, body))
        return found or self._answer(request, target, headers, body)

    def _answer(self, request: Request, target: str, headers: dict[str, str], body: bytes) -> Answer:
        if not self._permits(request.action, request.key):
            return self._refuse(request, request.action)
        if self._kind.replace and request.method == "POST":
            # Of a resumable upload too, although the store may look only at its end.
            there = f"{target.partition('?')[0].removeprefix('/upload')}/{quote(request.key, safe='')}"
            status, _, content = self._forward("GET", there, {"Host": headers["Host"]}, b"")
            generation = str(json.loads(content)["generation"]) if status == 200 else "0"
            # The emulator ignores the condition.
            if request.query.get("ifGenerationMatch", [generation]) != [generation]:
                return 412, [], b"{}"
            if status == 200 and not self._permits(self._kind.replace, request.key):
                return self._refuse(request, self._kind.replace)
        status, found, content = self._forward(request.method, target, headers, body)
        is_hidden = status == 404 and request.method in {"GET", "HEAD"} and self._kind.hiding
        if is_hidden and not self._permits(self._kind.hiding, request.key):
            return self._refuse(request, request.action)
        return status, found, content

    def _refuse(self, request: Request, action: str) -> Answer:
        headers, body = self._kind.refused
        return 403, headers, body.replace(b"ACTION", action.encode()) if request.method != "HEAD" else b""

    def _permits(self, action: str, key: str) -> bool:
        prefix = self.policy.get(action)
        return not action or (prefix is not None and key.startswith(prefix))

    def _forward(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        connection = http.client.HTTPConnection(*self._to)
        try:
            connection.request(method, target, body, headers)
            response = connection.getresponse()
            return response.status, response.getheaders(), response.read()
        finally:
            connection.close()
