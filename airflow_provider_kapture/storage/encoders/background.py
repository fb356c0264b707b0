"""A thread that encodes orders while the next pages are fetched. The encoders themselves are in the other modules."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from typing import BinaryIO, Protocol, cast

import msgspec

from airflow_provider_kapture.storage.encoders.jsonl import JsonLinesEncoder
from airflow_provider_kapture.storage.encoders.report import Report

# Queued batches: enough to keep both threads busy, few enough to limit memory.
_MAX_QUEUED = 2


class Encoder(Protocol):
    """Writes orders to an open file."""

    def write(self, raws: Sequence[msgspec.Raw]) -> None:
        """Add orders."""

    def close(self) -> None:
        """Write what is left; the file stays open."""


class _HashSink:
    """Takes the orders as JSON Lines, for a hash that does not depend on the format of the file."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def write(self, data: bytes) -> int:
        self._report.add_content(data)
        return len(data)


class BackgroundEncoder:
    """Runs another encoder in a thread: compression and Arrow release the interpreter's lock.

    An error in the thread is raised by the next :meth:`write` or by :meth:`close`. Call :meth:`close` or :meth:`abort`
    to end the thread.

    :param encoder: the encoder that runs in the thread
    :param report: what the encoder has set aside; complete after :meth:`close`
    """

    def __init__(self, encoder: Encoder, report: Report | None = None) -> None:
        self._encoder = encoder
        self.report = Report() if report is None else report
        self._content = JsonLinesEncoder(cast("BinaryIO", _HashSink(self.report)))
        self._waiting: queue.Queue[Sequence[msgspec.Raw] | None] = queue.Queue(_MAX_QUEUED)
        self._error: BaseException | None = None
        self._is_aborted = False
        self._thread: threading.Thread | None = None

    def write(self, raws: Sequence[msgspec.Raw]) -> None:
        """Queue orders for the encoder; block while the queue is full."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="kapture-encoder", daemon=True)
            self._thread.start()
        self._raise_error()
        self._waiting.put(raws)

    def close(self) -> None:
        """Encode the queued orders, end the thread and finish the encoding; the file stays open."""
        self._end()
        self._raise_error()
        self._encoder.close()

    def abort(self) -> None:
        """End the thread without encoding the queued orders. Does nothing after :meth:`close`."""
        self._is_aborted = True
        self._end()

    def _end(self) -> None:
        if self._thread is not None:
            self._waiting.put(None)
            # A thread whose start was interrupted by a signal cannot be joined yet; it ends by itself.
            if self._thread.is_alive():
                self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while (batch := self._waiting.get()) is not None:
            if self._error is None and not self._is_aborted:
                try:
                    self._encoder.write(batch)
                    self._content.write(batch)
                except BaseException as error:  # noqa: BLE001 - raised again in the thread that adds orders
                    self._error = error

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error
