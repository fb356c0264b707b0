"""Send requests to one account with requests, for worker threads: with a total time limit, and cancellable.

requests and the standard library limit only the wait for the next byte, in the status line, headers and trailers as
well as in the body; `deadlines.py` limits the whole response. `aiohttp_transport.py` is the same for triggers.
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
    """An HTTP session with one account, and what its requests have in common.

    :param account: origin, credentials and dialect of the account
    :raises KaptureSettingsError: the environment names an unusable proxy or CA bundle
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._sockets = _Sockets()
        self._lookups = Lookups(account.host)
        self._session = requests.Session()
        # The proxy and the CA bundle are set below; requests must not also read a netrc file.
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
        :param max_bytes: largest decompressed response; ``max_response_bytes`` if None
        :raises KaptureTransportError: there was no complete response
        :raises KaptureShapeError: the response has another encoding than requested, or is too large
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
                failure = self._lookups.classify(transport_error(self._account, error))
        # Raised outside of the handler: the library's exception, as the cause, would expose the request.
        raise failure

    def close(self) -> None:
        """Cancel the requests in flight, and close the connections."""
        self._sockets.shut()
        self._session.close()


class _Sockets:
    """The sockets of a transport, which one thread shuts down while others read from them."""

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
                # Not SSLSocket.shutdown, which would make the reading thread continue without decryption.
                socket.socket.shutdown(each, socket.SHUT_RDWR)


class _Adapter(requests.adapters.HTTPAdapter):
    """Connections with a time limit for responses, which can be cancelled."""

    def __init__(self, sockets: _Sockets, connections: int, proxy: Proxy | None) -> None:
        self._pools = _pool_classes(sockets)
        self._proxy = proxy
        super().__init__(pool_maxsize=connections, max_retries=0)

    def init_poolmanager(self, *args: Any, **settings: Any) -> None:
        super().init_poolmanager(*args, **settings)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_headers(self, proxy: str) -> dict[str, str]:  # noqa: ARG002 - the library's signature
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
    """No cookies in the session: they belong to one pull, and a session may serve several."""

    def set_ok(self, cookie: object, request: object) -> bool:  # noqa: ARG002 - the signature is the library's
        return False
