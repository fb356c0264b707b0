"""Spool files: files on local disk that are not published yet, and the removal of orphaned ones.

Each spool file is locked while its process lives, so one that can be locked is orphaned. Publishing is in ``publish``.
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
# Some shared file systems do not show the locks of other hosts: their spool files count as orphaned only after this
# many seconds without writes.
_ORPHAN_AFTER_SECONDS = 86_400
# Bytes that are written and hashed at once, about a page: each time, the interpreter's lock is given up and waited for.
_BUFFER_BYTES = 1 << 20


class _HashingFile(io.FileIO):
    """A file that computes the SHA-256 of the bytes written to it."""

    def __init__(self, handle: int) -> None:
        super().__init__(handle, "wb")
        self.sha256 = hashlib.sha256()

    def write(self, data: Any) -> int:
        written = super().write(data)
        self.sha256.update(memoryview(data).cast("B")[:written])
        return written


class SpoolFile:
    """A file whose name readers of the folder do not take for data, and that only its owner may read.

    :param folder: the folder that contains it; created if missing
    :param remedy: what to do if the disk is full, for the error message
    """

    def __init__(self, folder: Path, remedy: str) -> None:
        self.path = folder / f"{_own_prefix()}{secrets.token_hex(16)}"
        self._remedy = remedy
        self._raw: _HashingFile | None = None
        self._buffered: io.BufferedWriter | None = None

    def open(self) -> BinaryIO:
        """Create the file, lock it, and return it opened for writing.

        :raises OSError: it cannot be created
        """
        handle = in_folder(self.path.parent, self._create_locked)
        self._raw = _HashingFile(handle)
        self._buffered = io.BufferedWriter(self._raw, _BUFFER_BYTES)
        return cast("BinaryIO", self._buffered)

    def _create_locked(self) -> int:
        while True:
            with self.explain_full_disk():
                handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            # Without locks on this file system, nothing is ever taken for orphaned.
            with contextlib.suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_EX)
            if os.fstat(handle).st_nlink:
                return handle
            # remove_orphans() of another process deleted the file before it was locked.
            os.close(handle)

    def finish(self) -> tuple[int, str]:
        """Flush the file to disk, and return its size in bytes and its SHA-256. It stays open and locked.

        :raises OSError: the disk is full
        """
        assert self._raw is not None
        assert self._buffered is not None
        with self.explain_full_disk():
            self._buffered.flush()
            os.fsync(self._raw.fileno())
        return os.fstat(self._raw.fileno()).st_size, self._raw.sha256.hexdigest()

    @contextlib.contextmanager
    def explain_full_disk(self) -> Iterator[None]:
        """Add the folder, the sizes and the remedy to the error of a full disk or quota.

        :raises OSError: with the same errno
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
                f"{os.strerror(error.errno)} while orders were spooled in {str(folder)!r} ({written:,} bytes written, "
                f"{shutil.disk_usage(folder).free:,} bytes free); {self._remedy}",
            ) from error

    def discard(self) -> None:
        """Delete the file, unless it was renamed to its destination."""
        self.path.unlink(missing_ok=True)
        if self._buffered is not None:
            # Closing writes the rest of the buffer, which fails again on a full disk.
            with contextlib.suppress(OSError, ValueError):
                self._buffered.close()


def _own_prefix() -> str:
    return f"{_PREFIX}{socket.gethostname()}-"


def remove_orphans(folder: Path) -> None:
    """Delete the spool files of killed attempts in a folder."""
    own = _own_prefix()
    for orphan in folder.glob(f"{_PREFIX}*"):
        # The file belongs to another user, or another process is deleting it.
        with contextlib.suppress(OSError), orphan.open("r+b") as spool:
            if (
                not orphan.name.startswith(own)
                and time.time() - os.fstat(spool.fileno()).st_mtime < _ORPHAN_AFTER_SECONDS
            ):
                continue
            fcntl.flock(spool, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Another process may have deleted this file since it was opened, and the name may be in use again.
            if os.fstat(spool.fileno()).st_nlink:
                orphan.unlink()
