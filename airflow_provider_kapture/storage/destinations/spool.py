"""A file on local disk on its way to its destination, and what killed tries have left of theirs.

A spool is locked for as long as its process lives, whichever way that ends, so one that can be locked is a dead one's.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import io
import os
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from airflow_provider_kapture.storage.destinations.folders import in_folder

_PREFIX = ".kapture-"
_DISK_FULL_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# Locks of another machine may not be seen here, on a shared file system that keeps them to each: its spools count as
# dead only once nothing has been written to them for this long.
_ORPHAN_AFTER_SECONDS = 86_400


class _HashingFile(io.FileIO):
    """A file that knows the checksum of what was written to it."""

    def __init__(self, handle: int) -> None:
        super().__init__(handle, "wb")
        self.sha256 = hashlib.sha256()

    def write(self, data: Any) -> int:
        written = super().write(data)
        self.sha256.update(memoryview(data).cast("B")[:written])
        return written


class SpoolFile:
    """A file without a name that a reader would take for data.

    :param folder: where it is; made where it is missing
    :param mode: of the file, before the process's umask
    :param remedy: what to do where the folder is full, for the message
    """

    def __init__(self, folder: Path, mode: int, remedy: str) -> None:
        self.path = folder / f"{_own_prefix()}{secrets.token_hex(16)}"
        self._mode = mode
        self._remedy = remedy
        self._raw: _HashingFile | None = None
        self._buffered: io.BufferedWriter | None = None

    def open(self) -> BinaryIO:
        """Make the file and lock it."""
        handle = in_folder(self.path.parent, self._locked)
        self._raw = _HashingFile(handle)
        self._buffered = io.BufferedWriter(self._raw, 1 << 18)
        return cast("BinaryIO", self._buffered)

    def _locked(self) -> int:
        while True:
            with self.explain_full_disk():
                handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, self._mode)
            # Where a file system knows no locks, nobody's spools are ever taken for dead ones.
            with contextlib.suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_EX)
            if os.fstat(handle).st_nlink:
                return handle
            # A sweep came between the two.
            os.close(handle)

    def finish(self) -> tuple[int, str]:
        """See that all of it is on the disk; its size in bytes and its SHA-256. It stays locked."""
        assert self._raw is not None
        assert self._buffered is not None
        with self.explain_full_disk():
            self._buffered.flush()
            os.fsync(self._raw.fileno())
        return os.fstat(self._raw.fileno()).st_size, self._raw.sha256.hexdigest()

    @contextlib.contextmanager
    def explain_full_disk(self) -> Iterator[None]:
        """Say what was needed, where, where the disk or a quota is full.

        :raises OSError: with the number that it had
        """
        try:
            yield
        except OSError as error:
            if error.errno not in _DISK_FULL_ERRNOS:
                raise
            folder = self.path.parent
            written = os.fstat(self._raw.fileno()).st_size if self._raw is not None else 0
            raise OSError(
                error.errno,
                f"{os.strerror(error.errno)} while orders were spooled in {str(folder)!r}: they take more than the "
                f"{written:,} bytes written so far, and {shutil.disk_usage(folder).free:,} are free; {self._remedy}",
            ) from error

    def discard(self) -> None:
        """Remove what is still there under the spool's own name."""
        self.path.unlink(missing_ok=True)
        if self._buffered is not None:
            # What a full disk did not take is still in the buffer.
            with contextlib.suppress(OSError, ValueError):
                self._buffered.close()


def _own_prefix() -> str:
    return f"{_PREFIX}{socket.gethostname()}-"


def remove_orphans(folder: Path) -> None:
    """Remove spools of tries that were killed."""
    own = _own_prefix()
    for orphan in folder.glob(f"{_PREFIX}*"):
        # Another user's, or one that is swept by somebody else at this moment.
        with contextlib.suppress(OSError), orphan.open("r+b") as spool:
            if (
                not orphan.name.startswith(own)
                and time.time() - os.fstat(spool.fileno()).st_mtime < _ORPHAN_AFTER_SECONDS
            ):
                continue
            fcntl.flock(spool, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Another sweep may have taken this file since it was opened: under its name there is then a living one.
            if os.fstat(spool.fileno()).st_nlink:
                orphan.unlink()
