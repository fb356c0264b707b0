"""Put a spooled file in place at once: the object is the old one or the new one, whole."""

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


@contextlib.contextmanager
def no_empty_folders(destination: str) -> Iterator[None]:
    """Remove the local folders that were made for a destination at the end, as far as they are still empty."""
    try:
        local = local_path(destination)
        folder = spool_folder(destination) if local is None else local if destination.endswith("/") else local.parent
    except Exception:  # noqa: BLE001 - the check of the destination, which comes next, names it
        yield
        return
    with folders.no_empty_folders(folder):
        yield


class StagedObject:
    """A file on its way to its destination, gone at the end of the context. Only :meth:`publish` publishes.

    :param destination: path or URL of the object
    :param file_format: one of :data:`~airflow_provider_kapture.storage.encoders.formats.ENCODERS`
    """

    def __init__(self, destination: str, file_format: str) -> None:
        self._destination = destination
        self._format = file_format
        self._local = local_path(destination)
        if self._local is None:
            mode, remedy = 0o600, "make room, or set [kapture] spool_dir to a folder with more"
        else:
            mode, remedy = 0o666, "a local destination is spooled beside it: make room there, or take another"
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
        """Put the file in place of what was there; its uri, rows, bytes and sha256.

        :raises OSError: the disk is full, or the upload failed; what was there is whole
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
        named_in = [local.parent] if local.parent.is_dir() else [local.parent, local.parent.parent]
        with folders.no_empty_folders(local.parent):
            local.parent.mkdir(parents=True, exist_ok=True)
            self._spool.path.replace(local)
        _sync_folders(named_in)

    def replaces(self) -> bool:
        """Whether there is an older object."""
        return ObjectStoragePath(self._destination).exists() if self._local is None else self._local.exists()


def _sync_folders(named_in: Iterable[Path]) -> None:
    """See that what folders hold survives a loss of power."""
    for each in named_in:
        # Some file systems have no such thing.
        with contextlib.suppress(OSError):
            handle = os.open(each, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def stage(destination: str, file_format: str) -> StagedObject:
    """A spool, as a context that is gone at the end, whatever happens."""
    return StagedObject(destination, file_format)
