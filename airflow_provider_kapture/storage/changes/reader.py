"""Read the orders of an object that this provider has written, one after another, as JSON.

JSON Lines give each order as Kapture sent it. Of CSV and Parquet, each row becomes the JSON object that gives the same
row: nulls are left out, and what is under ``_rescued`` is a field again.
"""

from __future__ import annotations

import datetime as dt
import gzip
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, cast

import msgspec

from airflow_provider_kapture.client.days import to_ms
from airflow_provider_kapture.client.orders import FieldType
from airflow_provider_kapture.storage.encoders.schema import NO_FIELDS, RESCUED, column_types

_BATCH_ROWS = 2_048
# A quoted cell, or a plain one; and what ends it.
_CELL = re.compile(r'(?:"((?:[^"]|"")*)"|([^",\r\n]*))(?:,|\r\n)')


def read_orders(path: Path, file_format: str, fields: Mapping[str, FieldType] = NO_FIELDS) -> Iterator[bytes]:
    """Yield each order of a file, in bounded memory.

    :param file_format: one of :data:`~airflow_provider_kapture.storage.encoders.formats.ENCODERS`
    :param fields: connection extra ``fields``; CSV does not say of which type other columns are, they are texts then
    :raises OSError: the file cannot be read
    :raises ValueError: the file has another format
    """
    if file_format == "parquet":
        yield from _parquet(path)
        return
    name, _, compression = file_format.partition(".")
    with path.open("rb") as file, _DECOMPRESSED[compression](file) as lines:
        yield from _jsonl(lines) if name == "jsonl" else _csv(lines, column_types(fields))


def _zstd(file: BinaryIO) -> BinaryIO:
    import io

    import zstandard

    stream = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
    return cast("BinaryIO", io.BufferedReader(cast("io.RawIOBase", stream)))


_DECOMPRESSED: Mapping[str, Callable[[BinaryIO], BinaryIO]] = MappingProxyType(
    {"": lambda file: file, "gz": lambda file: cast("BinaryIO", gzip.GzipFile(fileobj=file)), "zst": _zstd}
)


def _jsonl(lines: Iterable[bytes]) -> Iterator[bytes]:
    for line in lines:
        yield line.rstrip(b"\n")


def _csv(lines: Iterable[bytes], types: Mapping[str, FieldType]) -> Iterator[bytes]:
    records = _records(lines)
    names = _cells(next(records))
    for record in records:
        cells = zip(names, _cells(record), strict=True)
        yield _order((name, _from_text(name, cell, types)) for name, cell in cells)


def _records(lines: Iterable[bytes]) -> Iterator[str]:
    record = b""
    for line in lines:
        record += line
        # A line break inside a quoted cell leaves a quotation mark open.
        if record.count(b'"') % 2 == 0:
            yield record.decode()
            record = b""


def _cells(record: str) -> list[str | None]:
    return [
        found[1].replace('""', '"') if found[1] is not None else found[2] or None for found in _CELL.finditer(record)
    ]


def _from_text(name: str | None, cell: str | None, types: Mapping[str, FieldType]) -> bytes | None:
    if cell is None:
        return None
    if name == RESCUED:
        return cell.encode()
    kind = types.get(name or "", FieldType.TEXT)
    if kind in {FieldType.TEXT, FieldType.DATE}:
        return msgspec.json.encode(cell)
    return b"%d" % to_ms(dt.datetime.fromisoformat(cell)) if kind is FieldType.INSTANT else cell.encode()


def _parquet(path: Path) -> Iterator[bytes]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_BATCH_ROWS):
            names = batch.schema.names
            columns = [_texts(column, name) for name, column in zip(names, batch.columns, strict=True)]
            for row in zip(*columns, strict=True):
                yield _order(zip(names, row, strict=True))


def _texts(column: Any, name: str) -> list[bytes | None]:
    import pyarrow as pa

    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    to_json: Callable[[Any], bytes] = msgspec.json.encode
    if name == RESCUED:
        to_json = str.encode
    elif pa.types.is_decimal(column.type):
        to_json = _number
    return [None if value is None else to_json(value) for value in column.to_pylist()]


def _number(value: Any) -> bytes:
    return str(value).encode()


def _order(cells: Iterable[tuple[str | None, bytes | None]]) -> bytes:
    """Return an order's JSON from the JSON of its cells; the object under ``_rescued`` has members of the order."""
    members = [
        cell[1:-1] if name == RESCUED else msgspec.json.encode(name) + b":" + cell
        for name, cell in cells
        if cell is not None
    ]
    return b"{" + b",".join(members) + b"}"
