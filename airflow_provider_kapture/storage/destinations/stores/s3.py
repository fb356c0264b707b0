"""Amazon S3 and compatible stores, through the client of s3fs.

An object is visible once its upload is complete. The parts of a killed multipart upload are in no listing; a lifecycle
rule of the bucket that aborts incomplete multipart uploads frees their space.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_kapture.storage.destinations.stores.store import (
    ANY,
    ObjectState,
    changed_error,
    content_type,
    is_forbidden,
    is_missing,
    run,
    status_of,
)
from airflow_provider_kapture.storage.destinations.upload_options import UploadOptions

log = logging.getLogger(__name__)

_PART_SIZE = 8 << 20
_MAX_PARTS = 10_000
_NOT_IMPLEMENTED = 501
# Parts in flight: bounds the memory.
_CONCURRENCY = 2


def part_size(size: int) -> int:
    """Return the bytes of a part of an upload, so that S3's limit of parts suffices."""
    return max(_PART_SIZE, -(-size // _MAX_PARTS))


class S3Store:
    """The objects below a prefix, or one object.

    :param destination: URL that ends in ``/``, or that of the object
    :param options: options of the write calls
    """

    is_local = False
    needs_more_to_replace = False
    actions: Mapping[str, str] = MappingProxyType(
        {"read": "s3:GetObject", "list": "s3:ListBucket", "write": "s3:PutObject", "delete": "s3:DeleteObject"}
    )

    def __init__(self, destination: str, options: UploadOptions = UploadOptions()) -> None:  # noqa: B008 - frozen
        self._destination = destination
        self._options = options
        path = ObjectStoragePath(destination)
        self._fs: Any = path.fs
        # Older releases of universal-pathlib leave the connection's id in front of the bucket.
        self._bucket = path.bucket.rpartition("@")[2]

    @property
    def honours_conditions(self) -> bool:
        """Return whether the server is Amazon's."""
        host = urlsplit(self._fs.s3.meta.endpoint_url).hostname or ""
        return host.endswith((".amazonaws.com", ".amazonaws.com.cn"))

    @property
    def _data_options(self) -> dict[str, Any]:
        return {**self._options.every, **self._options.data}

    def _key(self, name: str) -> str:
        return ObjectStoragePath(self._destination + name).key

    async def _call(self, method: str, name: str, **arguments: Any) -> dict[str, Any]:
        found: dict[str, Any] = await self._fs._call_s3(method, Bucket=self._bucket, Key=self._key(name), **arguments)  # noqa: SLF001
        return found

    def probe(self, name: str) -> None:
        """Begin a multipart upload and abort it."""
        upload_id = run(self._fs, self._call("create_multipart_upload", name, **self._data_options))["UploadId"]
        try:
            run(self._fs, self._call("abort_multipart_upload", name, UploadId=upload_id))
        except Exception as error:
            if not is_forbidden(error):
                raise
            log.warning(
                "s3:AbortMultipartUpload is not permitted on %s: parts of failed uploads take room until a lifecycle "
                "rule of the bucket removes them",
                self._destination + name,
            )

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

    def write(self, name: str, data: bytes, expected: ObjectState | None = ANY) -> ObjectState:
        about = {"ContentType": content_type(name), **self._options.every}
        return _state(self._put_if(_condition(expected), name, Body=data, **about), len(data), {})

    def list_names(self, folder: str) -> list[str]:
        prefix = self._key(folder).rstrip("/") + "/"
        found: list[str] = []
        more: dict[str, str] = {}
        while True:
            page = run(
                self._fs,
                self._fs._call_s3(  # noqa: SLF001
                    "list_objects_v2", Bucket=self._bucket, Prefix=prefix, Delimiter="/", **more
                ),
            )
            found += [folder + each["Key"].removeprefix(prefix) for each in page.get("Contents", ())]
            if not page.get("IsTruncated"):
                return found
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def upload(
        self, spool: Path, size: int, name: str, metadata: Mapping[str, str], expected: ObjectState | None
    ) -> ObjectState:
        condition = _condition(expected)
        user = {**self._options.metadata, **metadata}
        if size <= 2 * _PART_SIZE:
            response = self._put_if(condition, name, Body=spool.read_bytes(), Metadata=user, **self._data_options)
        else:
            response = self._checked(lambda: self._upload_in_parts(spool, size, name, user, condition), name)
        return _state(response, size, metadata)

    def _put_if(self, condition: Mapping[str, str], name: str, **arguments: Any) -> dict[str, Any]:
        try:
            return self._checked(lambda: self._call("put_object", name, **arguments, **condition), name)
        except Exception as error:
            # A compatible store without conditional writes.
            if not condition or status_of(error) != _NOT_IMPLEMENTED:
                raise
            return run(self._fs, self._call("put_object", name, **arguments))

    def _checked(self, work: Callable[[], Coroutine[Any, Any, dict[str, Any]]], name: str) -> dict[str, Any]:
        with changed_error(name):
            return run(self._fs, work())

    async def _upload_in_parts(
        self, spool: Path, size: int, name: str, metadata: dict[str, str], condition: Mapping[str, str]
    ) -> dict[str, Any]:
        upload_id = (await self._call("create_multipart_upload", name, Metadata=metadata, **self._data_options))[
            "UploadId"
        ]
        try:
            parts = await self._upload_parts(spool, size, name, upload_id)
            return await self._call(
                "complete_multipart_upload",
                name,
                UploadId=upload_id,
                MultipartUpload={"Parts": parts},
                **condition,
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

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(upload_part(number)) for number in range(1, -(-size // length) + 1)]
        except ExceptionGroup as failed:
            first = failed.exceptions[0]
            raise first from first.__cause__
        return [each.result() for each in tasks]

    async def _abort(self, name: str, upload_id: str) -> None:
        # A refused abort leaves parts that a lifecycle rule removes; the error that led here matters more.
        await asyncio.gather(self._call("abort_multipart_upload", name, UploadId=upload_id), return_exceptions=True)

    def delete(self, name: str) -> None:
        run(self._fs, self._call("delete_object", name))

    def sha256(self, name: str) -> str | None:  # noqa: ARG002
        return None


def _condition(expected: ObjectState | None) -> dict[str, str]:
    if expected is None:
        return {"IfNoneMatch": "*"}
    return {"IfMatch": expected.identity} if expected.identity else {}


def _state(response: Mapping[str, Any], size: int, metadata: Mapping[str, str]) -> ObjectState:
    etag = response.get("ETag", "")
    keys = {"etag": etag.strip('"')} if etag else {}
    if response.get("VersionId") not in {None, "null"}:
        keys["version_id"] = response["VersionId"]
    return ObjectState(size, etag, {key.lower(): value for key, value in metadata.items()}, keys)
