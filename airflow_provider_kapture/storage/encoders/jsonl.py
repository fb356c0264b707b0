"""The JSON Lines encoder: each order's JSON exactly as Kapture sent it, on one line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

import msgspec

from airflow_provider_kapture.client.api.json_repair import compact


def json_lines(raws: Sequence[msgspec.Raw]) -> bytes:
    """Return each order's JSON as Kapture sent it, each on one line.

    An order with line breaks between its tokens, as in an indented response, is written without white space there.
    """
    joined = b"".join(raws)
    if b"\n" in joined or b"\r" in joined:
        return b"\n".join((*map(_one_line, raws), b""))
    return b"\n".join((*raws, b""))


def _one_line(raw: msgspec.Raw) -> bytes:
    line = bytes(raw)
    if b"\n" not in line and b"\r" not in line:
        return line
    try:
        return msgspec.json.format(line, indent=-1)
    except (msgspec.DecodeError, RecursionError):
        return compact(line)


# Orders per write: memory as large as a response would be allocated from the system and returned each time.
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
