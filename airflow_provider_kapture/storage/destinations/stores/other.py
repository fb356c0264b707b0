"""Any other store that fsspec knows: without metadata, and with nothing that identifies an object's content."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_kapture.storage.destinations.stores.store import ANY, OPERATIONS, ChangedError, ObjectState, run


class OtherStore:
    """The objects below a prefix, or one object.

    :param destination: URL that ends in ``/``, or that of the object
    """

    is_local = False
    needs_more_to_replace = False
    honours_conditions = False
    actions: Mapping[str, str] = MappingProxyType({each: f"permission to {each}" for each in OPERATIONS})

    def __init__(self, destination: str) -> None:
        self._destination = destination
        self._fs: Any = ObjectStoragePath(destination).fs

    def probe(self, name: str) -> None:
        """Do nothing: fsspec has no call that finds out without writing."""

    def _path(self, name: str) -> str:
        return ObjectStoragePath(self._destination + name).path

    def read(self, name: str) -> bytes | None:
        try:
            data: bytes = self._fs.cat_file(self._path(name))
        except FileNotFoundError:
            return None
        return data

    def stat(self, name: str) -> ObjectState | None:
        self._fs.invalidate_cache()
        try:
            return ObjectState(self._fs.size(self._path(name)))
        except FileNotFoundError:
            return None

    def write(self, name: str, data: bytes, expected: ObjectState | None = ANY) -> ObjectState:
        if expected is None and self._fs.exists(self._path(name)):
            raise ChangedError(name)
        self._fs.pipe_file(self._path(name), data)
        return ObjectState(len(data))

    def list_names(self, folder: str) -> list[str]:
        self._fs.invalidate_cache()
        try:
            found = self._fs.ls(self._path(folder), detail=False)
        except FileNotFoundError:
            return []
        return [folder + each.rstrip("/").rpartition("/")[2] for each in found]

    def upload(
        self,
        spool: Path,
        size: int,
        name: str,
        metadata: Mapping[str, str],  # noqa: ARG002
        expected: ObjectState | None,  # noqa: ARG002 - no write of fsspec has a condition
    ) -> ObjectState:
        path = self._path(name)
        if getattr(self._fs, "async_impl", False):
            run(self._fs, self._fs._put_file(str(spool), path))  # noqa: SLF001
        else:
            self._fs.put_file(str(spool), path)
        stored = self._fs.size(path)
        if stored != size:
            raise OSError(f"the object has {stored:,} bytes after an upload of {size:,}")
        return ObjectState(size)

    def delete(self, name: str) -> None:
        if self._fs.exists(self._path(name)):
            self._fs.rm_file(self._path(name))

    def sha256(self, name: str) -> str | None:  # noqa: ARG002
        return None
