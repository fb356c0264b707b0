"""The file under an encoder."""

from __future__ import annotations

import io
from typing import Any, BinaryIO


class Sink(io.RawIOBase):
    """The file. An encoder that was given up writes its end when it is collected: by then the file is closed."""

    def __init__(self, sink: BinaryIO) -> None:
        super().__init__()
        self._file = sink

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return len(data) if self._file.closed else self._file.write(data)
