"""The CSV encoder, in the dialect that Python's csv module reads by default. Values of columns are in ``reader``."""

from __future__ import annotations

import datetime as dt
import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import repeat
from operator import attrgetter
from types import MappingProxyType
from typing import Any, BinaryIO

import msgspec

from airflow_provider_kapture.client.orders import FieldType
from airflow_provider_kapture.storage.encoders.decoder import Record
from airflow_provider_kapture.storage.encoders.reader import OrderReader
from airflow_provider_kapture.storage.encoders.report import Report
from airflow_provider_kapture.storage.encoders.schema import column_types

_EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - of UTC, which is written behind the time
_SPECIAL = re.compile(r'[,"\r\n]')
# msgspec writes a row's values as a JSON array, and these as they are.
_NULL = msgspec.Raw(b"")
_LINE_END = b"\r\n"
# Orders that are records at once, which take several times the memory of their text.
_BATCH_ROWS = 1_000


# Seconds and milliseconds of a time of day.
_SECONDS = [f"{second:02}" for second in range(60)]
_MILLISECONDS = [f".{ms:03}+00:00" for ms in range(1_000)]


def _text(value: str) -> str:
    if value.isalnum() or (value and not _SPECIAL.search(value)):
        return value
    return '"' + value.replace('"', '""') + '"'


@lru_cache(maxsize=4_096)
def _minute(number: int) -> str:
    return (_EPOCH + dt.timedelta(minutes=number)).isoformat(timespec="minutes") + ":"


def _texts(values: Iterable[Any]) -> Iterable[Any]:
    return [_NULL if each is None else msgspec.Raw(_text(each)) for each in values]


def _amounts(values: Iterable[Any]) -> Iterable[Any]:
    return [each if type(each) is int else _NULL if each is None else msgspec.Raw(each) for each in values]


def _instants(values: Iterable[Any]) -> Iterable[Any]:
    return [
        _NULL
        if ms is None
        else msgspec.Raw(_minute(ms // 60_000) + _SECONDS[ms // 1_000 % 60] + _MILLISECONDS[ms % 1_000])
        for ms in values
    ]


def _dates(values: Iterable[Any]) -> Iterable[Any]:
    return [_NULL if each is None else msgspec.Raw(each.isoformat()) for each in values]


# Of values that JSON writes otherwise.
_CELLS: Mapping[FieldType, Callable[[Iterable[Any]], Iterable[Any]]] = MappingProxyType(
    {FieldType.TEXT: _texts, FieldType.AMOUNT: _amounts, FieldType.INSTANT: _instants, FieldType.DATE: _dates}
)


class CsvEncoder:
    """Writes a header, then for each order the documented fields, the account's own ones, and ``_rescued``.

    Instants are ISO 8601 in UTC with milliseconds, amounts to the digit, flags ``true`` or ``false``; null is an empty
    cell, an empty text ``""``.

    :param sink: the file
    :param report: counts what did not fit
    :param fields: connection extra ``fields``
    """

    reads_orders = True

    def __init__(self, sink: BinaryIO, report: Report, fields: Mapping[str, FieldType]) -> None:
        self._sink = sink
        self._reader = OrderReader(fields, report)
        self._types = column_types(fields)
        self._has_header = False
        self._has_nulls = False

    def write(self, raws: Sequence[msgspec.Raw], lines: bytes | bytearray = b"") -> None:  # noqa: ARG002 - of all encoders
        """Add orders."""
        self._write_header()
        for at in range(0, len(raws), _BATCH_ROWS):
            self._write(raws[at : at + _BATCH_ROWS])

    def close(self) -> None:
        """Write the header if no order came."""
        self._write_header()

    def _write_header(self) -> None:
        if not self._has_header:
            self._sink.write(",".join(map(_text, self._types)).encode() + _LINE_END)
            self._has_header = True

    def _write(self, raws: Sequence[msgspec.Raw]) -> None:
        records = self._reader.read(raws)
        whole = {*self._reader.attributes} - {*self._reader.amounts}
        for attribute, kind in zip(self._reader.attributes, self._types.values(), strict=True):
            if kind in _CELLS and not (kind is FieldType.AMOUNT and attribute in whole):
                cells = _CELLS[kind](map(attrgetter(attribute), records))
                # Sets all of them, and keeps nothing.
                deque(map(setattr, records, repeat(attribute), cells), maxlen=0)
        lines = self._lines(records)
        if b"null" in lines and not self._has_nulls:
            self._has_nulls = True
            lines = self._lines(records)
        self._sink.write(lines)

    def _lines(self, records: Sequence[Record]) -> bytes:
        rows: Iterable[Sequence[Any]] = map(msgspec.structs.astuple, records)
        width = len(self._types)
        if self._has_nulls:
            rows = ([_NULL if each is None else each for each in row[:width]] for row in rows)
        elif self._reader.has_others:
            rows = (row[:width] for row in rows)
        # A row as JSON, without the brackets.
        return b"".join([line[1:-1] + _LINE_END for line in map(msgspec.json.encode, rows)])
