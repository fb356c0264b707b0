"""One encoder a format. The same orders give the same bytes."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import BinaryIO, Protocol

import msgspec

from airflow_provider_kapture.client.errors import KaptureSettingsError


class Encoder(Protocol):
    """Writes orders to an open file."""

    def write(self, raws: Sequence[msgspec.Raw]) -> None:
        """Add orders."""

    def close(self) -> None:
        """Write what is left; the file stays open."""


class JsonLines:
    """Each order's JSON exactly as Kapture sent it, one a line."""

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink

    def write(self, raws: Sequence[msgspec.Raw]) -> None:
        """Add orders; line breaks between the tokens of one, as an indented answer has them, are left out."""
        if not raws:
            return
        lines = b"\n".join(raws)
        if lines.count(b"\n") != len(raws) - 1 or b"\r" in lines:
            lines = b"\n".join(msgspec.json.format(bytes(raw), indent=-1) for raw in raws)
        self._sink.write(lines + b"\n")

    def close(self) -> None:
        """Nothing is left."""


class GzipJsonLines(JsonLines):
    """JSON lines in gzip, without a name or a time in its header."""

    def __init__(self, sink: BinaryIO) -> None:
        self._gzip = gzip.GzipFile(filename="", mode="wb", compresslevel=1, fileobj=sink, mtime=0)
        super().__init__(io.BufferedWriter(self._gzip, 1 << 18))

    def close(self) -> None:
        """Write gzip's trailer."""
        self._sink.close()


ENCODERS: Mapping[str, Callable[[BinaryIO], Encoder]] = MappingProxyType(
    {"jsonl": JsonLines, "jsonl.gz": GzipJsonLines}
)


def format_of(destination: str, file_format: str | None) -> str:
    """The format of a destination: by ``file_format``, else by the file name, else ``jsonl.gz``.

    :raises KaptureSettingsError: unknown, or the two contradict each other
    """
    known = ", ".join(ENCODERS)
    if file_format is not None and file_format not in ENCODERS:
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
