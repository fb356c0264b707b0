"""The local file system as a store: a file appears by a rename."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from airflow_provider_kapture.storage.destinations import folders
from airflow_provider_kapture.storage.destinations.access import copy_access
from airflow_provider_kapture.storage.destinations.spool import SpoolFile
from airflow_provider_kapture.storage.destinations.stores.store import ANY, OPERATIONS, ChangedError, ObjectState

log = logging.getLogger(__name__)


class LocalStore:
    """The files below a folder, or one file.

    :param path: the folder or the file, with links resolved
    :param spool_folder: folder of the spool files, on the same file system
    """

    is_local = True
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

    def write(self, name: str, data: bytes) -> None:
        spool = SpoolFile(self._spool_folder, "free space there, or choose another `destination`")
        try:
            with spool.explain_full_disk():
                spool.open().write(data)
            spool.finish()
            self._rename(spool.path, self._file(name))
        finally:
            spool.discard()

    def create(self, name: str, data: bytes) -> bool:
        spool = SpoolFile(self._spool_folder, "free space there, or choose another `destination`")
        try:
            with spool.explain_full_disk():
                spool.open().write(data)
            spool.finish()
            copy_access(spool.path, self._file(name))
            os.link(spool.path, self._file(name))
        except FileExistsError:
            return False
        finally:
            spool.discard()
        _sync_folders([self._file(name).parent])
        return True

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
        missing = [each for each in target.parents if not each.is_dir()]
        with folders.no_empty_folders(target.parent):
            target.parent.mkdir(parents=True, exist_ok=True)
            with _locked(target.parent):
                if expected is not ANY and self.stat(name) != expected:
                    raise ChangedError(name)
                self._rename(spool, target)
                state = self.stat(name) or ObjectState(size)
        _sync_folders(each.parent for each in missing)
        return state

    def _rename(self, spool: Path, target: Path) -> None:
        missing = [each for each in target.parents if not each.is_dir()]
        with folders.no_empty_folders(target.parent):
            target.parent.mkdir(parents=True, exist_ok=True)
            changed = copy_access(spool, target)
            if changed and not self._has_warned:
                self._has_warned = True
                log.warning("%s had %s. Others may be changed likewise", target, changed)
            spool.replace(target)
        _sync_folders([target.parent, *(each.parent for each in missing)])

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


def _sync_folders(changed: Iterable[Path]) -> None:
    """Flush the entries of folders to disk, so that a rename survives a power failure."""
    for each in changed:
        # Some file systems do not support fsync on folders.
        with contextlib.suppress(OSError):
            handle = os.open(each, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
