"""Put a spooled file in place at once: the object is the old one or the new one, whole."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import msgspec
from airflow.providers.common.compat.sdk import ObjectStoragePath, conf

from airflow_provider_kapture.client.days import Window, from_ms
from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.storage import folders, objects
from airflow_provider_kapture.storage.formats import ENCODERS
from airflow_provider_kapture.storage.spool import SpoolFile, sweep

_LOCAL = {"file", "local", ""}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_DAY_FOLDER = "create_date="
# What no retry mends.
_WRONG = (
    FileNotFoundError,
    PermissionError,
    IsADirectoryError,
    NotADirectoryError,
    FileExistsError,
    ImportError,
    ValueError,
)
_WRONG_NUMBERS = {errno.ENAMETOOLONG, errno.ELOOP, errno.EROFS, errno.EILSEQ}
# An object under a `/` destination has a name of this length.
_DAY_OBJECT = "create_date=2024-05-08/orders_20240507T183000000Z_20240508T183000000Z.jsonl.zst"


def object_name(window: Window, file_format: str) -> str:
    """Where an account day's orders go under a ``/`` destination: a function of the window alone."""

    def stamp(ms: int) -> str:
        return from_ms(ms).strftime("%Y%m%dT%H%M%S") + (f"{ms % 1000:03d}" if ms % 1000 else "") + "Z"

    day = window.start.date().isoformat()
    return f"{_DAY_FOLDER}{day}/orders_{stamp(window.start_ms)}_{stamp(window.end_ms)}.{file_format}"


def destination_text(destination: object) -> str:
    """Return the destination as text.

    :raises KaptureSettingsError: it is neither text nor a path, a path that may have lost its ``/``, or its name holds
        what no name can
    """
    if isinstance(destination, str):
        text = destination
    elif isinstance(destination, os.PathLike | ObjectStoragePath):
        text = str(destination)
        if not text.endswith("/") and not text.lower().endswith(tuple(f".{each}" for each in ENCODERS)):
            raise KaptureSettingsError(
                f"destination is a {type(destination).__name__} without a file name's ending ({text!r}), and such a "
                "path loses a '/' at its end; give the destination as text"
            )
    else:
        raise KaptureSettingsError(
            f"destination is {destination!r}, a {type(destination).__name__}: it must be a path or URL as text"
        )
    if _CONTROL.search(text) or text != text.strip():
        raise KaptureSettingsError(
            f"destination {text!r} holds a line break, a tab or another control character, or white space at an end; "
            "remove it"
        )
    return text


def check_destination(destination: str) -> None:
    """See that the destination can be written to, before the first order is pulled, and remove what killed tries left.

    :raises KaptureSettingsError: it can't
    :raises OSError: it can't now, which a later try may find otherwise
    """
    try:
        local = _local_path(destination)
        longest = _DAY_OBJECT if destination.endswith("/") else ""
        if local is None:
            objects.check_name_length(ObjectStoragePath(destination), longest)
            objects.check_container(ObjectStoragePath(destination))
        else:
            # Reads no more than whether the name can be one.
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                (local / longest).lstat()
            _check_file(local, destination)
    except Exception as error:
        message = (
            f"destination {destination!r:.300} can't be written to ({type(error).__name__}: {objects.one_line(error)})"
            f"{objects.extra_to_install(destination, error)}"
        )
        if isinstance(error, _WRONG) or getattr(error, "errno", None) in _WRONG_NUMBERS or objects.is_wrong(error):
            raise KaptureSettingsError(message) from error
        raise OSError(message) from error
    folder = spool_folder(destination)
    try:
        folders.check_writable(folder)
    except OSError as error:
        setting = "its folder" if local is not None else "[kapture] spool_dir"
        raise KaptureSettingsError(
            f"destination {destination!r}: {setting} {str(folder)!r} can't be written to ({error})"
        ) from error
    sweep(folder)


def _check_file(local: Path, destination: str) -> None:
    if destination.endswith("/"):
        folders.check_writable(local)
    elif local.is_dir():
        raise IsADirectoryError("it is a folder: end it in '/' for an object for each day")
    elif local.exists() and not local.is_file():
        raise FileExistsError("it is there, and it is not a file")
    else:
        folders.check_writable(local.parent)


