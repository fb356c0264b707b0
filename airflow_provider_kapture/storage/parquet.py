"""Orders as Parquet: one declared schema for every window, never inferred."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, BinaryIO

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from airflow_provider_kapture.client.orders import ORDER_FIELDS, FieldType
from airflow_provider_kapture.storage.rows import PRECISION, RESCUED, SCALE, Row, rows_of
from airflow_provider_kapture.storage.sink import Sink

_TYPES = {
    FieldType.INTEGER: pa.int64(),
    FieldType.INSTANT: pa.timestamp("ms", tz="UTC"),
    FieldType.AMOUNT: pa.decimal128(PRECISION, SCALE),
    FieldType.FLAG: pa.bool_(),
    FieldType.TEXT: pa.string(),
}
SCHEMA = pa.schema([*((name, _TYPES[kind]) for name, kind in ORDER_FIELDS.items()), (RESCUED, pa.string())])

# Orders made into columns at a time, and such batches in a row group: what bounds the memory, and what makes the bytes
# depend on the orders alone and not on the pages that they came in.
_BATCH_ROWS = 2_048
_GROUP_BATCHES = 16


_WHOLE = frozenset({int, type(None)})


class Parquet:
    """Row groups of one size, compressed with zstd; no time and no name in the file."""

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = Sink(sink)
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
        self._group.append(_batch(rows_of(raws)))
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


def _batch(rows: Sequence[Row]) -> Any:
    columns = zip(*rows, strict=True)
    return pa.record_batch(
        [_array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)], schema=SCHEMA
    )


def _array(values: Sequence[Any], kind: Any) -> Any:
    if pa.types.is_decimal(kind) and set(map(type, values)) <= _WHOLE:
        try:
            # Several times faster than making a decimal of each.
            return pa.array(values, pa.int64()).cast(kind)
        except OverflowError:
            pass
    return pa.array(values, kind)
