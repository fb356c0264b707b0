"""Decompress response bodies up to a size limit."""

from __future__ import annotations

import zlib

from airflow_provider_kapture.client import orders
from airflow_provider_kapture.client.errors import KaptureOversizeError, KaptureShapeError, KaptureTransportError

# Bytes of an empty gzip member, and the most members in one body.
_GZIP_OVERHEAD = 64
_MAX_MEMBERS = 1_000


class BoundedDecompressor:
    """Decompressor that is fed the chunks of a body; :meth:`finish` returns the body.

    :param encoding: the response's Content-Encoding
    :param limit: largest decompressed body, in bytes
    """

    def __init__(self, encoding: str, limit: int) -> None:
        self._chunks: list[bytes] = []
        self._size = 0
        self._limit = limit
        self._received = 0
        self._members = 0
        encoding = encoding.strip().lower()
        if encoding not in {"", "identity", "gzip", "x-gzip", "deflate"}:
            raise KaptureShapeError(
                "Kapture returned another Content-Encoding than the requested gzip; check for a proxy that compresses "
                "responses",
                path=orders.PATH,
            )
        self._inflater = None if encoding in {"", "identity"} else zlib.decompressobj(wbits=47)

    def feed(self, chunk: bytes) -> None:
        """Decompress a chunk.

        :raises KaptureOversizeError: the body exceeds the limit
        :raises KaptureTransportError: the body is not in its declared encoding
        """
        if self._inflater is None:
            self._append(chunk)
            return
        # Compressed bytes are limited too: an endless body may decompress to nothing.
        self._received += len(chunk)
        if self._received > 2 * self._limit + _GZIP_OVERHEAD:
            raise self._oversize()
        while chunk:
            try:
                decompressed = self._inflater.decompress(chunk, self._limit - self._size + 1)
            except zlib.error:
                raise KaptureTransportError("The response is not in its declared Content-Encoding") from None
            self._append(decompressed)
            chunk = self._inflater.unconsumed_tail or self._inflater.unused_data
            if self._inflater.eof and chunk:
                self._members += 1
                if self._members > _MAX_MEMBERS:
                    raise self._oversize()
                self._inflater = zlib.decompressobj(wbits=47)

    def finish(self) -> bytes:
        """Return the whole body.

        :raises KaptureTransportError: the body is truncated
        """
        if self._inflater is not None and self._size and not self._inflater.eof:
            raise KaptureTransportError("The response was truncated")
        return self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)

    def _append(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size > self._limit:
            raise self._oversize()
        self._chunks.append(chunk)

    def _oversize(self) -> KaptureOversizeError:
        return KaptureOversizeError(
            f"A response is larger than {self._limit} bytes when decompressed; reduce `page_size` or raise "
            "`max_response_bytes`",
            path=orders.PATH,
        )
