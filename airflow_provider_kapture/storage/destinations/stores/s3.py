"""Amazon S3 and compatible stores, through the client of s3fs.

An object is visible once its upload is complete. The parts of a killed multipart upload are in no listing; a lifecycle
rule of the bucket that aborts incomplete multipart uploads frees their space.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_kapture.storage.destinations.stores.store import ObjectState, is_missing, run

_PART_SIZE = 8 << 20
_MAX_PARTS = 10_000
# Parts in flight: bounds the memory.
_CONCURRENCY = 2


def part_size(size: int) -> int:
    """Return the bytes of a part of an upload, so that S3's limit of parts suffices."""
    return max(_PART_SIZE, -(-size // _MAX_PARTS))


class S3Store:
    """The objects below a prefix, or one object.

    :param destination: URL that ends in ``/``, or that of the object
    """

    is_local = False

    def __init__(self, destination: str) -> None:
        self._destination = destination
        path = ObjectStoragePath(destination)
        self._fs: Any = path.fs
        # Older releases of universal-pathlib leave the connection's id in front of the bucket.
        self._bucket = path.bucket.rpartition("@")[2]

    def _key(self, name: str) -> str:
        return ObjectStoragePath(self._destination + name).key

    async def _call(self, method: str, name: str, **arguments: Any) -> dict[str, Any]:
        found: dict[str, Any] = await self._fs._call_s3(method, Bucket=self._bucket, Key=self._key(name), **arguments)  # noqa: SLF001
        return found

    def read(self, name: str) -> bytes | None:
        try:
            return run(self._fs, self._read(name))
        except Exception as error:
            if is_missing(error):
                return None
            raise

    async def _read(self, name: str) -> bytes:
        response = await self._call("get_object", name)
        async with response["Body"] as body:
            data: bytes = await body.read()
            return data

    def stat(self, name: str) -> ObjectState | None:
        try:
            response = run(self._fs, self._call("head_object", name))
        except Exception as error:
            if is_missing(error):
                return None
            raise
        return _state(response, response["ContentLength"], response.get("Metadata", {}))

    def write(self, name: str, data: bytes) -> None:
        run(self._fs, self._call("put_object", name, Body=data, ContentType="application/json"))

    def upload(self, spool: Path, size: int, name: str, metadata: Mapping[str, str]) -> ObjectState:
        user = dict(metadata)
        if size <= 2 * _PART_SIZE:
            work = self._call("put_object", name, Body=spool.read_bytes(), Metadata=user)
        else:
            work = self._upload_in_parts(spool, size, name, user)
        return _state(run(self._fs, work), size, metadata)

    async def _upload_in_parts(self, spool: Path, size: int, name: str, metadata: dict[str, str]) -> dict[str, Any]:
        upload_id = (await self._call("create_multipart_upload", name, Metadata=metadata))["UploadId"]
        try:
            parts = await self._upload_parts(spool, size, name, upload_id)
            return await self._call(
                "complete_multipart_upload", name, UploadId=upload_id, MultipartUpload={"Parts": parts}
            )
        except BaseException:
            await asyncio.shield(self._abort(name, upload_id))
            raise

    async def _upload_parts(self, spool: Path, size: int, name: str, upload_id: str) -> list[dict[str, Any]]:
        length = part_size(size)
        slots = asyncio.Semaphore(_CONCURRENCY)

        async def upload_part(number: int) -> dict[str, Any]:
            async with slots:
                with spool.open("rb") as file:
                    file.seek((number - 1) * length)
                    data = file.read(length)
                response = await self._call("upload_part", name, UploadId=upload_id, PartNumber=number, Body=data)
                return {"PartNumber": number, "ETag": response["ETag"]}

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(upload_part(number)) for number in range(1, -(-size // length) + 1)]
        return [each.result() for each in tasks]

    async def _abort(self, name: str, upload_id: str) -> None:
        # A refused abort leaves parts that a lifecycle rule removes; the error that led here matters more.
        await asyncio.gather(self._call("abort_multipart_upload", name, UploadId=upload_id), return_exceptions=True)

    def delete(self, name: str) -> None:
        run(self._fs, self._call("delete_object", name))

    def sha256(self, name: str) -> str | None:  # noqa: ARG002
        return None


def _state(response: Mapping[str, Any], size: int, metadata: Mapping[str, str]) -> ObjectState:
    etag = response.get("ETag", "")
    keys = {"etag": etag.strip('"')} if etag else {}
    if response.get("VersionId") not in {None, "null"}:
        keys["version_id"] = response["VersionId"]
    return ObjectState(size, etag, {key.lower(): value for key, value in metadata.items()}, keys)
