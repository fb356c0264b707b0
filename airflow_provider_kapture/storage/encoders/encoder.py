"""What the encoders of all formats have in common: an interface, and the hashes of the orders."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Protocol

import msgspec

from airflow_provider_kapture.storage.encoders.jsonl import hashed_lines
from airflow_provider_kapture.storage.encoders.report import Report


class Encoder(Protocol):
    """Writes orders to an open file."""

    def write(self, raws: Sequence[msgspec.Raw]) -> None:
        """Add orders."""

    def close(self) -> None:
        """Write what is left; the file stays open."""


class ReportingEncoder:
    """Runs the encoder of a format, and hashes the orders for its report.

    :param encoder: the encoder
    :param report: what the encoder has set aside; complete after :meth:`close`
    :param hashes_lines: whether the encoder itself hashes the orders, because it writes them as JSON Lines
    """

    def __init__(self, encoder: Encoder, report: Report, *, hashes_lines: bool) -> None:
        self._encoder = encoder
        self._hashes_lines = hashes_lines
        self.report = report

    def write(self, raws: Sequence[msgspec.Raw]) -> None:
        """Add orders."""
        self._encoder.write(raws)
        if not self._hashes_lines:
            deque(hashed_lines(raws, self.report), maxlen=0)

    def close(self) -> None:
        """Write what is left; the file stays open."""
        self._encoder.close()
