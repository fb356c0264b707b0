"""KaptureClient: moves bytes with requests, several pages at a time; decides nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_kapture.client.account import Account
from airflow_provider_kapture.client.base import BaseClient
from airflow_provider_kapture.client.days import DayRange, Window, WindowEdge
from airflow_provider_kapture.client.dicts import as_dict
from airflow_provider_kapture.client.lanes import Gate, Lanes
from airflow_provider_kapture.client.protocol import Answer, Page, Question
from airflow_provider_kapture.client.pull import Batch, Fetched, Tally, next_step

if TYPE_CHECKING:
    from airflow_provider_kapture.client.wire import Line

# Seconds that closing waits for threads whose connection was broken off; one that resolves a name can't be.
_FAREWELL = 1.0


class KaptureClient(BaseClient):
    """Pulls of orders from one account. A context manager; the connections are pooled for as long as it is open.

    :param account: where, who and the account's dialect
    """

    def __init__(self, account: Account) -> None:
        super().__init__(account)
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
        asked, windows = self._window_query(window_start, window_end, date_field, filters)
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
        asked, windows = self._window_query(window_start, window_end, date_field, filters)
        tally = Tally()
        batches = self.pull(asked, windows, tally, at_least)
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
        lanes = self._open(asked, tally)
        fetched: Fetched | None = None
        with closing(lanes), closing(self._steps(asked, windows, tally, enough)) as steps:
            while (step := next_step(steps, fetched)) is not None:
                if isinstance(step, Batch):
                    yield step
                    fetched = None
                else:
                    fetched = lanes.carry_out(step)

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
        return self._page(asked, self.send(self._body(asked, days, offset, limit)))

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
