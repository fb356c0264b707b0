"""The JSON Lines encoder: each order's JSON exactly as Kapture sent it, on one line. And the hashes of these lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import BinaryIO

import msgspec

from airflow_provider_kapture.client.api.json_repair import compact
from airflow_provider_kapture.storage.encoders.report import Report

# Orders per write: memory as large as a response would be allocated from the system and returned each time.
_BATCH_ROWS = 32


def json_lines(raws: Sequence[msgspec.Raw]) -> bytes:
    """Return each order's JSON as Kapture sent it, each on one line.

    An order with line breaks between its tokens, as in an indented response, is written without white space there.
    """
    return _on_lines(raws)[1]


def _on_lines(raws: Sequence[msgspec.Raw]) -> tuple[Sequence[msgspec.Raw | bytes], bytes]:
    """Return each order on one line, and all of them as JSON Lines."""
    text = b"".join(raws)
    rows = [*map(_one_line, raws)] if b"\n" in text or b"\r" in text else raws
    return rows, b"\n".join((*rows, b""))


def _one_line(raw: msgspec.Raw) -> bytes:
    line = bytes(raw)
    if b"\n" not in line and b"\r" not in line:
        return line
    try:
        return msgspec.json.format(line, indent=-1)
    except (msgspec.DecodeError, RecursionError):
        return compact(line)


def hashed_lines(raws: Sequence[msgspec.Raw], report: Report) -> Iterator[bytes]:
    """Yield orders as JSON Lines, a few at a time, and add them to the hashes of the report."""
    for at in range(0, len(raws), _BATCH_ROWS):
        rows, lines = _on_lines(raws[at : at + _BATCH_ROWS])
        report.add_content(rows, lines)
        yield lines


class JsonLinesEncoder:
    """Writes each order's JSON exactly as Kapture sent it, on one line.

    :param sink: the file
    :param report: receives the hashes
    """

    def __init__(self, sink: BinaryIO, report: Report) -> None:
        self._sink = sink
        self._report = report

    def write(self, raws: Sequence[msgspec.Raw]) -> None:
        """Add orders."""
        for lines in hashed_lines(raws, self._report):
            self._sink.write(lines)

    def close(self) -> None:
        """Do nothing: everything is written."""
