"""The JSON Lines encoder: each order's JSON exactly as Kapture sent it, on one line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

import msgspec


def json_lines(raws: Sequence[msgspec.Raw]) -> bytes:
    """Return each order's JSON exactly as Kapture sent it, on one line.

    Line breaks between tokens, as in an indented response, are removed; JSON strings cannot contain any.
    """
    joined = b"".join(raws)
    if b"\n" in joined or b"\r" in joined:
        raws = [msgspec.Raw(msgspec.json.format(bytes(raw), indent=-1)) for raw in raws]
    return b"\n".join((*raws, b""))


# Orders that are written at once: memory as large as an answer is taken from the system and given back each time.
_BATCH_ROWS = 32


class JsonLinesEncoder:
    """Writes each order's JSON exactly as Kapture sent it, on one line."""

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink

    def write(self, raws: Sequence[msgspec.Raw]) -> None:
        """Add orders."""
        for at in range(0, len(raws), _BATCH_ROWS):
            self._sink.write(json_lines(raws[at : at + _BATCH_ROWS]))

    def close(self) -> None:
        """Do nothing: everything is written."""
