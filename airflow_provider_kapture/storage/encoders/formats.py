"""The table of file formats, and the choice of one. The same orders always result in the same bytes.

A new format is an encoder module next to this one and a row in ``_ENCODERS``.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import BinaryIO

from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.client.orders import FieldType
from airflow_provider_kapture.storage.encoders.compression import CompressedEncoder, gzip_writer, zstd_writer
from airflow_provider_kapture.storage.encoders.csv_encoder import CsvEncoder
from airflow_provider_kapture.storage.encoders.encoder import BackgroundEncoder, Encoder
from airflow_provider_kapture.storage.encoders.jsonl import JsonLinesEncoder
from airflow_provider_kapture.storage.encoders.report import Report
from airflow_provider_kapture.storage.encoders.schema import NO_FIELDS

Fields = Mapping[str, FieldType]
_MakeEncoder = Callable[[BinaryIO, Report, Fields], Encoder]


def _json_lines(sink: BinaryIO, *_: object) -> Encoder:
    return JsonLinesEncoder(sink)


def _plain_json_lines(sink: BinaryIO, report: Report, _: Fields) -> Encoder:
    # The hash of the file is that of its orders.
    report.content = None
    return JsonLinesEncoder(sink)


def _parquet(sink: BinaryIO, report: Report, fields: Fields) -> Encoder:
    from airflow_provider_kapture.storage.encoders.parquet import ParquetEncoder

    return ParquetEncoder(sink, report, fields)


def _compressed(make_sink: Callable[[BinaryIO], BinaryIO], make: _MakeEncoder) -> _MakeEncoder:
    return lambda sink, *others: CompressedEncoder(make_sink(sink), lambda blocks: make(blocks, *others))


_ENCODERS: Mapping[str, _MakeEncoder] = MappingProxyType(
    {
        "jsonl": _plain_json_lines,
        "jsonl.gz": _compressed(gzip_writer, _json_lines),
        "jsonl.zst": _compressed(zstd_writer, _json_lines),
        "csv": CsvEncoder,
        "csv.gz": _compressed(gzip_writer, CsvEncoder),
        "parquet": _parquet,
    }
)


# Bytes of JSON Lines that are encoded at once. A library that compresses, hashes or parses gives up the interpreter's
# lock meanwhile, and then waits for it, 5 ms if other threads compute: small blocks would mostly wait. Large ones take
# memory, of which the columns of Parquet need more anyway.
_BLOCK_BYTES, _PARQUET_BLOCK_BYTES = 1 << 20, 2 << 20


def _in_background(make: _MakeEncoder) -> Callable[..., BackgroundEncoder]:
    def encoder(sink: BinaryIO, fields: Fields = NO_FIELDS) -> BackgroundEncoder:
        report = Report()
        block_bytes = _PARQUET_BLOCK_BYTES if make is _parquet else _BLOCK_BYTES
        return BackgroundEncoder(make(sink, report, fields), report, block_bytes)

    return encoder


# Each is called with the file, and connection extra ``fields``.
ENCODERS: Mapping[str, Callable[..., BackgroundEncoder]] = MappingProxyType(
    {name: _in_background(make) for name, make in _ENCODERS.items()}
)

# Raised when the same orders are written otherwise, in any format.
REVISION = 1

# The package that a format needs, and the extra of this project that installs it.
_EXTRAS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {"jsonl.zst": ("zstandard", "zstd"), "parquet": ("pyarrow", "parquet")}
)


def check_installed(file_format: str) -> None:
    """Check that the package that a format needs is installed, without importing it.

    :raises KaptureSettingsError: it is not installed; names the extra to install
    """
    package, extra = _EXTRAS.get(file_format, (None, None))
    if package is not None and importlib.util.find_spec(package) is None:
        raise KaptureSettingsError(
            f"`file_format` {file_format!r} needs {package}, which is not installed; "
            f"install it with `pip install 'airflow-provider-kapture[{extra}]'`"
        )


def format_of(destination: str, file_format: str | None) -> str:
    """Return the format of a destination: ``file_format``, or the file name's ending, or ``jsonl.gz`` for a folder.

    :raises KaptureSettingsError: the format is unknown or not installed, or argument and file name disagree
    """
    chosen = choose_format(destination, file_format)
    check_installed(chosen)
    return chosen


def choose_format(destination: str, file_format: str | None) -> str:
    """Return the format of a destination as :func:`format_of` does, whether or not it is installed."""
    known = ", ".join(ENCODERS)
    if file_format is not None and file_format not in tuple(ENCODERS):
        raise KaptureSettingsError(f"`file_format` is {file_format!r}: it must be one of {known}")
    if destination.endswith("/"):
        return file_format or "jsonl.gz"
    name = destination.rpartition("/")[2].lower()
    named = next((each for each in sorted(ENCODERS, key=len, reverse=True) if name.endswith(f".{each}")), None)
    if named is None and file_format is None:
        raise KaptureSettingsError(
            f"Cannot tell the file format from `destination` name {name!r}; end it in one of {known}, in '/' to write "
            "one object per day, or set `file_format`"
        )
    if named is not None and file_format is not None and named != file_format:
        raise KaptureSettingsError(
            f"`destination` ends in {name!r}, but `file_format` is {file_format!r}; make them agree, or remove "
            "`file_format`"
        )
    return file_format or named or ""
