"""Write changes to a file in the format of the orders: the columns ``_op`` and ``_seen_at``, then the order's own."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from types import MappingProxyType
from typing import BinaryIO

import msgspec

from airflow_provider_kapture.client.days import from_ms
from airflow_provider_kapture.client.orders import FieldType
from airflow_provider_kapture.storage.changes.comparison import Change
from airflow_provider_kapture.storage.encoders.compression import gzip_writer, zstd_writer
from airflow_provider_kapture.storage.encoders.csv_encoder import CsvEncoder
from airflow_provider_kapture.storage.encoders.jsonl import json_lines
from airflow_provider_kapture.storage.encoders.report import Report
from airflow_provider_kapture.storage.encoders.schema import NO_FIELDS

OPERATION, SEEN_AT = "_op", "_seen_at"
# Rows of a row group of Parquet.
_GROUP_ROWS = 32_768
# Changes that are read as columns at once.
_BATCH_ROWS = 4_096
_COMPRESSED: Mapping[str, Callable[[BinaryIO], BinaryIO]] = MappingProxyType({"gz": gzip_writer, "zst": zstd_writer})


def write_changes(
    sink: BinaryIO,
    file_format: str,
    changes: Iterable[Change],
    seen_ms: int,
    fields: Mapping[str, FieldType] = NO_FIELDS,
) -> None:
    """Write changes to an open file, in bounded memory.

    :param file_format: one of :data:`~airflow_provider_kapture.storage.encoders.formats.ENCODERS`
    :param changes: one or more changes
    :param seen_ms: when the pull began that has seen them, epoch milliseconds
    :param fields: connection extra ``fields``
    :raises OSError: the disk is full
    """
    seen_at = from_ms(seen_ms)
    if file_format == "parquet":
        _write_parquet(sink, changes, seen_at, fields)
        return
    name, _, compression = file_format.partition(".")
    write = _write_jsonl if name == "jsonl" else partial(_write_csv, fields=fields)
    if not compression:
        write(sink, changes, _text(seen_at))
        return
    with _COMPRESSED[compression](sink) as compressed:
        write(compressed, changes, _text(seen_at))


def _text(instant: dt.datetime) -> bytes:
    return instant.isoformat(timespec="milliseconds").encode()


def _write_jsonl(sink: BinaryIO, changes: Iterable[Change], seen_at: bytes) -> None:
    for operation, order in changes:
        members = order.partition(b"{")[2]
        comma = b"" if members.lstrip().startswith(b"}") else b","
        sink.write(b'{"_op":"%s","_seen_at":"%s"%s%s\n' % (operation.encode(), seen_at, comma, members))


def _write_csv(sink: BinaryIO, changes: Iterable[Change], seen_at: bytes, fields: Mapping[str, FieldType]) -> None:
    row = io.BytesIO()
    encoder = CsvEncoder(row, Report(), fields)

    def encoded(orders: Sequence[msgspec.Raw]) -> bytes:
        row.seek(0)
        row.truncate()
        encoder.write(orders)
        return row.getvalue()

    sink.write(f"{OPERATION},{SEEN_AT},".encode() + encoded(()))
    sink.writelines(
        b"%s,%s,%s" % (operation.encode(), seen_at, encoded([msgspec.Raw(order)])) for operation, order in changes
    )


def _write_parquet(
    sink: BinaryIO, changes: Iterable[Change], seen_at: dt.datetime, fields: Mapping[str, FieldType]
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from airflow_provider_kapture.storage.encoders.parquet import ParquetEncoder

    remaining, writer = iter(changes), None
    try:
        while group := list(islice(remaining, _GROUP_ROWS)):
            encoded = io.BytesIO()
            encoder = ParquetEncoder(encoded, Report(), fields)
            for at in range(0, len(group), _BATCH_ROWS):
                orders = [msgspec.Raw(order) for _, order in group[at : at + _BATCH_ROWS]]
                encoder.write(orders, json_lines(orders))
            encoder.close()
            table = pq.read_table(encoded)
            seen = pa.array([seen_at] * len(group), pa.timestamp("ms", tz="UTC"))
            operations = pa.array([str(operation) for operation, _ in group], pa.string())
            table = table.add_column(0, SEEN_AT, seen).add_column(0, OPERATION, operations)
            writer = writer or pq.ParquetWriter(sink, table.schema, compression="zstd", compression_level=1)
            writer.write_table(table, row_group_size=_GROUP_ROWS)
    finally:
        if writer is not None:
            writer.close()
