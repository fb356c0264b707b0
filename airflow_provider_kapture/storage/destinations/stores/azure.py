"""Azure Blob Storage, through the client of adlfs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_kapture.storage.destinations.stores.store import ObjectState, is_missing, run


class AzureStore:
    """The objects below a prefix, or one object.

    :param destination: URL that ends in ``/``, or that of the object
    """

    is_local = False

    def __init__(self, destination: str) -> None:
        self._destination = destination
        path = ObjectStoragePath(destination)
        self._fs: Any = path.fs
        self._container = path.bucket.rpartition("@")[2]

    def _blob(self, name: str) -> Any:
        return self._fs.service_client.get_blob_client(self._container, ObjectStoragePath(self._destination + name).key)

    def read(self, name: str) -> bytes | None:
        async def download() -> bytes:
            async with self._blob(name) as blob:
                data: bytes = await (await blob.download_blob()).readall()
                return data

        try:
            return run(self._fs, download())
        except Exception as error:
            if is_missing(error):
                return None
            raise

    def stat(self, name: str) -> ObjectState | None:
        async def properties() -> Any:
            async with self._blob(name) as blob:
                return await blob.get_blob_properties()

        try:
            found = run(self._fs, properties())
        except Exception as error:
            if is_missing(error):
                return None
            raise
        return _state(found, found["size"], found["metadata"])

    def write(self, name: str, data: bytes) -> None:
        async def upload() -> None:
            async with self._blob(name) as blob:
                await blob.upload_blob(data, overwrite=True)

        run(self._fs, upload())

    def upload(self, spool: Path, size: int, name: str, metadata: Mapping[str, str]) -> ObjectState:
        async def upload() -> Any:
            async with self._blob(name) as blob:
                with spool.open("rb") as file:
                    # adlfs marks what is no folder in the same way.
                    return await blob.upload_blob(
                        file,
                        length=size,
                        overwrite=True,
                        metadata={**metadata, "is_directory": "false"},
                        max_concurrency=2,
                        validate_content=True,
                    )

        return _state(run(self._fs, upload()), size, metadata)

    def delete(self, name: str) -> None:
        async def delete() -> None:
            async with self._blob(name) as blob:
                await blob.delete_blob()

        try:
            run(self._fs, delete())
        except Exception as error:
            if not is_missing(error):
                raise

    def sha256(self, name: str) -> str | None:  # noqa: ARG002
        return None


def _state(response: Mapping[str, Any], size: int, metadata: Mapping[str, str]) -> ObjectState:
    etag = response.get("etag") or ""
    keys = {"etag": etag.strip('"')} if etag else {}
    if response.get("version_id"):
        keys["version_id"] = response["version_id"]
    return ObjectState(size, etag, {key.lower(): value for key, value in (metadata or {}).items()}, keys)
