"""Names and checks of a destination, before anything is written to it."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from airflow.providers.common.compat.sdk import ObjectStoragePath, conf

from airflow_provider_kapture.client.days import Window, from_ms
from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.storage.destinations import folders, object_store
from airflow_provider_kapture.storage.destinations.spool import remove_orphans

_LOCAL_SCHEMES = {"file", "local", ""}
_DAY_FOLDER = "create_date="
# What no retry mends.
_PERMANENT_ERRORS = (
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


def check_destination(destination: str) -> None:
    """See that the destination can be written to, before the first order is pulled, and remove what killed tries left.

    :raises KaptureSettingsError: it can't
    :raises OSError: it can't now, which a later try may find otherwise
    """
    try:
        local = local_path(destination)
        longest = _DAY_OBJECT if destination.endswith("/") else ""
        if local is None:
            object_store.check_name_length(ObjectStoragePath(destination), longest)
            object_store.check_container(ObjectStoragePath(destination))
        else:
            # Reads no more than whether the name can be one.
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                (local / longest).lstat()
            _check_file(local, destination)
    except Exception as error:
        message = (
            f"destination {destination!r:.300} can't be written to ({type(error).__name__}: "
            f"{object_store.one_line(error)})"
            f"{object_store.extra_to_install(destination, error)}"
        )
        if (
            isinstance(error, _PERMANENT_ERRORS)
            or getattr(error, "errno", None) in _WRONG_NUMBERS
            or object_store.is_permanent(error)
        ):
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
    remove_orphans(folder)


def _check_file(local: Path, destination: str) -> None:
    if destination.endswith("/"):
        folders.check_writable(local)
    elif local.is_dir():
        raise IsADirectoryError("it is a folder: end it in '/' for an object for each day")
    elif local.exists() and not local.is_file():
        raise FileExistsError("it is there, and it is not a file")
    else:
        folders.check_writable(local.parent)


def local_path(destination: str) -> Path | None:
    """The path on this machine's file system, links followed; none for an object store."""
    parts = urlsplit(destination)
    if parts.scheme not in _LOCAL_SCHEMES:
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
    local = local_path(destination)
    if local is None:
        chosen: str = conf.get("kapture", "spool_dir", fallback="") or ""
        return Path(chosen or tempfile.gettempdir()).expanduser()
    folder = local if destination.endswith("/") else local.parent
    return folder.parent if folder.name.startswith(_DAY_FOLDER) else folder
