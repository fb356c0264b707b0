"""The Parquet encoder, with the same declared schema for every window. Values that do not fit it are in ``schema``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, BinaryIO

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json
import pyarrow.parquet as pq

from airflow_provider_kapture.client.api.values import FIRST_MS, LAST_MS, PRECISION, SCALE
from airflow_provider_kapture.client.orders import ORDER_FIELDS, FieldType
from airflow_provider_kapture.storage.encoders.compression import QuietFile
from airflow_provider_kapture.storage.encoders.jsonl import json_lines
from airflow_provider_kapture.storage.encoders.report import Report
from airflow_provider_kapture.storage.encoders.schema import RESCUED, Row, to_rows

_TYPES = {
    FieldType.INTEGER: pa.int64(),
    FieldType.INSTANT: pa.timestamp("ms", tz="UTC"),
    FieldType.AMOUNT: pa.decimal128(PRECISION, SCALE),
    FieldType.FLAG: pa.bool_(),
    FieldType.TEXT: pa.string(),
}
SCHEMA = pa.schema([*((name, _TYPES[kind]) for name, kind in ORDER_FIELDS.items()), (RESCUED, pa.string())])

# Orders per batch of columns, and batches per row group. Fixed sizes limit the memory, and make the bytes independent
# of the pages in which the orders arrive.
_BATCH_ROWS = 2_048
_GROUP_BATCHES = 16


class ParquetEncoder:
    """Writes row groups of one size, compressed with zstd, without times or names in the file."""

    def __init__(self, sink: BinaryIO, report: Report | None = None) -> None:
        self._report = Report() if report is None else report
        self._sink = QuietFile(sink)
        self._writer: Any = None
        self._waiting: list[msgspec.Raw] = []
        self._group: list[Any] = []

    def write(self, raws: Sequence[msgspec.Raw]) -> None:
        """Add orders."""
        self._waiting.extend(raws)
        while len(self._waiting) >= _BATCH_ROWS:
            self._add(self._waiting[:_BATCH_ROWS])
            del self._waiting[:_BATCH_ROWS]

    def close(self) -> None:
        """Write the last row group and the footer."""
        if self._waiting:
            self._add(self._waiting)
        self._write_group()
        self._writer.close()

    def _add(self, raws: Sequence[msgspec.Raw]) -> None:
        self._group.append(_batch(raws, self._report))
        if len(self._group) == _GROUP_BATCHES:
            self._write_group()

    def _write_group(self) -> None:
        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self._sink, SCHEMA, compression="zstd", compression_level=1, version="2.6", data_page_version="1.0"
            )
        if self._group:
            table = pa.Table.from_batches(self._group, SCHEMA)
            self._writer.write_table(table, row_group_size=_BATCH_ROWS * _GROUP_BATCHES)
            self._group = []


def _batch(raws: Sequence[msgspec.Raw], report: Report) -> Any:
    """Return orders as columns: parsed by Arrow if all of them fit the schema, else converted order by order."""
    try:
        return _read(raws)
    except _MISMATCH_ERRORS:
        return _converted(to_rows(raws, report))


class _SchemaMismatchError(Exception):
    pass


_MISMATCH_ERRORS = (pa.ArrowInvalid, msgspec.DecodeError, RecursionError, _SchemaMismatchError)

# Arrow would take any text that it can read as an amount for the amount, and it reads others than we do.
_NUMBERS = msgspec.json.Decoder(
    msgspec.defstruct(
        "_Numbers",
        [(name, int | float | None, None) for name, kind in ORDER_FIELDS.items() if kind is FieldType.AMOUNT],
        gc=False,
    )
)
# Arrow parses timestamps only from text, so epoch milliseconds are read as integers and cast.
_READ = pa.schema(
    [(name, pa.int64() if kind is FieldType.INSTANT else _TYPES[kind]) for name, kind in ORDER_FIELDS.items()]
)
_PARSING = pyarrow.json.ParseOptions(explicit_schema=_READ, unexpected_field_behavior="error")


def _read(raws: Sequence[msgspec.Raw]) -> Any:
    for raw in raws:
        _NUMBERS.decode(raw)
    lines = json_lines(raws)
    # One block for all lines, because a line must not span two blocks.
    reading = pyarrow.json.ReadOptions(use_threads=False, block_size=len(lines) + 1)
    table = pyarrow.json.read_json(pa.BufferReader(lines), read_options=reading, parse_options=_PARSING)
    [batch] = table.to_batches()
    columns = [_checked(column, kind) for column, kind in zip(batch.columns, ORDER_FIELDS.values(), strict=True)]
    read = pa.record_batch([*columns, pa.nulls(len(raws), pa.string())], schema=SCHEMA)
    read.validate(full=True)  # the reader accepts amounts with too many digits
    return read


def _checked(column: Any, kind: FieldType) -> Any:
    if kind is not FieldType.INSTANT:
        return column
    edges = pc.min_max(column)
    if edges["min"].is_valid and not FIRST_MS <= edges["min"].as_py() <= edges["max"].as_py() <= LAST_MS:
        raise _SchemaMismatchError
    return column.cast(_TYPES[kind])


def _converted(rows: Sequence[Row]) -> Any:
    columns = zip(*rows, strict=True)
    return pa.record_batch(
        [_array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)], schema=SCHEMA
    )


def _array(values: Sequence[Any], kind: Any) -> Any:
    if not pa.types.is_decimal(kind):
        return pa.array(values, kind)
    return pa.array([None if value is None else str(value) for value in values], pa.string()).cast(kind)
