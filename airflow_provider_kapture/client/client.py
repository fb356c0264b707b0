"""KaptureClient: moves bytes with requests, several pages at a time; decides nothing."""

from __future__ import annotations

import datetime as dt
import http.cookiejar
import json
import math
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec

from airflow_provider_kapture.client import orders
from airflow_provider_kapture.client.account import Account
from airflow_provider_kapture.client.days import DayRange, Window, WindowEdge, make_window
from airflow_provider_kapture.client.errors import (
    KaptureBusyError,
    KaptureRefusedError,
    KaptureShapeError,
    KaptureTransportError,
)
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
from airflow_provider_kapture.client.retry import policy
from airflow_provider_kapture.client.transport import (
    BUSY,
    CHUNK,
    READS,
    endless_error,
    requests_failures,
    transport_error,
)
from airflow_provider_kapture.client.unpack import Unpacker

if TYPE_CHECKING:
    import requests


class KaptureClient:
    """Pulls of orders from one account. A context manager; the connections are pooled for as long as it is open.

    :param account: where, who and the account's dialect
    """

    def __init__(self, account: Account) -> None:
        self.account = account
        self._line: _Line | None = None
        self._opening = threading.Lock()
        self._closed = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back; waits between retries end at once."""
        self._closed.set()
        if self._line is not None:
            self._line.session.close()
            self._line = None

    def window(self, window_start: WindowEdge, window_end: WindowEdge) -> Window:
        """The half-open window between two edges, in the account's zone.

        :raises KaptureSettingsError: an edge that can't be read, or a start that is not before the end
        """
        return make_window(window_start, window_end, self.account.zone)

    def iter_orders(
        self,
        window_start: WindowEdge,
        window_end: WindowEdge,
        *,
        date_field: str = "create",
        filters: Mapping[str, Any] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Orders of the half-open window, each once, as dicts, in a stable order; a few pages are held at a time.

        :raises KaptureError: the pull is not complete
        """
        asked = question(date_field, filters)
        window = self.window(window_start, window_end)
        return (as_dict(raw) for batch in self.pull(asked, window) for raw in batch.raws)

    def count_orders(
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
        batches = self.pull(asked, self.window(window_start, window_end), tally, at_least)
        try:
            for _ in batches:
                if at_least is not None and tally.rows >= at_least:
                    break
        finally:
            batches.close()
        return tally.rows

    def pull(
        self, asked: Question, window: Window, tally: Tally | None = None, enough: int | None = None
    ) -> Generator[Batch, None, None]:
        """The window's orders as Kapture sent them, batch by batch.

        :param tally: counts what is done while it is done
        :param enough: how many orders the caller will take: few pages are read beyond them
        :raises KaptureError: the pull is not complete; what came before is not all there is
        """
        tally = Tally() if tally is None else tally
        pull = Pull(self.account, asked, window, tally, enough)
        lanes = _Lanes(self, asked, tally)
        on_their_way: dict[tuple[int, int], Future[Page]] = {}
        try:
            while not pull.done:
                wanted = pull.requests()
                for each in wanted:
                    key = (id(each.listing), each.ask.number)
                    if key not in on_their_way:
                        on_their_way[key] = lanes.submit(each)
                page = on_their_way.pop((id(wanted[0].listing), wanted[0].ask.number)).result()
                batch = pull.take(page)
                if batch.raws:
                    yield batch
            self._check_last_days(lanes, pull)
        finally:
            pull.close()
            lanes.close()

    def fetch(self, asked: Question, days: DayRange, offset: int, limit: int | None = None) -> Page:
        """One page, asked for once: no retry.

        :raises KaptureError: the error that the answer is instead
        """
        body = request_body(self.account, asked, days, offset, limit)
        return page_of(self.send(body), self.account, dt.datetime.now(dt.UTC))

    def _check_last_days(self, lanes: _Lanes, pull: Pull) -> None:
        for days, wider in pull.empty_range_checks():
            try:
                page = lanes.fetch(wider, 0)
            except KaptureRefusedError:
                return  # an account that refuses the wider range tells nothing about the end date
            if pull.shows_last_day(days, page):
                pull.check_last_day(days, lanes.fetch(days, 0))

    def _opened(self) -> _Line:
        with self._opening:
            if self._line is None:
                self._line = _Line.to(self.account)
            return self._line

    def send(self, body: bytes) -> Answer:
        """One request, and the whole answer to it, whatever it says: no retry.

        :raises KaptureTransportError: no whole answer came
        :raises KaptureShapeError: it is packed in a way that was not asked for, or unpacks to too much
        """
        dialect = self.account.dialect
        deadline = time.monotonic() + READS * dialect.read_timeout
        try:
            with self._opened().send(body, dialect.connect_timeout, dialect.read_timeout) as response:
                unpacker = Unpacker(response.headers.get("Content-Encoding", ""), dialect.max_response_bytes)
                while chunk := response.raw.read1(CHUNK, decode_content=False):
                    unpacker.feed(chunk)
                    if time.monotonic() > deadline:
                        raise endless_error()
                return Answer(response.status_code, response.headers, unpacker.finish())
        except requests_failures() as error:
            raise transport_error(self.account, error) from None


@dataclass(frozen=True, slots=True)
class _Line:
    """A session with one account, and what all its requests have in common, so that it is worked out once.

    :param request: the request, but for its body
    :param settings: what the environment says of proxies and certificates
    """

    session: requests.Session
    request: requests.PreparedRequest
    settings: Mapping[str, Any]

    @classmethod
    def to(cls, account: Account) -> Self:
        import requests
        import requests.adapters

        session = requests.Session()
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=account.dialect.max_concurrency, max_retries=0)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        session.headers.clear()
        # Set, so that a netrc file can't put other credentials in their place.
        session.auth = lambda request: request
        session.cookies.set_policy(_NoCookies())
        url = account.origin + orders.PATH
        request = requests.Request(account.dialect.http_method, url, request_headers(account))
        settings = session.merge_environment_settings(url, {}, stream=True, verify=account.dialect.verify, cert=None)
        return cls(session, session.prepare_request(request), settings)

    def send(self, body: bytes, connect_timeout: float, read_timeout: float) -> requests.Response:
        request = self.request.copy()
        request.prepare_body(body, None)
        timeout = (connect_timeout, read_timeout)
        return self.session.send(request, timeout=timeout, allow_redirects=False, **self.settings)


