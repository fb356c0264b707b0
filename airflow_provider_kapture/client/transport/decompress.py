"""A body as it comes off the wire, with a ceiling on what it may unpack to."""

from __future__ import annotations

import zlib

from airflow_provider_kapture.client import orders
from airflow_provider_kapture.client.errors import KaptureOversizeError, KaptureShapeError, KaptureTransportError

# What an empty gzip file takes, and how many of them may stand one behind another.
_GZIP_OVERHEAD = 64
_MAX_MEMBERS = 1_000


class BoundedDecompressor:
    """Feed it the wire's chunks; :meth:`finish` gives the body.

    :param encoding: the answer's Content-Encoding
    :param limit: the connection's ``max_response_bytes``
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
                "Kapture answered in a Content-Encoding other than gzip, which was asked for", path=orders.PATH
            )
        self._inflater = None if encoding in {"", "identity"} else zlib.decompressobj(wbits=47)

    def feed(self, chunk: bytes) -> None:
        """Take a chunk.

        :raises KaptureOversizeError: more than the limit
        :raises KaptureTransportError: not the encoding that was declared
        """
        if self._inflater is None:
            self._append(chunk)
            return
        # What unpacks to little or nothing may be as endless as what unpacks to too much.
        self._received += len(chunk)
        if self._received > 2 * self._limit + _GZIP_OVERHEAD:
            raise self._oversize()
        while chunk:
            try:
                decompressed = self._inflater.decompress(chunk, self._limit - self._size + 1)
            except zlib.error:
                raise KaptureTransportError("The answer is not in the encoding that it declares") from None
            self._append(decompressed)
            chunk = self._inflater.unconsumed_tail or self._inflater.unused_data
            if self._inflater.eof and chunk:
                self._members += 1
                if self._members > _MAX_MEMBERS:
                    raise self._oversize()
                self._inflater = zlib.decompressobj(wbits=47)

    def finish(self) -> bytes:
        """The whole body.

        :raises KaptureTransportError: it was cut short
        """
        if self._inflater is not None and self._size and not self._inflater.eof:
            raise KaptureTransportError("The answer was cut short")
        return self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)

    def _append(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size > self._limit:
            raise self._oversize()
        self._chunks.append(chunk)

    def _oversize(self) -> KaptureOversizeError:
        return KaptureOversizeError(
            f"A page unpacks to more than {self._limit} bytes: lower `page_size`, or raise `max_response_bytes`",
            path=orders.PATH,
        )
