"""Names of objects, and the checks of a destination before the first request.

What is specific to object stores is in ``object_store``; writing is in ``publish`` and ``spool``.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from airflow.providers.common.compat.sdk import ObjectStoragePath, conf

from airflow_provider_kapture.client.days import Window, from_ms
from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.client.orders import DATE_COLUMNS
from airflow_provider_kapture.storage.destinations import folders, object_store
from airflow_provider_kapture.storage.destinations.spool import remove_orphans

_LOCAL_SCHEMES = {"file", "local", ""}
_DAY_FOLDERS = tuple(f"{each}=" for each in DATE_COLUMNS.values())
# Errors that a retry cannot resolve.
PERMANENT_ERRORS = (
    FileNotFoundError,
    PermissionError,
    IsADirectoryError,
    NotADirectoryError,
    FileExistsError,
    ImportError,
    ValueError,
)
PERMANENT_ERRNOS = {errno.ENAMETOOLONG, errno.ELOOP, errno.EROFS, errno.EILSEQ}
# The longest name of an object under a `/` destination.
_DAY_OBJECT = f"{max(_DAY_FOLDERS, key=len)}2024-05-08/orders_20240507T183000000Z_20240508T183000000Z.jsonl.zst"


def object_name(date_field: str, window: Window, file_format: str) -> str:
    """Return the name of an account day's object under a ``/`` destination; it depends on nothing else.

    :param date_field: the time of an order that the window is about
    :param window: one day of the account, or a part of it
    :param file_format: the ending of the name
    """
    day = window.start.date().isoformat()
    return f"{DATE_COLUMNS[date_field]}={day}/orders_{'_'.join(stamps(window))}.{file_format}"


def receipt_name(date_field: str, window: Window) -> str:
    """Return the name of the receipt of a window under a ``/`` destination."""
    return f"_receipts/{DATE_COLUMNS[date_field]}/{'_'.join(stamps(window))}.json"


def stamps(window: Window) -> tuple[str, str]:
    """Return the edges of a window as they are in names: UTC, with milliseconds where there are some."""

    def stamp(ms: int) -> str:
        return from_ms(ms).strftime("%Y%m%dT%H%M%S") + (f"{ms % 1000:03d}" if ms % 1000 else "") + "Z"

    return stamp(window.start_ms), stamp(window.end_ms)


def check_destination(destination: str) -> None:
    """Check that the destination can be written to, and remove orphaned spool files of killed attempts.

    :param destination: path or URL of an object, or of a folder that ends in ``/``
    :raises KaptureSettingsError: it cannot be written to, and a retry cannot resolve that
    :raises OSError: it cannot be written to at the moment
    """
    try:
        local = local_path(destination)
        longest = _DAY_OBJECT if destination.endswith("/") else ""
        if local is None:
            object_store.check_name_length(ObjectStoragePath(destination), longest)
            object_store.check_connection(ObjectStoragePath(destination))
        else:
            # Fails if the file system does not allow such a name.
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                (local / longest).lstat()
            _check_file(local, destination)
    except Exception as error:
        message = (
            f"`destination` {destination!r:.300} cannot be written to ({type(error).__name__}: "
            f"{object_store.one_line(error)})"
            f"{object_store.extra_to_install(destination, error)}"
        )
        if (
            isinstance(error, PERMANENT_ERRORS)
            or getattr(error, "errno", None) in PERMANENT_ERRNOS
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
            f"`destination` {destination!r}: {setting} {str(folder)!r} cannot be written to ({error})"
        ) from error
    remove_orphans(folder)


def _check_file(local: Path, destination: str) -> None:
    if destination.endswith("/"):
        folders.check_writable(local)
    elif local.is_dir():
        raise IsADirectoryError("it is a folder; end it in '/' to write one object per day")
    elif local.exists() and not local.is_file():
        raise FileExistsError("it exists and is not a regular file")
    else:
        folders.check_writable(local.parent)


def local_path(destination: str) -> Path | None:
    """Return the path on the local file system with links resolved; None for an object store.

    :raises ValueError: a ``file://`` URL names a host
    """
    parts = urlsplit(destination)
    if parts.scheme not in _LOCAL_SCHEMES:
        return None
    if parts.netloc:
        raise ValueError(f"a local URL needs three slashes: {parts.scheme}:///{parts.netloc}{parts.path}")
    return Path(os.path.realpath(named_path(destination)))


def named_path(destination: str) -> Path:
    """Return the path that a local destination names, with links and ``..`` as they are, and ``~`` resolved."""
    # ObjectStoragePath of universal-pathlib before 0.3 puts a "/" in front of a relative path, and of `~`.
    scheme = urlsplit(destination).scheme
    path = destination[len(scheme) + 1 :].removeprefix("//") if scheme else destination
    return Path(re.sub(r"^/+", "/", path)).expanduser()


def spool_folder(destination: str) -> Path:
    """Return the folder in which the files of a destination are spooled.

    For a local destination it is on the same file system, so that a rename publishes the file, and not a day's folder,
    so that the next pull finds orphaned spool files whatever its days are. Otherwise it is ``[kapture] spool_dir`` of
    Airflow's configuration, by default Python's folder for temporary files.
    """
    local = local_path(destination)
    if local is None:
        chosen: str = conf.get("kapture", "spool_dir", fallback="") or ""
        return Path(chosen or tempfile.gettempdir()).expanduser()
    folder = local if destination.endswith("/") else local.parent
    return folder.parent if folder.name.startswith(_DAY_FOLDERS) else folder