@contextlib.contextmanager
def no_empty_folders(destination: str) -> Iterator[None]:
    """Remove the local folders that were made for a destination at the end, as far as they are still empty."""
    try:
        local = _local_path(destination)
        folder = spool_folder(destination) if local is None else local if destination.endswith("/") else local.parent
    except Exception:  # noqa: BLE001 - the check of the destination, which comes next, names it
        yield
        return
    with folders.no_empty_folders(folder):
        yield


def _local_path(destination: str) -> Path | None:
    """The path on this machine's file system, links followed; none for an object store."""
    parts = urlsplit(destination)
    if parts.scheme not in _LOCAL:
        return None
    if parts.netloc:
        raise ValueError(f"a local path has three slashes: {parts.scheme}:///{parts.netloc}{parts.path}")
    return Path(os.path.realpath(Path(ObjectStoragePath(destination).path).expanduser()))


def spool_folder(destination: str) -> Path:
    """Where a destination's files are spooled.

    Beside a local destination, so that the rename stays on one file system, but not in a day's folder, so that the next
    pull finds what a killed one left, whatever its days are. Else ``[kapture] spool_dir`` of Airflow's configuration,
    by default the folder that Python takes for temporary files.
    """
    local = _local_path(destination)
    if local is None:
        chosen: str = conf.get("kapture", "spool_dir", fallback="") or ""
        return Path(chosen or tempfile.gettempdir()).expanduser()
    folder = local if destination.endswith("/") else local.parent
    return folder.parent if folder.name.startswith(_DAY_FOLDER) else folder


class Spool:
    """A file on its way to its destination, gone at the end of the context. Only :meth:`publish` publishes.

    :param destination: path or URL of the object
    :param file_format: one of :data:`~airflow_provider_kapture.storage.formats.ENCODERS`
    """

    def __init__(self, destination: str, file_format: str) -> None:
        self._destination = destination
        self._format = file_format
        self._local = _local_path(destination)
        if self._local is None:
            mode, way_out = 0o600, "make room, or set [kapture] spool_dir to a folder with more"
        else:
            mode, way_out = 0o666, "a local destination is spooled beside it: make room there, or take another"
        self._spool = SpoolFile(spool_folder(destination), mode, way_out)
        self.rows = 0

    def __enter__(self) -> Self:
        try:
            self._encoder = ENCODERS[self._format](self._spool.open())
        except BaseException:
            self._spool.discard()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._encoder.give_up()
        finally:
            self._spool.discard()

    def write(self, raws: Iterable[msgspec.Raw]) -> None:
        """Add orders.

        :raises OSError: the disk is full
        """
        batch = list(raws)
        with self._spool.room():
            self._encoder.write(batch)
        self.rows += len(batch)

    def publish(self) -> dict[str, Any]:
        """Put the file in place of what was there; its uri, rows, bytes and sha256.

        :raises OSError: the disk is full, or the upload failed; what was there is whole
        """
        with self._spool.room():
            self._encoder.close()
        size, sha256 = self._spool.finish()
        path = ObjectStoragePath(self._destination)
        if self._local is None:
            objects.upload(self._spool.path, path, size)
        else:
            self._rename(self._local)
        return {"uri": str(path), "rows": self.rows, "bytes": size, "sha256": sha256}

    def _rename(self, local: Path) -> None:
        named_in = [local.parent] if local.parent.is_dir() else [local.parent, local.parent.parent]
        with folders.no_empty_folders(local.parent):
            local.parent.mkdir(parents=True, exist_ok=True)
            self._spool.path.replace(local)
        _keep_names(named_in)

    def replaces(self) -> bool:
        """Whether there is an older object."""
        return ObjectStoragePath(self._destination).exists() if self._local is None else self._local.exists()


def _keep_names(named_in: Iterable[Path]) -> None:
    """See that what folders hold survives a loss of power."""
    for each in named_in:
        # Some file systems have no such thing.
        with contextlib.suppress(OSError):
            handle = os.open(each, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def spooled(destination: str, file_format: str) -> Spool:
    """A spool, as a context that is gone at the end, whatever happens."""
    return Spool(destination, file_format)
