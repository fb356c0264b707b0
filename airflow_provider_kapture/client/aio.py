"""AsyncKaptureClient: moves bytes with aiohttp, several pages at a time; decides nothing."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import ssl
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_kapture.client import orders
from airflow_provider_kapture.client.account import Account
from airflow_provider_kapture.client.client import as_dict
from airflow_provider_kapture.client.days import DayRange, Window, WindowEdge, make_window
from airflow_provider_kapture.client.errors import KaptureBusyError, KaptureRefusedError
from airflow_provider_kapture.client.flow import Flow
from airflow_provider_kapture.client.protocol import (
    Answer,
    Page,
    Question,
    page_of,
    question,
    request_body,
    request_headers,
)
from airflow_provider_kapture.client.pull import Batch, Pull, Request, Tally
from airflow_provider_kapture.client.retry import async_policy
from airflow_provider_kapture.client.transport import BUSY, CHUNK, READS, endless_error, transport_error
from airflow_provider_kapture.client.unpack import Unpacker

if TYPE_CHECKING:
    import aiohttp


class AsyncKaptureClient:
    """Pulls of orders from one account, on an event loop. An asynchronous context manager.

    The connections are pooled for as long as it is open.

    :param account: where, who and the account's dialect
    """

    def __init__(self, account: Account) -> None:
        self.account = account
        self._session: aiohttp.ClientSession | None = None
        self._proxy: str | None = None
        self._opening = asyncio.Lock()
        self._open_lanes: set[_Lanes] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End what pulls there are, and give the connections back."""
        for lanes in tuple(self._open_lanes):
            await lanes.close()
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def window(self, window_start: WindowEdge, window_end: WindowEdge) -> Window:
        """The half-open window between two edges, in the account's zone.

        :raises KaptureSettingsError: an edge that can't be read, or a start that is not before the end
        """
        return make_window(window_start, window_end, self.account.zone)

    async def iter_orders(
        self,
        window_start: WindowEdge,
        window_end: WindowEdge,
        *,
        date_field: str = "create",
        filters: Mapping[str, Any] | None = None,
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Orders of the half-open window, each once, as dicts, in a stable order; a few pages are held at a time.

        :raises KaptureError: the pull is not complete
        """
        asked = question(date_field, filters)
        async with aclosing(self.pull(asked, self.window(window_start, window_end))) as batches:
            async for batch in batches:
                for raw in batch.raws:
                    yield as_dict(raw)

    async def count_orders(
        self,
        window_start: WindowEdge,
        window_end: WindowEdge,
        *,
        date_field: str = "create",
        filters: Mapping[str, Any] | None = None,
        at_least: int | None = None,
    ) -> int:
        """How many orders the window has; reading stops once ``at_least`` are seen.

        :raises KaptureError: the pull is not complete
        """
        asked = question(date_field, filters)
        tally = Tally()
        async with aclosing(self.pull(asked, self.window(window_start, window_end), tally, at_least)) as batches:
            async for _ in batches:
                if at_least is not None and tally.rows >= at_least:
                    break
        return tally.rows

    async def pull(
        self, asked: Question, window: Window, tally: Tally | None = None, enough: int | None = None
    ) -> AsyncGenerator[Batch, None]:
        """The window's orders as Kapture sent them, batch by batch.

        :param tally: counts what is done while it is done
        :param enough: how many orders the caller will take: few pages are read beyond them
        :raises KaptureError: the pull is not complete; what came before is not all there is
        """
        tally = Tally() if tally is None else tally
        pull = Pull(self.account, asked, window, tally, enough)
        lanes = _Lanes(self, asked, tally)
        self._open_lanes.add(lanes)
        try:
            while not pull.done:
                wanted = pull.requests()
                for each in wanted:
                    lanes.submit(each)
                batch = pull.take(await lanes.result(wanted[0]))
                if batch.raws:
                    yield batch
            await self._check_last_days(lanes, pull)
        finally:
            pull.close()
            await lanes.close()
            self._open_lanes.discard(lanes)

    async def fetch(self, asked: Question, days: DayRange, offset: int, limit: int | None = None) -> Page:
        """One page, asked for once: no retry.

        :raises KaptureError: the error that the answer is instead
        """
        body = request_body(self.account, asked, days, offset, limit)
        return page_of(await self._send(body), self.account, dt.datetime.now(dt.UTC))

    async def _check_last_days(self, lanes: _Lanes, pull: Pull) -> None:
        for days, wider in pull.empty_range_checks():
            try:
                page = await lanes.fetch(wider, 0)
            except KaptureRefusedError:
                return  # an account that refuses the wider range tells nothing about the end date
            if pull.shows_last_day(days, page):
                pull.check_last_day(days, await lanes.fetch(days, 0))

    async def _opened(self) -> aiohttp.ClientSession:
        async with self._opening:
            if self._session is None:
                dialect = self.account.dialect
                if "aiohttp" not in sys.modules or self.account.origin.startswith("https://"):
                    # In a thread: what is imported or read for the first time would block the event loop.
                    trust, self._proxy = await asyncio.to_thread(_surroundings, self.account)
                else:
                    trust, self._proxy = _surroundings(self.account)
                import aiohttp

                self._session = aiohttp.ClientSession(
                    # The pool sets no limit: a pull's flow does.
                    connector=aiohttp.TCPConnector(limit=0, ssl=trust),
                    # Each request stands for itself: no session of the server's is kept.
                    cookie_jar=aiohttp.DummyCookieJar(),
                    timeout=aiohttp.ClientTimeout(
                        total=READS * dialect.read_timeout,
                        connect=dialect.connect_timeout,
                        sock_read=dialect.read_timeout,
                    ),
                    auto_decompress=False,
                )
            return self._session

    async def _send(self, body: bytes) -> Answer:
        dialect = self.account.dialect
        try:
            session = await self._opened()
        except OSError as error:
            raise transport_error(self.account, error) from None
        import aiohttp

        try:
            async with session.request(
                dialect.http_method,
                self.account.origin + orders.PATH,
                data=body,
                headers=request_headers(self.account),
                # Not by `trust_env`: that lets a netrc file contest the account's credentials.
                proxy=self._proxy,
                allow_redirects=False,
            ) as response:
                unpacker = Unpacker(response.headers.get("Content-Encoding", ""), dialect.max_response_bytes)
                while chunk := await response.content.read(CHUNK):
                    unpacker.feed(chunk)
                return Answer(response.status, response.headers, unpacker.finish())
        except (aiohttp.ClientError, OSError) as error:
            # What aiohttp raises for a connection or a read that takes too long is a class of its own, and an OSError.
            raise (endless_error() if type(error) is TimeoutError else transport_error(self.account, error)) from None


class _Lanes:
    """The tasks of one pull, and the flow that they keep to."""

    def __init__(self, client: AsyncKaptureClient, asked: Question, tally: Tally) -> None:
        dialect = client.account.dialect
        self._client = client
        self._asked = asked
        self._tally = tally
        self._flow = Flow(dialect.max_concurrency, dialect.requests_per_second)
        self._changed = asyncio.Condition()
        self._tasks: dict[tuple[int, int], asyncio.Task[Page]] = {}

    def submit(self, request: Request) -> None:
        key = _key(request)
        if key not in self._tasks:
            self._tasks[key] = asyncio.create_task(self.fetch(request.days, request.ask.offset), name="kapture-page")

    async def result(self, request: Request) -> Page:
        page = await self._tasks[_key(request)]
        del self._tasks[_key(request)]
        return page

    async def close(self) -> None:
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def fetch(self, days: DayRange, offset: int) -> Page:
        async for attempt in async_policy(self._client.account):
            with attempt:
                if attempt.retry_state.attempt_number > 1:
                    self._tally.retries += 1
                return await self._attempt(days, offset)
        raise AssertionError  # the policy reraises

    async def _attempt(self, days: DayRange, offset: int) -> Page:
        async with self._changed:
            await self._changed.wait_for(self._flow.may_start)
            pause = self._flow.start(asyncio.get_running_loop().time())
        busy = False
        try:
            await asyncio.sleep(pause)
            self._tally.requests += 1
            return await self._client.fetch(self._asked, days, offset)
        except KaptureBusyError as error:
            busy = error.status in BUSY
            raise
        finally:
            self._flow.end(busy=busy)
            async with self._changed:
                self._changed.notify_all()


def _key(request: Request) -> tuple[int, int]:
    return id(request.listing), request.ask.number


def _surroundings(account: Account) -> tuple[ssl.SSLContext | bool, str | None]:
    """What this machine says of whom to trust and of which proxy to take."""
    import aiohttp  # noqa: F401 - so that it is there
    import requests.utils

    url = account.origin + orders.PATH
    return _trust(account), requests.utils.select_proxy(url, requests.utils.get_environ_proxies(url))


def _trust(account: Account) -> ssl.SSLContext | bool:
    """The certificates that requests would trust: the same account must work in a worker and in a triggerer."""
    import requests.utils

    verify = account.dialect.verify
    if verify is False:
        return False
    if account.origin.startswith("http://"):
        return True
    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    path = Path(verify if isinstance(verify, str) else bundle or requests.utils.DEFAULT_CA_BUNDLE_PATH)
    return _trust_of(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=16)
def _trust_of(path: Path, changed: int) -> ssl.SSLContext:  # noqa: ARG001 - what changed on disk is read again
    """One for all clients: to read a bundle takes tens of milliseconds and megabytes, and a triggerer has many."""
    return ssl.create_default_context(cafile=None if path.is_dir() else path, capath=path if path.is_dir() else None)
