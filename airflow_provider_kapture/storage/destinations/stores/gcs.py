"""Google Cloud Storage, through the client of gcsfs: its JSON API."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_kapture.storage.destinations.stores.store import (
    ANY,
    ObjectState,
    changed_error,
    content_type,
    is_missing,
    run,
)
from airflow_provider_kapture.storage.destinations.upload_options import UploadOptions

# A multiple of 256 KiB, as resumable uploads require.
_CHUNK_SIZE = 8 << 20
_DATA = "application/octet-stream"


class GcsStore:
    """The objects below a prefix, or one object.

    :param destination: URL that ends in ``/``, or that of the object
    :param options: options of the write calls
    """

    is_local = False
    needs_more_to_replace = True
    honours_conditions = True
    actions: Mapping[str, str] = MappingProxyType(
        {
            "read": "storage.objects.get",
            "list": "storage.objects.list",
            "write": "storage.objects.create (to replace an object also storage.objects.delete)",
            "delete": "storage.objects.delete",
        }
    )

    def __init__(self, destination: str, options: UploadOptions = UploadOptions()) -> None:  # noqa: B008 - frozen
        self._destination = destination
        self._options = options
        path = ObjectStoragePath(destination)
        self._fs: Any = path.fs
        self._bucket = path.bucket.rpartition("@")[2]

    def _key(self, name: str) -> str:
        return ObjectStoragePath(self._destination + name).key

    async def _call(self, method: str, name: str, **arguments: Any) -> bytes:
        _, content = await self._fs._call(method, "b/{}/o/{}", self._bucket, self._key(name), **arguments)  # noqa: SLF001
        body: bytes = content
        return body

    def probe(self, name: str) -> None:
        """Begin an upload and cancel it."""
        location = run(self._fs, self._begin_upload(name, self._options.data, self._options.every))
        # What is not cancelled is in no listing, and expires.
        with contextlib.suppress(Exception):
            run(self._fs, self._fs._call("DELETE", location))  # noqa: SLF001

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

    def write(self, name: str, data: bytes, expected: ObjectState | None = ANY) -> ObjectState:
        parameters = {**self._options.every, **_condition(expected)}
        with changed_error(name):
            return _state(run(self._fs, self._insert(name, data, {"contentType": content_type(name)}, parameters)))

    def list_names(self, folder: str) -> list[str]:
        prefix = self._key(folder).rstrip("/") + "/"
        found: list[str] = []
        more: dict[str, str] = {}
        while True:
            _, content = run(
                self._fs,
                self._fs._call("GET", "b/{}/o", self._bucket, prefix=prefix, delimiter="/", **more),  # noqa: SLF001
            )
            page = json.loads(content)
            found += [folder + each["name"].removeprefix(prefix) for each in page.get("items", ())]
            if not page.get("nextPageToken"):
                return found
            more = {"pageToken": page["nextPageToken"]}

    def upload(
        self, spool: Path, size: int, name: str, metadata: Mapping[str, str], expected: ObjectState | None
    ) -> ObjectState:
        parameters = {**self._options.every, **_condition(expected)}
        with spool.open("rb") as file:
            # The store compares it with what it has received.
            md5 = base64.b64encode(hashlib.file_digest(file, "md5").digest()).decode()
        user = {**self._options.metadata, **metadata}
        resource = {**self._options.data, "contentType": _DATA, "md5Hash": md5, "metadata": user}
        with changed_error(name):
            if size <= _CHUNK_SIZE:
                response = run(self._fs, self._insert(name, spool.read_bytes(), resource, parameters))
            else:
                response = run(self._fs, self._upload_in_chunks(spool, size, name, resource, parameters))
        return _state(response)

    async def _insert(
        self, name: str, data: bytes, resource: Mapping[str, Any], parameters: Mapping[str, str]
    ) -> dict[str, Any]:
        boundary = secrets.token_hex(16)
        about = json.dumps({**resource, "name": self._key(name)})
        body = (
            f"--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{about}\r\n"
            f"--{boundary}\r\nContent-Type: {resource['contentType']}\r\n\r\n"
        ).encode()
        _, content = await self._fs._call(  # noqa: SLF001
            "POST",
            self._upload_url(),
            uploadType="multipart",
            headers={"Content-Type": f'multipart/related; boundary="{boundary}"'},
            data=b"".join((body, data, f"\r\n--{boundary}--\r\n".encode())),
            **parameters,
        )
        response: dict[str, Any] = json.loads(content)
        return response

    async def _upload_in_chunks(
        self, spool: Path, size: int, name: str, resource: Mapping[str, Any], parameters: Mapping[str, str]
    ) -> dict[str, Any]:
        location = await self._begin_upload(name, resource, parameters)
        from gcsfs.core import upload_chunk

        response: dict[str, Any] = {}
        with spool.open("rb") as file:
            for offset in range(0, size, _CHUNK_SIZE):
                chunk = file.read(_CHUNK_SIZE)
                response = await upload_chunk(self._fs, location, chunk, offset, size, _DATA)
        return response

    async def _begin_upload(self, name: str, resource: Mapping[str, Any], parameters: Mapping[str, str]) -> str:
        headers, _ = await self._fs._call(  # noqa: SLF001
            "POST",
            self._upload_url(),
            uploadType="resumable",
            headers={"X-Upload-Content-Type": _DATA},
            json={**resource, "name": self._key(name)},
            **parameters,
        )
        location: str = headers["Location"]
        return location

    def _upload_url(self) -> str:
        return f"{self._fs._location}/upload/storage/v1/b/{quote(self._bucket, safe='')}/o"  # noqa: SLF001

    def delete(self, name: str) -> None:
        try:
            run(self._fs, self._call("DELETE", name))
        except Exception as error:
            if not is_missing(error):
                raise

    def sha256(self, name: str) -> str | None:  # noqa: ARG002
        return None


def _condition(expected: ObjectState | None) -> dict[str, str]:
    if expected is None:
        return {"ifGenerationMatch": "0"}
    return {"ifGenerationMatch": expected.identity} if expected.identity else {}


def _state(response: Mapping[str, Any]) -> ObjectState:
    generation = str(response.get("generation", ""))
    keys = {key: str(response[key]) for key in ("etag", "generation") if response.get(key)}
    metadata = {key.lower(): value for key, value in (response.get("metadata") or {}).items()}
    return ObjectState(int(response["size"]), generation, metadata, keys)
