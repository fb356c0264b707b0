"""Files of a folder on local disk, to be read and written there as a whole: those of a store are spooled."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_kapture.client.errors import KaptureError
from airflow_provider_kapture.storage.destinations.destination import local_path, spool_folder
from airflow_provider_kapture.storage.destinations.object_store import store_error
from airflow_provider_kapture.storage.destinations.spool import SpoolFile
from airflow_provider_kapture.storage.destinations.stores.choose import open_store
from airflow_provider_kapture.storage.destinations.stores.store import ChangedError, ObjectState
from airflow_provider_kapture.storage.fingerprint import Fingerprint

_REMEDY = "free space there; changes need room for both files of a day"


@dataclass(frozen=True)
class LocalCopy:
    """A file on local disk.

    :param path: where it is
    :param size: in bytes
    :param sha256: of its bytes
    """

    path: Path
    size: int
    sha256: str


class Folder:
    """The objects below a destination that ends in ``/``. Errors of the store are explained.

    :param uri: the destination
    :param upload_options: as for the operator
    """

    def __init__(self, uri: str, upload_options: Mapping[str, Any] | None = None) -> None:
        self.uri = uri
        self.store = open_store(uri, upload_options)
        self._local = local_path(uri)

    @contextmanager
    def fetch(self, name: str) -> Iterator[LocalCopy]:
        """Give an object as a local file: itself, or a copy that is deleted at the end of the context."""
        if self._local is not None:
            path = self._local / name
            yield LocalCopy(path, path.stat().st_size, self.store.sha256(name) or "")
            return

        path_in_store: Any = ObjectStoragePath(self.uri + name)
        # A listing by anything else in this process may be older than the object.
        path_in_store.fs.invalidate_cache()

        def download(sink: BinaryIO) -> None:
            with self._explained("read", name), path_in_store.open("rb") as source:
                shutil.copyfileobj(source, sink)

        with self.spool(download) as copy:
            yield copy

    @contextmanager
    def spool(self, write: Callable[[BinaryIO], None]) -> Iterator[LocalCopy]:
        """Give a local file that a function writes; it is deleted at the end of the context."""
        spool = SpoolFile(spool_folder(self.uri), _REMEDY)
        try:
            with spool.explain_full_disk():
                write(spool.open())
            size, sha256 = spool.finish()
            yield LocalCopy(spool.path, size, sha256)
        finally:
            spool.discard()

    def put(self, name: str, file: LocalCopy, expected: ObjectState | None) -> None:
        """Create or replace an object from a local file, which stays.

        :param expected: as for :meth:`Store.upload`
        :raises ChangedError: the object is not as expected
        """
        source = file.path
        if self.store.is_local:
            # It is renamed into place.
            source = file.path.with_name(f"{file.path.name}.link")
            os.link(file.path, source)
        try:
            with self._explained("write", name):
                self.store.upload(source, file.size, name, Fingerprint(file.sha256).to_metadata(), expected)
        finally:
            if self.store.is_local:
                source.unlink(missing_ok=True)

    def list_names(self, folder: str) -> list[str]:
        """Return the names of the objects directly in a folder below, which ends in ``/``."""
        with self._explained("list", folder):
            return self.store.list_names(folder)

    def stat(self, name: str) -> ObjectState | None:
        """Return the state of an object; None if there is none."""
        with self._explained("read", name):
            return self.store.stat(name)

    def probe(self, name: str) -> None:
        """Check that an object may be written, where the store lets one find out."""
        with self._explained("write", name):
            self.store.probe(name)

    def delete(self, name: str) -> None:
        """Delete an object; do nothing if there is none."""
        with self._explained("delete", name):
            self.store.delete(name)

    def sha256(self, name: str) -> str | None:
        """Return the SHA-256 of an object's bytes; None if there is no object."""
        state = self.stat(name)
        if state is None:
            return None
        known = Fingerprint.from_metadata(state.metadata).sha256
        if known is not None:
            return known
        with self.fetch(name) as copy:
            return copy.sha256

    @contextmanager
    def _explained(self, operation: str, name: str) -> Iterator[None]:
        try:
            yield
        except (KaptureError, ChangedError):
            raise
        except Exception as error:
            raise store_error(self.store, operation, self.uri + name, error) from error
