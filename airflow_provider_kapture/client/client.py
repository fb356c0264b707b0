"""KaptureClient: moves bytes with requests, several pages at a time; decides nothing."""

from __future__ import annotations

import datetime as dt
import json
import math
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec

from airflow_provider_kapture.client import orders
from airflow_provider_kapture.client.account import Account
from airflow_provider_kapture.client.days import DayRange, Window, WindowEdge, make_window
from airflow_provider_kapture.client.errors import (
    KaptureError,
    KaptureRefusedError,
    KaptureShapeError,
)
from airflow_provider_kapture.client.flow import Flow
from airflow_provider_kapture.client.protocol import (
    Answer,
    Page,
    Question,
    page_of,
    question,
    request_body,
)
from airflow_provider_kapture.client.pull import Batch, Pull, Request, Tally
from airflow_provider_kapture.client.retry import policy
from airflow_provider_kapture.client.transport import stopped_error

if TYPE_CHECKING:
    from airflow_provider_kapture.client.wire import Line

# Seconds that closing waits for threads whose connection was broken off; one that resolves a name can't be.
_FAREWELL = 1.0


class KaptureClient:
    """Pulls of orders from one account. A context manager; the connections are pooled for as long as it is open.

    :param account: where, who and the account's dialect
    """

    def __init__(self, account: Account) -> None:
        self.account = account
        self._line: Line | None = None
        self._opening = threading.Lock()
        self._gate = _Gate(account)
        self._open_lanes: set[_Lanes] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End what pulls there are, and give the connections back."""
        lanes = tuple(self._open_lanes)
        for each in lanes:
            each.close()
        with self._opening:
            line, self._line = self._line, None
        if line is not None:
            line.close()
        until = time.monotonic() + _FAREWELL
        for each in lanes:
            if each.join(until):
                self._open_lanes.discard(each)

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
        windows = [self.window(window_start, window_end)]
        return (as_dict(raw) for batch in self.pull(asked, windows) for raw in batch.raws)

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
        batches = self.pull(asked, [self.window(window_start, window_end)], tally, at_least)
        try:
            for _ in batches:
                if at_least is not None and tally.rows >= at_least:
                    break
        finally:
            batches.close()
        return tally.rows

    def pull(
        self, asked: Question, windows: Sequence[Window], tally: Tally | None = None, enough: int | None = None
    ) -> Generator[Batch, None, None]:
        """The orders of windows, one window after another, as Kapture sent them, batch by batch.

        :param tally: counts what is done while it is done
        :param enough: how many orders the caller will take: few pages are read beyond them
        :raises KaptureError: the pull is not complete; what came before is not all there is
        """
        tally = Tally() if tally is None else tally
        pull = Pull(self.account, asked, windows, tally, enough)
        lanes = self._open(asked, tally)
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
                if batch.ends is not None:
                    self._check_last_days(lanes, pull, batch.ends)
                if batch.raws or batch.ends is not None:
                    yield batch
        finally:
            pull.close()
            lanes.close()

    def _open(self, asked: Question, tally: Tally) -> _Lanes:
        now = time.monotonic()
        self._open_lanes -= {each for each in tuple(self._open_lanes) if each.is_closed and each.join(now)}
        lanes = _Lanes(self, self._gate, asked, tally)
        self._open_lanes.add(lanes)
        return lanes

    def fetch(self, asked: Question, days: DayRange, offset: int, limit: int | None = None) -> Page:
        """One page, asked for once: no retry.

        :raises KaptureError: the error that the answer is instead
        """
        body = request_body(self.account, asked, days, offset, limit)
        return page_of(self.send(body), self.account, dt.datetime.now(dt.UTC))

    def _check_last_days(self, lanes: _Lanes, pull: Pull, window: Window) -> None:
        for days, wider in pull.empty_range_checks(window):
            try:
                page = lanes.fetch(wider, 0)
            except KaptureRefusedError:
                return  # an account that refuses the wider range tells nothing about the end date
            if pull.shows_last_day(days, page):
                pull.check_last_day(days, lanes.fetch(days, 0))

    def send(self, body: bytes) -> Answer:
        """One request, and the whole answer to it, whatever it says: no retry.

        :raises KaptureSettingsError: the environment names a proxy or a CA bundle that will not do
        :raises KaptureTransportError: no whole answer came
        :raises KaptureShapeError: it is packed in a way that was not asked for, or unpacks to too much
        """
        with self._opening:
            if self._line is None:
                from airflow_provider_kapture.client.wire import Line

                self._line = Line(self.account)
            line = self._line
        return line.send(body)


class _Gate:
    """The one way to Kapture of all threads of a client, and the flow that it lets through."""

    def __init__(self, account: Account) -> None:
        self._flow = Flow.of(account)
        self._changed = threading.Condition()

    @contextmanager
    def passing(self, stop: threading.Event, tally: Tally, attempt: int) -> Iterator[None]:
        """Wait for one's turn, and count as on the way until it is over.

        :raises KaptureTransportError: ``stop`` was set
        """
        with self._changed:
            while not stop.is_set() and (pause := self._flow.pause(time.monotonic())):
                self._changed.wait(pause if math.isfinite(pause) else None)
            if stop.is_set():
                raise stopped_error()
            self._flow.start(time.monotonic())
            tally.requests += 1
            tally.retries += attempt > 1
        failure: KaptureError | None = None
        try:
            yield
        except KaptureError as error:
            failure = error
            raise
        finally:
            with self._changed:
                self._flow.end(time.monotonic(), failure)
                self._changed.notify_all()

    def wake(self) -> None:
        """Have those that wait look whether they are to stop."""
        with self._changed:
            self._changed.notify_all()


class _Lanes:
    """The threads of one pull. Daemons: a pull that is given up holds nobody up."""

    def __init__(self, client: KaptureClient, gate: _Gate, asked: Question, tally: Tally) -> None:
        self._client = client
        self._gate = gate
        self._asked = asked
        self._tally = tally
        self._stop = threading.Event()
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._most = client.account.dialect.max_concurrency

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
        self._gate.wake()

    @property
    def is_closed(self) -> bool:
        return self._stop.is_set()

    def join(self, until: float) -> bool:
        """Wait for the threads to end, until that moment at the latest; whether they have."""
        for each in self._threads:
            each.join(max(until - time.monotonic(), 0.0))
        return not any(each.is_alive() for each in self._threads)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    def fetch(self, days: DayRange, offset: int) -> Page:
        for attempt in policy(self._client.account).copy(sleep=self._stop.wait):
            number = attempt.retry_state.attempt_number
            with attempt, self._gate.passing(self._stop, self._tally, number):
                return self._client.fetch(self._asked, days, offset)
        raise AssertionError  # the policy reraises


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
    except (ValueError, ArithmeticError, RecursionError):
        return None
    assert isinstance(order, dict)
    return order


_ORDER = msgspec.json.Decoder(dict[str, Any])


def _number(text: str) -> float | Decimal:
    number = float(text)
    return number if math.isfinite(number) else Decimal(text)
