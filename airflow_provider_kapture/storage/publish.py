"""Spool on local disk, check, and put in place at once: the object is the old one or the new one, whole."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_kapture.client.days import Window, from_ms
from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.storage.formats import ENCODERS

_EXTRAS = {"s3": "s3", "gs": "gcs", "gcs": "gcs", "abfs": "azure", "abfss": "azure"}
_SPOOL = ".kapture-"


def object_name(window: Window, file_format: str) -> str:
    """Where an account day's orders go under a ``/`` destination: a function of the window alone."""

    def stamp(ms: int) -> str:
        return from_ms(ms).strftime("%Y%m%dT%H%M%S") + (f"{ms % 1000:03d}" if ms % 1000 else "") + "Z"

    day = window.start.date().isoformat()
    return f"create_date={day}/orders_{stamp(window.start_ms)}_{stamp(window.end_ms)}.{file_format}"


def check_destination(destination: str) -> None:
    """See that the destination can be written to, before the first order is pulled.

    :raises KaptureSettingsError: it can't
    """
    try:
        path = ObjectStoragePath(destination)
        local = local_path(path)
        if local is None:
            _check_container(path)
        else:
            _check_folder(local, names_file=not destination.endswith("/"))
    except Exception as error:
        extra = _EXTRAS.get(destination.partition("://")[0])
        missing = isinstance(error, ImportError | ValueError)
        hint = f"; install it with `pip install 'airflow-provider-kapture[{extra}]'`" if extra and missing else ""
        raise KaptureSettingsError(
            f"destination {destination!r} can't be written to ({type(error).__name__}: {error!s:.200}){hint}"
        ) from error


def _check_container(path: ObjectStoragePath) -> None:
    # With older releases of universal-pathlib, the bucket still has the connection's id in front of it.
    bucket = path.bucket.rpartition("@")[2]
    if not path.fs.exists(bucket):
        raise FileNotFoundError(f"there is no bucket {bucket!r}, or the connection may not see it")


def _check_folder(local: Path, *, names_file: bool) -> None:
    if names_file and local.is_dir():
        raise IsADirectoryError("it is a folder: end it in '/' for an object for each day")
    folder = local.parent if names_file else local
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, prefix=_SPOOL):
        pass


def local_path(path: ObjectStoragePath) -> Path | None:
    """The path on this machine's file system; none for an object store."""
    return Path(path.path) if path.protocol in {"file", "local", ""} else None


class Spool:
    """A file on local disk on its way to its destination. Nothing is published until :meth:`publish`.

    :param destination: path or URL of the object
    :param file_format: one of :data:`~airflow_provider_kapture.storage.formats.ENCODERS`
    """

    def __init__(self, destination: str, file_format: str) -> None:
        self._path = ObjectStoragePath(destination)
        self._local = local_path(self._path)
        if self._local is not None:
            self._local.parent.mkdir(parents=True, exist_ok=True)
        # Beside a local destination, so that the rename stays on one file system; the dot hides it from readers.
        folder = self._local.parent if self._local is not None else None
        handle, name = tempfile.mkstemp(prefix=_SPOOL, dir=folder)
        self._spool = Path(name)
        fcntl.flock(handle, fcntl.LOCK_EX)
        _sweep(self._spool.parent)
        self._file = os.fdopen(handle, "wb")
        self._encoder = ENCODERS[file_format](self._file)
        self.rows = 0

    def write(self, raws: Iterable[msgspec.Raw]) -> None:
        """Add orders."""
        batch = list(raws)
        self._encoder.write(batch)
        self.rows += len(batch)

    def publish(self) -> dict[str, Any]:
        """Put the file in place of what was there; its uri, rows, bytes and sha256."""
        self._encoder.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        with self._spool.open("rb") as written:
            digest = hashlib.file_digest(written, "sha256").hexdigest()
        size = self._spool.stat().st_size
        if self._local is not None:
            self._spool.chmod(0o666 & ~_umask())
            self._spool.replace(self._local)
        else:
            self._path.fs.put_file(str(self._spool), self._path.path)
            stored = self._path.fs.size(self._path.path)
            if stored != size:
                raise OSError(f"{self._path} holds {stored} bytes after an upload of {size}")
        return {"uri": str(self._path), "rows": self.rows, "bytes": size, "sha256": digest}

    def discard(self) -> None:
        """Remove what was not published."""
        with contextlib.suppress(Exception):
            self._file.close()
        self._spool.unlink(missing_ok=True)


def _sweep(folder: Path) -> None:
    """Remove spools of tries that were killed: a living one holds its file's lock."""
    for left in folder.glob(f"{_SPOOL}*"):
        with contextlib.suppress(OSError), left.open("rb") as spool:
            fcntl.flock(spool, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink()


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


@contextlib.contextmanager
def spooled(destination: str, file_format: str) -> Iterator[Spool]:
    """A spool that is gone at the end, whatever happens."""
    spool = Spool(destination, file_format)
    try:
        yield spool
    finally:
        spool.discard()
