"""The JSON Lines encoder: each order's JSON exactly as Kapture sent it, on one line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

import msgspec

from airflow_provider_kapture.client.api.json_repair import compact


def json_lines(raws: Sequence[msgspec.Raw]) -> bytes:
    """Return each order's JSON as Kapture sent it, each on one line."""
    return on_lines(raws)[1]


def on_lines(raws: Sequence[msgspec.Raw]) -> tuple[Sequence[msgspec.Raw | bytes], bytes]:
    """Return each order on one line, and all of them as JSON Lines.

    An order with line breaks between its tokens, as in an indented response, is written without white space there.
    """
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


class JsonLinesEncoder:
    """Writes each order's JSON exactly as Kapture sent it, on one line.

    :param sink: the file
    """

    reads_orders = False

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink

    def write(self, raws: Sequence[msgspec.Raw], lines: bytes | bytearray) -> None:  # noqa: ARG002 - of all encoders
        """Add orders."""
        self._sink.write(lines)

    def close(self) -> None:
        """Do nothing: everything is written."""
