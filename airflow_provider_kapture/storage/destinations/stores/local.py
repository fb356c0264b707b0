"""The local file system as a store: a file appears by a rename."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from airflow_provider_kapture.storage.destinations import folders
from airflow_provider_kapture.storage.destinations.access import copy_access
from airflow_provider_kapture.storage.destinations.spool import SpoolFile
from airflow_provider_kapture.storage.destinations.stores.store import ANY, OPERATIONS, ChangedError, ObjectState

log = logging.getLogger(__name__)
_T = TypeVar("_T")


class LocalStore:
    """The files below a folder, or one file.

    :param path: the folder or the file, with links resolved
    :param spool_folder: folder of the spool files, on the same file system
    """

    is_local = True
    needs_more_to_replace = False
    honours_conditions = True
    actions: Mapping[str, str] = MappingProxyType(dict.fromkeys(OPERATIONS, "file system permissions"))

    def __init__(self, path: Path, spool_folder: Path) -> None:
        self._path = path
        self._spool_folder = spool_folder
        self._has_warned = False

    def probe(self, name: str) -> None:
        """Do nothing: the destination was checked."""

    def _file(self, name: str) -> Path:
        return self._path / name if name else self._path

    def read(self, name: str) -> bytes | None:
        try:
            return self._file(name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def stat(self, name: str) -> ObjectState | None:
        try:
            found = self._file(name).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return ObjectState(found.st_size, f"{found.st_ino}-{found.st_mtime_ns}-{found.st_size}")

    def write(self, name: str, data: bytes, expected: ObjectState | None = ANY) -> ObjectState:
        with self._spooled(data) as spool:
            if expected is None:
                # It exists, or the file system has no hard links.
                with contextlib.suppress(OSError):
                    return self._link(spool, name, len(data))
            return self.upload(spool, len(data), name, {}, expected)

    def _link(self, spool: Path, name: str, size: int) -> ObjectState:
        """Create a file, which fails if it exists, also on a file system without locks."""
        target = self._file(name)
        copy_access(spool, target)
        os.link(spool, target)
        folders.sync(target.parent)
        return self.stat(name) or ObjectState(size)

    @contextlib.contextmanager
    def _spooled(self, data: bytes) -> Iterator[Path]:
        spool = SpoolFile(self._spool_folder, "free space there, or choose another `destination`")
        try:
            with spool.explain_full_disk():
                spool.open().write(data)
            spool.finish()
            yield spool.path
        finally:
            spool.discard()

    def list_names(self, folder: str) -> list[str]:
        try:
            return [folder + each.name for each in self._file(folder).iterdir() if each.is_file()]
        except (FileNotFoundError, NotADirectoryError):
            return []

    def upload(
        self,
        spool: Path,
        size: int,
        name: str,
        metadata: Mapping[str, str],  # noqa: ARG002 - files have none
        expected: ObjectState | None,
    ) -> ObjectState:
        target = self._file(name)

        def rename() -> ObjectState:
            with _locked(target.parent):
                if expected is not ANY and self.stat(name) != expected:
                    raise ChangedError(name)
                self._rename(spool, target)
                return self.stat(name) or ObjectState(size)

        return _in_parent(target, rename)

    def _rename(self, spool: Path, target: Path) -> None:
        changed = copy_access(spool, target)
        if changed and not self._has_warned:
            self._has_warned = True
            log.warning("%s had %s. Others may be changed likewise", target, changed)
        spool.replace(target)
        folders.sync(target.parent)

    def delete(self, name: str) -> None:
        target = self._file(name)
        target.unlink(missing_ok=True)
        for folder in target.parents:
            if folder == self._path or self._path not in folder.parents:
                break
            with contextlib.suppress(OSError):
                folder.rmdir()

    def sha256(self, name: str) -> str | None:
        try:
            with self._file(name).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return None


def _in_parent(target: Path, act: Callable[[], _T]) -> _T:
    with folders.no_empty_folders(target.parent):
        return folders.in_folder(target.parent, act)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other pulls from publishing into the folder meanwhile, where its file system has locks."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
