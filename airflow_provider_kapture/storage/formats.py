"""One encoder a format. The same orders give the same bytes."""

from __future__ import annotations

import gzip
import importlib.util
import io
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, BinaryIO, cast

import msgspec

from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.storage.background import Background, Encoder
from airflow_provider_kapture.storage.lines import JsonLines
from airflow_provider_kapture.storage.sink import Sink
from airflow_provider_kapture.storage.text import Csv


class Compressed:
    """Another encoder's bytes, compressed in blocks of one size: how they were batched leaves no trace.

    :param sink: where the compressor writes
    :param encoder: what writes to the compressor
    """

    def __init__(self, sink: BinaryIO, encoder: Callable[[BinaryIO], Encoder]) -> None:
        self._sink = sink
        self._blocks = _Blocks(sink)
        self._encoder = encoder(cast("BinaryIO", self._blocks))

    def write(self, raws: Sequence[msgspec.Raw]) -> None:
        self._encoder.write(raws)

    def close(self) -> None:
        """Write what is left and the compressor's trailer; its file stays open."""
        self._encoder.close()
        self._blocks.flush()
        self._sink.close()


class _Blocks(io.RawIOBase):
    """Hands on what is written to it in blocks of one size."""

    _SIZE = 1 << 18

    def __init__(self, sink: BinaryIO) -> None:
        super().__init__()
        self._sink = sink
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._held += data
        whole = len(self._held) - len(self._held) % self._SIZE
        if whole:
            with memoryview(self._held) as held:
                for at in range(0, whole, self._SIZE):
                    self._sink.write(held[at : at + self._SIZE])
            del self._held[:whole]
        return len(data)

    def flush(self) -> None:
        if self._held and not self._sink.closed:
            self._sink.write(self._held)
            self._held = bytearray()


def _gzip(sink: BinaryIO) -> BinaryIO:
    """Gzip without a name or a time in its header."""
    return cast("BinaryIO", gzip.GzipFile(filename="", mode="wb", compresslevel=1, fileobj=Sink(sink), mtime=0))


def _zstd(sink: BinaryIO) -> BinaryIO:
    import zstandard

    return cast(
        "BinaryIO", zstandard.ZstdCompressor(level=1).stream_writer(cast("BinaryIO", Sink(sink)), closefd=False)
    )


def _parquet(sink: BinaryIO) -> Encoder:
    from airflow_provider_kapture.storage.parquet import Parquet

    return Parquet(sink)


_ENCODERS: Mapping[str, Callable[[BinaryIO], Encoder]] = MappingProxyType(
    {
        "jsonl": JsonLines,
        "jsonl.gz": lambda sink: Compressed(_gzip(sink), JsonLines),
        "jsonl.zst": lambda sink: Compressed(_zstd(sink), JsonLines),
        "csv": Csv,
        "csv.gz": lambda sink: Compressed(_gzip(sink), Csv),
        "parquet": _parquet,
    }
)


def _in_background(make: Callable[[BinaryIO], Encoder]) -> Callable[[BinaryIO], Background]:
    return lambda sink: Background(make(sink))


ENCODERS: Mapping[str, Callable[[BinaryIO], Background]] = MappingProxyType(
    {name: _in_background(make) for name, make in _ENCODERS.items()}
)

# The package that a format needs and the extra that brings it.
_EXTRAS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {"jsonl.zst": ("zstandard", "zstd"), "parquet": ("pyarrow", "parquet")}
)


def check_installed(file_format: str) -> None:
    """See that what a format needs is installed, without importing it.

    :raises KaptureSettingsError: it is not; names the extra to install
    """
    package, extra = _EXTRAS.get(file_format, (None, None))
    if package is not None and importlib.util.find_spec(package) is None:
        raise KaptureSettingsError(
            f"file_format {file_format!r} needs {package}, which is not installed; "
            f"install it with `pip install 'airflow-provider-kapture[{extra}]'`"
        )


def format_of(destination: str, file_format: str | None) -> str:
    """The format of a destination: by ``file_format``, else by the file name, else ``jsonl.gz``.

    :raises KaptureSettingsError: unknown, the two contradict each other, or what the format needs is not installed
    """
    chosen = _chosen(destination, file_format)
    check_installed(chosen)
    return chosen


def _chosen(destination: str, file_format: str | None) -> str:
    known = ", ".join(ENCODERS)
    if file_format is not None and file_format not in tuple(ENCODERS):
        raise KaptureSettingsError(f"file_format is {file_format!r}: it must be one of {known}")
    if destination.endswith("/"):
        return file_format or "jsonl.gz"
    name = destination.rpartition("/")[2].lower()
    named = next((each for each in sorted(ENCODERS, key=len, reverse=True) if name.endswith(f".{each}")), None)
    if named is None and file_format is None:
        raise KaptureSettingsError(
            f"destination ends in {name!r}, which tells no format: end it in one of {known}, in '/' for an object "
            "for each day, or set file_format"
        )
    if named is not None and file_format is not None and named != file_format:
        raise KaptureSettingsError(f"destination ends in {name!r}, but file_format is {file_format!r}: drop one")
    return file_format or named or ""
