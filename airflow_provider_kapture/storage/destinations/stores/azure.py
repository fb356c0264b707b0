"""Azure Blob Storage, through the client of adlfs."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.storage.destinations.stores.store import (
    ANY,
    ObjectState,
    changed_error,
    content_type,
    is_conflict,
    is_missing,
    run,
)
from airflow_provider_kapture.storage.destinations.upload_options import UploadOptions


class AzureStore:
    """The objects below a prefix, or one object.

    :param destination: URL that ends in ``/``, or that of the object
    :param options: options of the write calls
    """

    is_local = False
    needs_more_to_replace = False
    honours_conditions = True
    actions: Mapping[str, str] = MappingProxyType(
        {
            "read": "blobs/read",
            "list": "blobs/read (list)",
            "write": "blobs/write",
            "delete": "blobs/delete",
        }
    )

    def __init__(self, destination: str, options: UploadOptions = UploadOptions()) -> None:  # noqa: B008 - frozen
        self._destination = destination
        self._options = options
        self._data_options = dict(options.data)
        if tier := options.data.get("standard_blob_tier"):
            self._data_options["standard_blob_tier"] = _tier(tier)
        path = ObjectStoragePath(destination)
        self._fs: Any = path.fs
        self._container = path.bucket.rpartition("@")[2]

    def _blob(self, name: str) -> Any:
        return self._fs.service_client.get_blob_client(self._container, ObjectStoragePath(self._destination + name).key)

    def probe(self, name: str) -> None:
        """Make a write whose condition cannot hold: the store refuses it as such, or for lack of permission."""

        async def upload() -> None:
            async with self._blob(name) as blob:
                await blob.upload_blob(b"", **self._options.every, **_condition(ObjectState(0, '"0x0"')))

        try:
            run(self._fs, upload())
        except Exception as error:
            if not is_conflict(error):
                raise

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

    def write(self, name: str, data: bytes, expected: ObjectState | None = ANY) -> ObjectState:
        settings = importlib.import_module("azure.storage.blob").ContentSettings(content_type=content_type(name))

        async def upload() -> Any:
            async with self._blob(name) as blob:
                return await blob.upload_blob(
                    data, content_settings=settings, **_condition(expected), **self._options.every
                )

        with changed_error(name):
            return _state(run(self._fs, upload()), len(data), {})

    def list_names(self, folder: str) -> list[str]:
        prefix = ObjectStoragePath(self._destination + folder).key.rstrip("/") + "/"

        async def names() -> list[str]:
            async with self._fs.service_client.get_container_client(self._container) as container:
                return [each async for each in container.list_blob_names(name_starts_with=prefix)]

        return [folder + each.removeprefix(prefix) for each in run(self._fs, names())]

    def upload(
        self, spool: Path, size: int, name: str, metadata: Mapping[str, str], expected: ObjectState | None
    ) -> ObjectState:
        condition = _condition(expected)

        async def upload() -> Any:
            async with self._blob(name) as blob:
                with spool.open("rb") as file:
                    # adlfs marks what is no folder in the same way.
                    return await blob.upload_blob(
                        file,
                        length=size,
                        metadata={**self._options.metadata, **metadata, "is_directory": "false"},
                        max_concurrency=2,
                        validate_content=True,
                        **self._options.every,
                        **self._data_options,
                        **condition,
                    )

        with changed_error(name):
            response = run(self._fs, upload())
        return _state(response, size, metadata)

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


def _tier(name: str) -> Any:
    tiers: Any = importlib.import_module("azure.storage.blob").StandardBlobTier
    try:
        return tiers(name)
    except ValueError:
        raise KaptureSettingsError(
            f"`upload_options['standard_blob_tier']` is {name!r}: it must be a {'/'.join(each.value for each in tiers)}"
        ) from None


def _condition(expected: ObjectState | None) -> dict[str, Any]:
    if expected is None:
        return {"overwrite": False}
    if not expected.identity:
        return {"overwrite": True}
    match: Any = importlib.import_module("azure.core").MatchConditions
    return {"overwrite": True, "etag": expected.identity, "match_condition": match.IfNotModified}


def _state(response: Mapping[str, Any], size: int, metadata: Mapping[str, str]) -> ObjectState:
    etag = response.get("etag") or ""
    keys = {"etag": etag.strip('"')} if etag else {}
    if response.get("version_id"):
        keys["version_id"] = response["version_id"]
    return ObjectState(size, etag, {key.lower(): value for key, value in (metadata or {}).items()}, keys)
