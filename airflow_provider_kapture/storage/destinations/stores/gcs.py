"""Google Cloud Storage, through the client of gcsfs: its JSON API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_kapture.storage.destinations.stores.store import ObjectState, is_missing, run

# A multiple of 256 KiB, as resumable uploads require.
_CHUNK_SIZE = 8 << 20
_DATA = "application/octet-stream"


class GcsStore:
    """The objects below a prefix, or one object.

    :param destination: URL that ends in ``/``, or that of the object
    """

    is_local = False

    def __init__(self, destination: str) -> None:
        self._destination = destination
        path = ObjectStoragePath(destination)
        self._fs: Any = path.fs
        self._bucket = path.bucket.rpartition("@")[2]

    def _key(self, name: str) -> str:
        return ObjectStoragePath(self._destination + name).key

    async def _call(self, method: str, name: str, **arguments: Any) -> bytes:
        _, content = await self._fs._call(method, "b/{}/o/{}", self._bucket, self._key(name), **arguments)  # noqa: SLF001
        body: bytes = content
        return body

    def read(self, name: str) -> bytes | None:
        try:
            return run(self._fs, self._call("GET", name, alt="media"))
        except Exception as error:
            if is_missing(error):
                return None
            raise

    def stat(self, name: str) -> ObjectState | None:
        try:
            return _state(json.loads(run(self._fs, self._call("GET", name))))
        except Exception as error:
            if is_missing(error):
                return None
            raise

    def write(self, name: str, data: bytes) -> None:
        from gcsfs.core import simple_upload

        run(
            self._fs,
            simple_upload(self._fs, self._bucket, self._key(name), data, content_type="application/json"),
        )

    def upload(self, spool: Path, size: int, name: str, metadata: Mapping[str, str]) -> ObjectState:
        from gcsfs.core import simple_upload

        at = (self._fs, self._bucket, self._key(name))
        if size <= _CHUNK_SIZE:
            work = simple_upload(*at, spool.read_bytes(), dict(metadata), "md5", _DATA)
        else:
            work = self._upload_in_chunks(spool, size, at, dict(metadata))
        return _state(run(self._fs, work))

    async def _upload_in_chunks(
        self, spool: Path, size: int, at: tuple[Any, str, str], metadata: dict[str, str]
    ) -> dict[str, Any]:
        from gcsfs.core import initiate_upload, upload_chunk

        response: dict[str, Any] = {}
        location = await initiate_upload(*at, _DATA, metadata)
        with spool.open("rb") as file:
            for offset in range(0, size, _CHUNK_SIZE):
                chunk = file.read(_CHUNK_SIZE)
                response = await upload_chunk(self._fs, location, chunk, offset, size, _DATA)
        return response

    def delete(self, name: str) -> None:
        try:
            run(self._fs, self._call("DELETE", name))
        except Exception as error:
            if not is_missing(error):
                raise

    def sha256(self, name: str) -> str | None:  # noqa: ARG002
        return None


def _state(response: Mapping[str, Any]) -> ObjectState:
    generation = str(response.get("generation", ""))
    keys = {key: str(response[key]) for key in ("etag", "generation") if response.get(key)}
    metadata = {key.lower(): value for key, value in (response.get("metadata") or {}).items()}
    return ObjectState(int(response["size"]), generation, metadata, keys)
