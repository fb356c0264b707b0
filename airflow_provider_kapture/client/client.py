"""KaptureClient: moves bytes with requests, several pages at a time; decides nothing."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_kapture.client.account import Account
from airflow_provider_kapture.client.days import DayRange, Window, WindowEdge, make_window
from airflow_provider_kapture.client.dicts import as_dict
from airflow_provider_kapture.client.errors import KaptureError
from airflow_provider_kapture.client.lanes import Gate, Lanes
from airflow_provider_kapture.client.protocol import (
    Answer,
    Page,
    Question,
    discreet,
    page_of,
    question,
    request_body,
)
from airflow_provider_kapture.client.pull import Batch, Pull, Tally
from airflow_provider_kapture.client.retry import is_not_taken

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
        self._gate = Gate(account)
        self._open_lanes: set[Lanes] = set()

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
        try:
            while not pull.done:
                wanted = pull.requests()
                lanes.want(wanted)
                page = lanes.result(wanted[0])
                pull.foresee(lanes.arrived())
                batch = pull.take(page)
                if batch.ends is not None:
                    self._check_last_days(lanes, pull, batch.ends)
                if batch.raws or batch.ends is not None:
                    yield batch
        finally:
            pull.close()
            lanes.close()

    def _open(self, asked: Question, tally: Tally) -> Lanes:
        now = time.monotonic()
        self._open_lanes -= {each for each in tuple(self._open_lanes) if each.is_closed and each.join(now)}
        lanes = Lanes(self.account, self._gate, partial(self.fetch, asked), tally)
        self._open_lanes.add(lanes)
        return lanes

    def fetch(self, asked: Question, days: DayRange, offset: int, limit: int | None = None) -> Page:
        """One page, asked for once: no retry.

        :raises KaptureError: the error that the answer is instead
        """
        body = request_body(self.account, asked, days, offset, limit)
        return page_of(self.send(body), discreet(self.account, asked), dt.datetime.now(dt.UTC))

    def _check_last_days(self, lanes: Lanes, pull: Pull, window: Window) -> None:
        for days, wider in pull.last_days.questions(window):
            try:
                page = lanes.fetch(wider, 0, is_optional=True)
            except KaptureError as error:
                if is_not_taken(error):
                    return  # an account that does not take the wider range tells nothing about the end date
                raise
            if pull.last_days.shows(days, page):
                pull.last_days.check(days, lanes.fetch(days, 0))

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
