"""Send requests to one account with aiohttp, for triggers. `requests_transport.py` is the same for worker threads."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from airflow_provider_kapture.client import orders
from airflow_provider_kapture.client.api.failures import Response
from airflow_provider_kapture.client.api.request import request_headers
from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.transport.cookies import PullCookies
from airflow_provider_kapture.client.transport.decompress import BoundedDecompressor
from airflow_provider_kapture.client.transport.environment import Proxy, proxy_for, ssl_context
from airflow_provider_kapture.client.transport.lookups import Lookups
from airflow_provider_kapture.client.transport.network_errors import (
    CHUNK_SIZE,
    TOTAL_TIMEOUT_FACTOR,
    ResponseTooSlowError,
    transport_error,
)

if TYPE_CHECKING:
    import aiohttp


@dataclass(frozen=True, slots=True)
class AiohttpTransport:
    """An HTTP session with one account, and its proxy."""

    account: Account
    session: aiohttp.ClientSession
    proxy: Proxy | None
    lookups: Lookups

    @classmethod
    async def open(cls, account: Account) -> Self:
        """Return a transport to an account.

        :raises KaptureSettingsError: the environment names an unusable proxy or CA bundle
        """
        # In a thread: the first import of aiohttp and reading a CA bundle would block the event loop, and so would
        # waiting for another thread that has begun with either.
        trusted, proxy = await asyncio.to_thread(_environment, account)
        import aiohttp

        dialect = account.dialect
        session = aiohttp.ClientSession(
            # No limit here: the throttle limits requests. Names are resolved by the system, as with requests.
            connector=aiohttp.TCPConnector(limit=0, ssl=trusted, resolver=aiohttp.ThreadedResolver()),
            # Cookies belong to one pull, and a session may serve several.
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(
                total=TOTAL_TIMEOUT_FACTOR * dialect.read_timeout,
                connect=dialect.connect_timeout,
                sock_read=dialect.read_timeout,
            ),
            auto_decompress=False,
        )
        return cls(account, session, proxy, Lookups(account.host))

    async def send(self, body: bytes, cookies: PullCookies | None = None, max_bytes: int | None = None) -> Response:
        """Send one request; return the complete response to it.

        :param cookies: those of the pull that the request belongs to
        :param max_bytes: largest decompressed response; ``max_response_bytes`` if None
        :raises KaptureTransportError: there was no complete response
        :raises KaptureShapeError: the response has another encoding than requested, or is too large
        """
        import aiohttp

        dialect = self.account.dialect
        try:
            async with self.session.request(
                dialect.http_method,
                self.account.origin + orders.PATH,
                data=body,
                headers=request_headers(self.account) | dict(cookies.header() if cookies is not None else {}),
                proxy=self.proxy.url if self.proxy else None,
                proxy_headers=self.proxy.headers if self.proxy else None,
                allow_redirects=False,
            ) as response:
                # As in requests: a repeated header is one value, with commas.
                headers = {name: ", ".join(response.headers.getall(name)) for name in response.headers}
                encoding = headers.get("Content-Encoding", "")
                decompressor = BoundedDecompressor(encoding, max_bytes or dialect.max_response_bytes)
                while chunk := await response.content.read(CHUNK_SIZE):
                    decompressor.feed(chunk)
                self.lookups.answered()
                if cookies is not None:
                    cookies.keep(response.headers.getall("Set-Cookie", []))
                return Response(response.status, headers, decompressor.finish())
        except (aiohttp.ClientError, OSError) as error:
            # aiohttp raises TimeoutError itself for the total time-out, and subclasses of it for connect and read.
            cause = ResponseTooSlowError() if type(error) is TimeoutError else error
            failure = self.lookups.classify(transport_error(self.account, cause))
        # Raised outside of the handler: the library's exception, as the cause, would expose the request.
        raise failure

    async def close(self) -> None:
        """Close the connections."""
        await self.session.close()


def _environment(account: Account) -> tuple[ssl.SSLContext | bool, Proxy | None]:
    """Return the CA bundle and the proxy of this machine's environment."""
    import aiohttp  # noqa: F401 - imports it in this thread

    return ssl_context(account), proxy_for(account)
