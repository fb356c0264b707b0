"""AsyncKaptureClient: moves bytes with aiohttp, several pages at a time; decides nothing."""

from __future__ import annotations

import asyncio
import datetime as dt
import math
import ssl
import sys
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_kapture.client import orders
from airflow_provider_kapture.client.account import Account
from airflow_provider_kapture.client.client import as_dict
from airflow_provider_kapture.client.days import DayRange, Window, WindowEdge, make_window
from airflow_provider_kapture.client.errors import KaptureError, KaptureRefusedError
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
from airflow_provider_kapture.client.transport import (
    CHUNK,
    READS,
    EndlessError,
    proxy_for,
    stopped_error,
    transport_error,
    trusted_by,
)
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
        self._line: _Line | None = None
        self._opening = asyncio.Lock()
        self._gate = _Gate(account)
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
        line, self._line = self._line, None
        if line is not None:
            await line.session.close()

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
        async with aclosing(self.pull(asked, [self.window(window_start, window_end)])) as batches:
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
        async with aclosing(self.pull(asked, [self.window(window_start, window_end)], tally, at_least)) as batches:
            async for _ in batches:
                if at_least is not None and tally.rows >= at_least:
                    break
        return tally.rows

    async def pull(
        self, asked: Question, windows: Sequence[Window], tally: Tally | None = None, enough: int | None = None
    ) -> AsyncGenerator[Batch, None]:
        """The orders of windows, one window after another, as Kapture sent them, batch by batch.

        :param tally: counts what is done while it is done
        :param enough: how many orders the caller will take: few pages are read beyond them
        :raises KaptureError: the pull is not complete; what came before is not all there is
        """
        tally = Tally() if tally is None else tally
        pull = Pull(self.account, asked, windows, tally, enough)
        lanes = _Lanes(self, self._gate, asked, tally)
        self._open_lanes.add(lanes)
        try:
            while not pull.done:
                wanted = pull.requests()
                for each in wanted:
                    lanes.submit(each)
                batch = pull.take(await lanes.result(wanted[0]))
                if batch.ends is not None:
                    await self._check_last_days(lanes, pull, batch.ends)
                if batch.raws or batch.ends is not None:
                    yield batch
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

    async def _check_last_days(self, lanes: _Lanes, pull: Pull, window: Window) -> None:
        for days, wider in pull.empty_range_checks(window):
            try:
                page = await lanes.fetch(wider, 0)
            except KaptureRefusedError:
                return  # an account that refuses the wider range tells nothing about the end date
            if pull.shows_last_day(days, page):
                pull.check_last_day(days, await lanes.fetch(days, 0))

    async def _opened(self) -> _Line:
        async with self._opening:
            if self._line is None:
                self._line = await _Line.to(self.account)
            return self._line

    async def _send(self, body: bytes) -> Answer:
        line = await self._opened()
        import aiohttp

        dialect = self.account.dialect
        try:
            async with line.session.request(
                dialect.http_method,
                self.account.origin + orders.PATH,
                data=body,
                headers=request_headers(self.account),
                proxy=line.proxy,
                allow_redirects=False,
            ) as response:
                # As requests reads what comes twice: one value, with commas.
                headers = {name: ", ".join(response.headers.getall(name)) for name in response.headers}
                unpacker = Unpacker(headers.get("Content-Encoding", ""), dialect.max_response_bytes)
                while chunk := await response.content.read(CHUNK):
                    unpacker.feed(chunk)
                return Answer(response.status, headers, unpacker.finish())
        except (aiohttp.ClientError, OSError) as error:
            # What aiohttp raises for a connection or a read that takes too long is a class of its own, and an OSError.
            cause = EndlessError() if type(error) is TimeoutError else error
            failure = transport_error(self.account, cause)
        # Raised out here: an exception of the library's holds what was sent.
        raise failure


