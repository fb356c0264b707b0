"""Encoding while the next pages arrive."""

from __future__ import annotations

import queue
import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

# Batches that wait for the encoder: enough that neither side stands still, little enough to bound the memory.
_MOST_WAITING = 2


class Encoder(Protocol):
    """Writes orders to an open file."""

    def write(self, raws: Sequence[msgspec.Raw]) -> None:
        """Add orders."""

    def close(self) -> None:
        """Write what is left; the file stays open."""


@dataclass(eq=False)
class _Work:
    encoder: Encoder
    waiting: queue.Queue[Sequence[msgspec.Raw] | None] = field(default_factory=lambda: queue.Queue(_MOST_WAITING))
    error: BaseException | None = None

    def run(self) -> None:
        while (batch := self.waiting.get()) is not None:
            if self.error is None:
                try:
                    self.encoder.write(batch)
                except BaseException as error:  # noqa: BLE001 - it is raised where the next orders come from
                    self.error = error


class Background:
    """Another encoder, on a thread of its own: compression and Arrow work beside the interpreter.

    What goes wrong there is raised by the next :meth:`write`, or by :meth:`close`. The thread of an encoder that is
    given up ends with it.

    :param encoder: does the work
    """

    def __init__(self, encoder: Encoder) -> None:
        self._work = _Work(encoder)
        self._thread: threading.Thread | None = None

    def write(self, raws: Sequence[msgspec.Raw]) -> None:
        """Add orders; waits while others wait."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work.run, name="kapture-encoder", daemon=True)
            self._thread.start()
            self._end = weakref.finalize(self, self._work.waiting.put, None)
        self._raise_error()
        self._work.waiting.put(raws)

    def close(self) -> None:
        """Write what is left; the file stays open."""
        if self._thread is not None:
            self._end()
            self._thread.join()
        self._raise_error()
        self._work.encoder.close()

    def _raise_error(self) -> None:
        if self._work.error is not None:
            raise self._work.error
