"""Publish a file atomically: a reader sees the complete old object or the complete new one.

The file on disk until then is in ``spool``; uploads are in ``object_store``; encoders are in ``storage.encoders``.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.storage.destinations import folders, object_store
from airflow_provider_kapture.storage.destinations.destination import local_path, spool_folder
from airflow_provider_kapture.storage.destinations.spool import SpoolFile
from airflow_provider_kapture.storage.encoders.formats import ENCODERS

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def destination_text(destination: object) -> str:
    """Return the destination as text.

    :raises KaptureSettingsError: it is neither text nor a path, it is a path object that may have lost its final ``/``,
        or it contains a control character or surrounding white space
    """
    if isinstance(destination, str):
        text = destination
    elif isinstance(destination, os.PathLike | ObjectStoragePath):
        text = str(destination)
        if not text.endswith("/") and not text.lower().endswith(tuple(f".{each}" for each in ENCODERS)):
            raise KaptureSettingsError(
                f"`destination` is a {type(destination).__name__} without a known file ending ({text!r}), and path "
                "objects lose a final '/'; pass the destination as text"
            )
    else:
        raise KaptureSettingsError(
            f"`destination` is {destination!r}, a {type(destination).__name__}: it must be a path or URL as text"
        )
    if _CONTROL.search(text) or text != text.strip():
        raise KaptureSettingsError(
            f"`destination` {text!r} contains a line break, a tab or another control character, or surrounding white "
            "space; remove it"
        )
    return text


@contextlib.contextmanager
def no_empty_folders(destination: str) -> Iterator[None]:
    """Remove the local folders that were created for a destination at the end, if they are still empty."""
    try:
        local = local_path(destination)
        folder = spool_folder(destination) if local is None else local if destination.endswith("/") else local.parent
    except Exception:  # noqa: BLE001 - check_destination, which is called next, reports the error
        yield
        return
    with folders.no_empty_folders(folder):
        yield


class StagedObject:
    """An encoded file that is not published yet; deleted at the end of the context unless :meth:`publish` was called.

    :param destination: path or URL of the object
    :param file_format: one of :data:`~airflow_provider_kapture.storage.encoders.formats.ENCODERS`
    """

    def __init__(self, destination: str, file_format: str) -> None:
        self._destination = destination
        self._format = file_format
        self._local = local_path(destination)
        if self._local is None:
            mode, remedy = 0o600, "free space there, or set [kapture] spool_dir to a folder with more space"
        else:
            mode, remedy = 0o666, "free space there, or choose a `destination` on another file system"
        self._spool = SpoolFile(spool_folder(destination), mode, remedy)
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
            self._encoder.abort()
        finally:
            self._spool.discard()

    def write(self, raws: Iterable[msgspec.Raw]) -> None:
        """Add orders.

        :raises OSError: the disk is full
        """
        batch = list(raws)
        with self._spool.explain_full_disk():
            self._encoder.write(batch)
        self.rows += len(batch)

    def publish(self) -> dict[str, Any]:
        """Replace the object at the destination, and return the file's ``uri``, ``rows``, ``bytes`` and ``sha256``.

        :raises OSError: the disk is full, or the upload failed; an existing object is unchanged
        """
        with self._spool.explain_full_disk():
            self._encoder.close()
        size, sha256 = self._spool.finish()
        path = ObjectStoragePath(self._destination)
        if self._local is None:
            object_store.upload(self._spool.path, path, size)
        else:
            self._rename(self._local)
        return {"uri": str(path), "rows": self.rows, "bytes": size, "sha256": sha256}

    def _rename(self, local: Path) -> None:
        changed = [local.parent] if local.parent.is_dir() else [local.parent, local.parent.parent]
        with folders.no_empty_folders(local.parent):
            local.parent.mkdir(parents=True, exist_ok=True)
            self._spool.path.replace(local)
        _sync_folders(changed)

    def replaces(self) -> bool:
        """Return whether the destination already exists."""
        return ObjectStoragePath(self._destination).exists() if self._local is None else self._local.exists()


def _sync_folders(folders_changed: Iterable[Path]) -> None:
    """Flush the entries of folders to disk, so that a rename survives a power failure."""
    for each in folders_changed:
        # Some file systems do not support fsync on folders.
        with contextlib.suppress(OSError):
            handle = os.open(each, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def stage(destination: str, file_format: str) -> StagedObject:
    """Return a context in which a file is written and published.

    :param destination: path or URL of the object
    :param file_format: one of :data:`~airflow_provider_kapture.storage.encoders.formats.ENCODERS`
    """
    return StagedObject(destination, file_format)
