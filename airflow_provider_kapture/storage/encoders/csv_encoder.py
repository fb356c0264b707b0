"""The CSV encoder, in the dialect that Python's csv module reads by default. Values of columns are in ``schema``."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

import msgspec

from airflow_provider_kapture.client.orders import ORDER_FIELDS, FieldType
from airflow_provider_kapture.storage.encoders.report import Report
from airflow_provider_kapture.storage.encoders.schema import COLUMNS, to_rows

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def _instant(ms: int) -> str:
    return (_EPOCH + dt.timedelta(milliseconds=ms)).isoformat(timespec="milliseconds")


def _flag(value: bool) -> str:
    return "true" if value else "false"


_CELL_WRITERS: dict[FieldType, Callable[[Any], str]] = {
    FieldType.INSTANT: _instant,
    FieldType.FLAG: _flag,
}
_SPECIAL = re.compile(r'[,"\r\n]')
_CELLS = tuple((at, _CELL_WRITERS[kind]) for at, kind in enumerate(ORDER_FIELDS.values()) if kind in _CELL_WRITERS)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = str(value)
    if text and not _SPECIAL.search(text):
        return text
    return '"' + text.replace('"', '""') + '"'


class CsvEncoder:
    """Writes a header, then for each order the documented fields in the documented order and ``_rescued``.

    Instants are ISO 8601 in UTC with milliseconds, amounts to the digit, flags ``true`` or ``false``; null is an empty
    cell, an empty text ``""``.
    """

    def __init__(self, sink: BinaryIO, report: Report) -> None:
        self._sink = sink
        self._report = report
        self._header: tuple[str, ...] | None = COLUMNS

    def write(self, raws: Sequence[msgspec.Raw]) -> None:
        """Add orders."""
        lines = io.StringIO(newline="")
        writer = csv.writer(lines)
        if self._header is not None:
            writer.writerow(self._header)
            self._header = None
        for row in to_rows(raws, self._report):
            cells = list(row)
            for at, written in _CELLS:
                if cells[at] is not None:
                    cells[at] = written(cells[at])
            if "" in cells:
                # Python's csv module writes it like null.
                lines.write(",".join(map(_cell, cells)) + "\r\n")
            else:
                writer.writerow(cells)
        self._sink.write(lines.getvalue().encode())

    def close(self) -> None:
        """Write the header if no order came."""
        if self._header is not None:
            self.write(())
