"""requests on the way to one account: within time whatever the other side does, and broken off at once.

Of its own, neither requests nor the standard library below it bounds how long an answer may take: each byte starts
their time-out anew, in the status line, the headers and the trailers as much as in the body.
"""

from __future__ import annotations

import http.client
import http.cookiejar
import socket
import threading
import weakref
from contextlib import suppress
from typing import Any

import requests
import requests.adapters
import urllib3
import urllib3.connection

from airflow_provider_kapture.client import orders
from airflow_provider_kapture.client.api.failures import Response
from airflow_provider_kapture.client.api.request import request_headers
from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.transport.cookies import PullCookies
from airflow_provider_kapture.client.transport.deadlines import BoundedResponse
from airflow_provider_kapture.client.transport.decompress import BoundedDecompressor
from airflow_provider_kapture.client.transport.environment import Proxy, ca_bundle, proxy_for
from airflow_provider_kapture.client.transport.lookups import Lookups
from airflow_provider_kapture.client.transport.network_errors import CHUNK_SIZE, cancelled_error, transport_error


class RequestsTransport:
    """A session with one account, and what all its requests have in common, so that it is worked out once.

    :param account: where, who and the account's dialect
    :raises KaptureSettingsError: the environment names a proxy or a CA bundle that will not do
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._sockets = _Sockets()
        self._lookups = Lookups(account.host)
        self._session = requests.Session()
        # The environment's say is taken here, once; and a netrc file has none.
        self._session.trust_env = False
        proxy = proxy_for(account)
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, _Adapter(self._sockets, account.dialect.max_concurrency, proxy))
        self._session.headers.clear()
        self._session.cookies.set_policy(_NoCookies())
        url = account.origin + orders.PATH
        request = requests.Request(account.dialect.http_method, url, request_headers(account))
        self._request = self._session.prepare_request(request)
        self._settings: dict[str, Any] = {
            "proxies": {"https": proxy.url} if proxy else {},
            "verify": ca_bundle(account),
            "timeout": (account.dialect.connect_timeout, account.dialect.read_timeout),
            "allow_redirects": False,
            "stream": True,
        }

    def send(self, body: bytes, cookies: PullCookies | None = None, max_bytes: int | None = None) -> Response:
        """Send one request; return the complete response to it.

        :param cookies: those of the pull that the request belongs to
        :param max_bytes: the most that the response may unpack to; ``max_response_bytes`` if none
        :raises KaptureTransportError: no whole answer came
        :raises KaptureShapeError: it is packed in a way that was not asked for, or unpacks to too much
        """
        request = self._request.copy()
        request.prepare_body(body, None)
        if cookies is not None:
            request.headers.update(cookies.header())
        try:
            with self._session.send(request, **self._settings) as response:
                encoding = response.headers.get("Content-Encoding", "")
                decompressor = BoundedDecompressor(encoding, max_bytes or self._account.dialect.max_response_bytes)
                while chunk := response.raw.read1(CHUNK_SIZE, decode_content=False):
                    decompressor.feed(chunk)
                self._lookups.answered()
                if cookies is not None:
                    cookies.keep(response.raw.headers.getlist("Set-Cookie"))
                return Response(response.status_code, response.headers, decompressor.finish())
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            if self._sockets.are_shut:
                failure = cancelled_error()
            else:
                failure = self._lookups.judge(transport_error(self._account, error))
        # Raised out here: an exception of the library's may hold what was sent.
        raise failure

    def close(self) -> None:
        """Break off what is on its way, and give the connections back."""
        self._sockets.shut()
        self._session.close()


class _Sockets:
    """The sockets of a line, to be shut from another thread than those that read from them."""

    def __init__(self) -> None:
        self._open: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._lock = threading.Lock()
        self.are_shut = False

    def add(self, opened: Any) -> None:
        with self._lock:
            self._open.add(getattr(opened, "socket", opened))
            if not self.are_shut:
                return
        self.shut()

    def shut(self) -> None:
        with self._lock:
            self.are_shut = True
            opened = tuple(self._open)
        for each in opened:
            with suppress(OSError):
                # Not as a TLS socket does it: that would have the reading thread read on in the clear.
                socket.socket.shutdown(each, socket.SHUT_RDWR)


class _Adapter(requests.adapters.HTTPAdapter):
    """Connections that keep to the time that an answer may take, and that can be broken off."""

    def __init__(self, sockets: _Sockets, connections: int, proxy: Proxy | None) -> None:
        self._pools = _pool_classes(sockets)
        self._proxy = proxy
        super().__init__(pool_maxsize=connections, max_retries=0)

    def init_poolmanager(self, *args: Any, **settings: Any) -> None:
        super().init_poolmanager(*args, **settings)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_headers(self, proxy: str) -> dict[str, str]:  # noqa: ARG002 - the signature is the library's
        return dict(self._proxy.headers) if self._proxy else {}

    def proxy_manager_for(self, proxy: str, **settings: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **settings)
        manager.pool_classes_by_scheme = self._pools
        return manager


def _pool_classes(sockets: _Sockets) -> dict[str, type[urllib3.HTTPConnectionPool]]:
    class Plain(urllib3.connection.HTTPConnection):
        response_class = BoundedResponse

        def connect(self) -> None:
            super().connect()
            sockets.add(self.sock)

    class Secure(urllib3.connection.HTTPSConnection):
        response_class = BoundedResponse

        def connect(self) -> None:
            super().connect()
            sockets.add(self.sock)

    class PlainPool(urllib3.HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(urllib3.HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


class _NoCookies(http.cookiejar.DefaultCookiePolicy):
    """The session keeps no cookies: they belong to a pull, and a session may serve several."""

    def set_ok(self, cookie: object, request: object) -> bool:  # noqa: ARG002 - the signature is the library's
        return False
