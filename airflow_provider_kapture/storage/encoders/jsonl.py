"""Orders as lines of JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

import msgspec


def json_lines(raws: Sequence[msgspec.Raw]) -> bytes:
    """Each order's JSON exactly as Kapture sent it, one a line.

    Line breaks between the tokens of one, as an indented answer has them, are left out; within a string there are none.
    """
    joined = b"".join(raws)
    if b"\n" in joined or b"\r" in joined:
        raws = [msgspec.Raw(msgspec.json.format(bytes(raw), indent=-1)) for raw in raws]
    return b"\n".join((*raws, b""))


# Orders that are written at once: memory as large as an answer is taken from the system and given back each time.
_BATCH_ROWS = 32


class JsonLinesEncoder:
    """Each order's JSON exactly as Kapture sent it, one a line."""

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink

    def write(self, raws: Sequence[msgspec.Raw]) -> None:
        """Add orders."""
        for at in range(0, len(raws), _BATCH_ROWS):
            self._sink.write(json_lines(raws[at : at + _BATCH_ROWS]))

    def close(self) -> None:
        """Nothing is left."""
