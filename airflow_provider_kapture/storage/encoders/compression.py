"""Compression of an encoder's bytes with gzip or Zstandard, in a way that depends on the bytes only."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO, cast

import msgspec

from airflow_provider_kapture.storage.encoders.encoder import Encoder

# Bytes that are compressed, and that Zstandard writes, at once: each time, the interpreter's lock is waited for.
_BLOCK_BYTES = 1 << 20


class QuietFile(io.RawIOBase):
    """A file that ignores writes once it is closed: an aborted encoder writes its end when it is garbage-collected."""

    def __init__(self, sink: BinaryIO) -> None:
        super().__init__()
        self._file = sink

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return len(data) if self._file.closed else self._file.write(data)


class CompressedEncoder:
    """Compresses another encoder's bytes in blocks of one size, so that the result does not depend on the batches.

    :param sink: the compressor's stream
    :param encoder: creates the encoder that writes to the compressor
    """

    def __init__(self, sink: BinaryIO, encoder: Callable[[BinaryIO], Encoder]) -> None:
        self._sink = sink
        self._blocks = _Blocks(sink)
        self._encoder = encoder(cast("BinaryIO", self._blocks))

    @property
    def reads_orders(self) -> bool:
        return self._encoder.reads_orders

    def write(self, raws: Sequence[msgspec.Raw], lines: bytes | bytearray) -> None:
        self._encoder.write(raws, lines)

    def close(self) -> None:
        """Finish the encoding and write the compressor's trailer; the file below stays open."""
        self._encoder.close()
        self._blocks.flush()
        self._sink.close()


class _Blocks(io.RawIOBase):
    """Passes on the bytes written to it in blocks of one size."""

    def __init__(self, sink: BinaryIO) -> None:
        super().__init__()
        self._sink = sink
        self._buffer = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._buffer += data
        aligned = len(self._buffer) - len(self._buffer) % _BLOCK_BYTES
        if aligned:
            with memoryview(self._buffer) as view:
                for at in range(0, aligned, _BLOCK_BYTES):
                    self._sink.write(view[at : at + _BLOCK_BYTES])
            del self._buffer[:aligned]
        return len(data)

    def flush(self) -> None:
        if self._buffer and not self._sink.closed:
            self._sink.write(self._buffer)
            self._buffer = bytearray()


def gzip_writer(sink: BinaryIO) -> BinaryIO:
    """Return a gzip stream without name and time in its header, which writes to a file and leaves it open."""
    return cast("BinaryIO", gzip.GzipFile(filename="", mode="wb", compresslevel=1, fileobj=QuietFile(sink), mtime=0))


def zstd_writer(sink: BinaryIO) -> BinaryIO:
    """Return a Zstandard stream that writes to a file and leaves it open."""
    import zstandard

    compressor = zstandard.ZstdCompressor(level=1)
    return cast(
        "BinaryIO", compressor.stream_writer(cast("BinaryIO", QuietFile(sink)), write_size=_BLOCK_BYTES, closefd=False)
    )