@dataclass(frozen=True, slots=True)
class _Line:
    """A session with one account, and the proxy on the way to it."""

    session: aiohttp.ClientSession
    proxy: str | None

    @classmethod
    async def to(cls, account: Account) -> Self:
        if "aiohttp" not in sys.modules or account.origin.startswith("https://"):
            # In a thread: what is imported or read for the first time would block the event loop.
            trust, proxy = await asyncio.to_thread(_surroundings, account)
        else:
            trust, proxy = _surroundings(account)
        import aiohttp

        dialect = account.dialect
        session = aiohttp.ClientSession(
            # The pool sets no limit: the flow does. Names are resolved as requests has it, by the system.
            connector=aiohttp.TCPConnector(limit=0, ssl=trust, resolver=aiohttp.ThreadedResolver()),
            # Each request stands for itself: no session of the server's is kept.
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(
                total=READS * dialect.read_timeout, connect=dialect.connect_timeout, sock_read=dialect.read_timeout
            ),
            auto_decompress=False,
        )
        return cls(session, proxy)


def _surroundings(account: Account) -> tuple[ssl.SSLContext | bool, str | None]:
    """What this machine says of whom to trust and of which proxy to take."""
    import aiohttp  # noqa: F401 - so that it is there

    return _trust(account), proxy_for(account)


def _trust(account: Account) -> ssl.SSLContext | bool:
    """The certificates that requests would trust: the same account must work in a worker and in a triggerer."""
    if account.origin.startswith("http://"):
        return True
    trusted = trusted_by(account)
    if isinstance(trusted, bool):
        return trusted
    path = Path(trusted)
    return _trust_of(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=16)
def _trust_of(path: Path, changed: int) -> ssl.SSLContext:  # noqa: ARG001 - what changed on disk is read again
    """One for all clients: to read a bundle takes tens of milliseconds and megabytes, and a triggerer has many."""
    return ssl.create_default_context(cafile=None if path.is_dir() else path, capath=path if path.is_dir() else None)


class _Gate:
    """The one way to Kapture of all tasks of a client, and the flow that it lets through."""

    def __init__(self, account: Account) -> None:
        self._flow = Flow.of(account)
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def passing(self, tally: Tally, attempt: int) -> AsyncGenerator[None, None]:
        """Wait for one's turn, and count as on the way until it is over."""
        clock = asyncio.get_running_loop().time
        await self._turn(clock)
        tally.requests += 1
        tally.retries += attempt > 1
        failure: KaptureError | None = None
        try:
            yield
        except KaptureError as error:
            failure = error
            raise
        finally:
            self._flow.end(clock(), failure)
            async with self._changed:
                self._changed.notify_all()

    async def _turn(self, clock: Callable[[], float]) -> None:
        while True:
            async with self._changed:
                while math.isinf(pause := self._flow.pause(clock())):
                    await self._changed.wait()
                if not pause:
                    self._flow.start(clock())
                    return
            await asyncio.sleep(pause)


class _Lanes:
    """The tasks of one pull."""

    def __init__(self, client: AsyncKaptureClient, gate: _Gate, asked: Question, tally: Tally) -> None:
        self._client = client
        self._gate = gate
        self._asked = asked
        self._tally = tally
        self._is_closed = False
        self._tasks: dict[tuple[int, int], asyncio.Task[Page]] = {}

    def submit(self, request: Request) -> None:
        key = _key(request)
        if key not in self._tasks and not self._is_closed:
            self._tasks[key] = asyncio.create_task(self.fetch(request.days, request.ask.offset), name="kapture-page")

    async def result(self, request: Request) -> Page:
        task = self._tasks.get(_key(request))
        if task is not None:
            await asyncio.wait((task,))
        if task is None or task.cancelled():
            raise stopped_error()
        del self._tasks[_key(request)]
        return task.result()

    async def close(self) -> None:
        self._is_closed = True
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def fetch(self, days: DayRange, offset: int) -> Page:
        async for attempt in async_policy(self._client.account):
            with attempt:
                async with self._gate.passing(self._tally, attempt.retry_state.attempt_number):
                    return await self._client.fetch(self._asked, days, offset)
        raise AssertionError  # the policy reraises


def _key(request: Request) -> tuple[int, int]:
    return id(request.listing), request.ask.number