class _NoCookies(http.cookiejar.DefaultCookiePolicy):
    """Each request stands for itself: no session of the server's is kept."""

    def set_ok(self, cookie: object, request: object) -> bool:  # noqa: ARG002 - the signature is the library's
        return False


class _Lanes:
    """The threads of one pull, and the flow that they keep to. Daemons: a pull that is given up holds nobody up."""

    def __init__(self, client: KaptureClient, asked: Question, tally: Tally) -> None:
        dialect = client.account.dialect
        self._client = client
        self._asked = asked
        self._tally = tally
        self._flow = Flow(dialect.max_concurrency, dialect.requests_per_second)
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._most = dialect.max_concurrency

    def submit(self, request: Request) -> Future[Page]:
        future: Future[Page] = Future()

        def job() -> None:
            try:
                future.set_result(self.fetch(request.days, request.ask.offset))
            except BaseException as error:  # noqa: BLE001 - it is raised where the result is taken
                future.set_exception(error)

        self._jobs.put(job)
        if len(self._threads) < self._most:
            thread = threading.Thread(target=self._work, name="kapture-page", daemon=True)
            self._threads.append(thread)
            thread.start()
        return future

    def close(self) -> None:
        self._stop.set()
        for _ in self._threads:
            self._jobs.put(None)
        with self._changed:
            self._changed.notify_all()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    def fetch(self, days: DayRange, offset: int) -> Page:
        retrying = policy(self._client.account).copy(sleep=self._stop.wait)
        for attempt in retrying:
            with attempt:
                if attempt.retry_state.attempt_number > 1:
                    self._tally.retries += 1
                return self._attempt(days, offset)
        raise AssertionError  # the policy reraises

    def _attempt(self, days: DayRange, offset: int) -> Page:
        with self._changed:
            self._changed.wait_for(lambda: self._flow.may_start() or self._stop.is_set())
            pause = self._flow.start(time.monotonic())
        busy = False
        try:
            if self._stop.wait(pause) or self._stop.is_set():
                raise KaptureTransportError("The pull was given up", reason="stopped")
            self._tally.requests += 1
            return self._client.fetch(self._asked, days, offset)
        except KaptureBusyError as error:
            busy = error.status in BUSY
            raise
        finally:
            with self._changed:
                self._flow.end(busy=busy)
                self._changed.notify_all()


def as_dict(raw: msgspec.Raw) -> dict[str, Any]:
    """An order as a dict.

    :raises KaptureShapeError: Python can't hold what it says; a file can
    """
    order = _decoded(raw)
    if order is None:
        raise KaptureShapeError(
            "Kapture gave an order with a number of thousands of digits, or nested too deeply, which can't be held as "
            "a dict; write the orders to a file instead",
            path=orders.PATH,
        )
    return order


def _decoded(raw: msgspec.Raw) -> dict[str, Any] | None:
    try:
        return _ORDER.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:  # a number beyond what a float holds
        order = json.loads(bytes(raw), parse_float=_number)
    except (ValueError, RecursionError):
        return None
    assert isinstance(order, dict)
    return order


_ORDER = msgspec.json.Decoder(dict[str, Any])


def _number(text: str) -> float | Decimal:
    number = float(text)
    return number if math.isfinite(number) else Decimal(text)
