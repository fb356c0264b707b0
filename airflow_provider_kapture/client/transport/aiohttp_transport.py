"""aiohttp on the way to one account: what it sends, whom it trusts, and how long it waits."""

from __future__ import annotations

import asyncio
import ssl
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from airflow_provider_kapture.client import orders
from airflow_provider_kapture.client.api.failures import Response
from airflow_provider_kapture.client.api.request import request_headers
from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.transport.cookies import PullCookies
from airflow_provider_kapture.client.transport.decompress import BoundedDecompressor
from airflow_provider_kapture.client.transport.environment import Proxy, proxy_for, trust
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
    """A session with one account, and the proxy on the way to it."""

    account: Account
    session: aiohttp.ClientSession
    proxy: Proxy | None
    lookups: Lookups

    @classmethod
    async def open(cls, account: Account) -> Self:
        """A line to an account.

        :raises KaptureSettingsError: the environment names a proxy or a CA bundle that will not do
        """
        if "aiohttp" not in sys.modules or account.origin.startswith("https://"):
            # In a thread: what is imported or read for the first time would block the event loop.
            trusted, proxy = await asyncio.to_thread(_environment, account)
        else:
            trusted, proxy = _environment(account)
        import aiohttp

        dialect = account.dialect
        session = aiohttp.ClientSession(
            # The pool sets no limit: the flow does. Names are resolved as requests has it, by the system.
            connector=aiohttp.TCPConnector(limit=0, ssl=trusted, resolver=aiohttp.ThreadedResolver()),
            # Cookies belong to a pull, and a session may serve several.
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
        :param max_bytes: the most that the response may unpack to; ``max_response_bytes`` if none
        :raises KaptureTransportError: no whole answer came
        :raises KaptureShapeError: it is packed in a way that was not asked for, or unpacks to too much
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
                # As requests reads what comes twice: one value, with commas.
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
            # What aiohttp raises for a connection or a read that takes too long is a class of its own, and an OSError.
            cause = ResponseTooSlowError() if type(error) is TimeoutError else error
            failure = self.lookups.judge(transport_error(self.account, cause))
        # Raised out here: an exception of the library's holds what was sent.
        raise failure

    async def close(self) -> None:
        """Give the connections back."""
        await self.session.close()


def _environment(account: Account) -> tuple[ssl.SSLContext | bool, Proxy | None]:
    """What this machine says of whom to trust and of which proxy to take."""
    import aiohttp  # noqa: F401 - so that it is there

    return trust(account), proxy_for(account)
