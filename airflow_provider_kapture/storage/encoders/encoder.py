"""What the encoders of all formats have in common: an interface, the hashes of the orders, and a thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

import msgspec

from airflow_provider_kapture.storage.encoders.jsonl import on_lines
from airflow_provider_kapture.storage.encoders.report import Report

# Orders that are put on lines at once: memory as large as a response would be allocated from the system and returned
# each time, which takes longer than the work on it.
_BATCH_ROWS = 32
# Blocks that the thread may have, the one that it encodes included, while another one is collected. More would take
# memory, and the thread is busy with these.
_MAX_BLOCKS = 1


class Encoder(Protocol):
    """Writes orders to an open file."""

    @property
    def reads_orders(self) -> bool:
        """Whether it needs more than the JSON Lines: orders keep their whole response in memory."""

    def write(self, raws: Sequence[msgspec.Raw], lines: bytes | bytearray) -> None:
        """Add orders.

        :param raws: the orders; none if the encoder does not read them
        :param lines: the orders as JSON Lines
        """

    def close(self) -> None:
        """Write what is left; the file stays open."""


class BackgroundEncoder:
    """Hashes each order, and runs the encoder of a format in a thread, so that the next pages are read meanwhile.

    An error of the thread is raised by a later :meth:`write`, or by :meth:`close`.

    :param encoder: the encoder
    :param report: what the encoder has set aside; complete after :meth:`close`
    :param block_bytes: bytes of JSON Lines that are encoded at once
    """

    def __init__(self, encoder: Encoder, report: Report, block_bytes: int) -> None:
        self._encoder = encoder
        self.report = report
        self._block_bytes = block_bytes
        self._raws: list[msgspec.Raw] = []
        self._lines = bytearray()
        self._thread = ThreadPoolExecutor(1, "kapture-encoder")
        self._blocks: deque[Future[None]] = deque()

    def write(self, raws: Sequence[msgspec.Raw]) -> None:
        """Add orders; wait while too many are not encoded yet."""
        for at in range(0, len(raws), _BATCH_ROWS):
            few = raws[at : at + _BATCH_ROWS]
            rows, lines = on_lines(few)
            self.report.add_orders(rows)
            if self._encoder.reads_orders:
                self._raws += few
            self._lines += lines
            if len(self._lines) >= self._block_bytes:
                self._hand_over()

    def close(self) -> None:
        """Encode what is left; the file stays open."""
        self._hand_over()
        self._wait(0)
        self._encoder.close()
        self.stop()

    def stop(self) -> None:
        """End the thread, without the orders that it has not begun to encode."""
        self._thread.shutdown(cancel_futures=True)

    def _hand_over(self) -> None:
        if self._lines:
            self._blocks.append(self._thread.submit(self._encoder.write, self._raws, self._lines))
            # Here, because the thread has more to do.
            self.report.add_content(self._lines)
        self._raws, self._lines = [], bytearray()
        self._wait(_MAX_BLOCKS)

    def _wait(self, blocks: int) -> None:
        while len(self._blocks) > blocks:
            self._blocks[0].result()
            self._blocks.popleft()
