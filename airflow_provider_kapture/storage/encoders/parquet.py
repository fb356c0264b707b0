"""The Parquet encoder, with the same declared schema for every window. Orders are read as columns in ``reader``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from airflow_provider_kapture.client.api.values import PRECISION, SCALE
from airflow_provider_kapture.client.orders import FieldType
from airflow_provider_kapture.storage.encoders.arrow_reader import ArrowReader, SchemaMismatchError
from airflow_provider_kapture.storage.encoders.compression import QuietFile
from airflow_provider_kapture.storage.encoders.jsonl import json_lines
from airflow_provider_kapture.storage.encoders.reader import OrderReader
from airflow_provider_kapture.storage.encoders.report import Report
from airflow_provider_kapture.storage.encoders.schema import NO_FIELDS, column_types

_TYPES = {
    FieldType.TEXT: pa.string(),
    FieldType.INTEGER: pa.int64(),
    FieldType.AMOUNT: pa.decimal128(PRECISION, SCALE),
    FieldType.FLAG: pa.bool_(),
    FieldType.INSTANT: pa.timestamp("ms", tz="UTC"),
    FieldType.DATE: pa.date32(),
}


def arrow_schema(fields: Mapping[str, FieldType] = NO_FIELDS) -> Any:
    """Return the schema of the files.

    :param fields: connection extra ``fields``
    """
    return pa.schema([(name, _TYPES[kind]) for name, kind in column_types(fields).items()])


# Orders of a chunk of columns, and chunks of a row group. Fixed sizes limit the memory, and make the bytes independent
# of the pages in which the orders arrive.
_CHUNK_ROWS = 2_048
_GROUP_CHUNKS = 16
# Orders that are read at once where Arrow could not read all of the latest ones.
_BATCH_ROWS = 512


class ParquetEncoder:
    """Writes row groups of one size, compressed with zstd, without times or names in the file.

    :param sink: the file
    :param report: counts what did not fit
    :param fields: connection extra ``fields``
    """

    reads_orders = True

    def __init__(self, sink: BinaryIO, report: Report, fields: Mapping[str, FieldType]) -> None:
        self._reader = OrderReader(fields, report)
        self._schema = arrow_schema(fields)
        types = column_types(fields)
        # Arrow reads more spellings of a date than we do.
        self._arrow = None if FieldType.DATE in types.values() else ArrowReader(types, self._schema)
        self._tries = self._mismatches = 0
        # Whether Arrow could read all of the latest orders.
        self._is_uniform = True
        self._sink = QuietFile(sink)
        self._writer: Any = None
        self._rest: Sequence[Any] = ()
        self._group: list[Any] = []

    def write(self, raws: Sequence[msgspec.Raw], lines: bytes | bytearray) -> None:
        """Add orders."""
        mismatches = self._mismatches
        whole = self._read_by_arrow(raws, lines) if self._is_uniform else None
        batches = [*self._read_in_parts(raws)] if whole is None else [whole]
        self._is_uniform = self._mismatches == mismatches
        read = pa.Table.from_batches([*self._rest, *batches], self._schema)
        while len(read) >= _CHUNK_ROWS:
            self._add(read.slice(0, _CHUNK_ROWS))
            read = read.slice(_CHUNK_ROWS)
        self._rest = read.to_batches()

    def close(self) -> None:
        """Write the last row group and the footer."""
        self._add(pa.Table.from_batches(self._rest, self._schema))
        self._write_group()
        self._writer.close()

    def _add(self, read: Any) -> None:
        self._group.append(read.combine_chunks())
        if len(self._group) == _GROUP_CHUNKS:
            self._write_group()

    def _read_in_parts(self, raws: Sequence[msgspec.Raw]) -> Iterator[Any]:
        for at in range(0, len(raws), _BATCH_ROWS):
            few = raws[at : at + _BATCH_ROWS]
            read = self._read_by_arrow(few, json_lines(few))
            yield self._read(few) if read is None else read

    def _read_by_arrow(self, raws: Sequence[msgspec.Raw], lines: bytes | bytearray) -> Any:
        """Return orders as columns; None if Arrow cannot read these, or could not read most of the others."""
        if self._arrow is None or self._mismatches > self._tries // 2 + 1:
            return None
        self._tries += 1
        try:
            return self._arrow.read(raws, lines)
        except SchemaMismatchError:
            self._mismatches += 1
            return None

    def _read(self, raws: Sequence[msgspec.Raw]) -> Any:
        values = zip(*map(msgspec.structs.astuple, self._reader.read(raws)), strict=False)
        columns = [
            _array(column, kind, is_whole=attribute not in self._reader.amounts)
            for column, attribute, kind in zip(values, self._reader.attributes, self._schema.types, strict=False)
        ]
        return pa.record_batch(columns, schema=self._schema)

    def _write_group(self) -> None:
        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self._sink,
                self._schema,
                compression="zstd",
                compression_level=1,
                version="2.6",
                data_page_version="1.0",
            )
        if any(map(len, self._group)):
            self._writer.write_table(pa.concat_tables(self._group))
        self._group = []


def _array(values: Sequence[Any], kind: Any, *, is_whole: bool) -> Any:
    if not pa.types.is_decimal(kind):
        return pa.array(values, kind)
    if is_whole:
        return pa.array(values, pa.int64()).cast(kind)
    return pa.array([None if value is None else str(value) for value in values], pa.string()).cast(kind)
