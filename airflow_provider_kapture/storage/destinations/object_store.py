"""Object stores: is the bucket there, and one upload that is whole or not there.

The connection needs to list the bucket and to read and write its objects. A store shows an object once its upload is
complete. What a killed upload has left of a large one is in no listing and is never taken for data; a lifecycle rule of
the bucket that aborts incomplete multipart uploads frees its room (S3; the other stores forget it after days).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook, ObjectStoragePath

_EXTRAS = {"s3": "s3", "gs": "gcs", "gcs": "gcs", "abfs": "azure", "abfss": "azure"}
_STORES = {*_EXTRAS, "s3a", "s3n"}
_MAX_KEY = 1024
_PART_SIZE = 8 << 20
_MAX_PARTS = 10_000


def extra_to_install(destination: str, error: Exception) -> str:
    """The hint for a store whose file system is not installed; empty where that is not the error."""
    extra = _EXTRAS.get(destination.partition("://")[0])
    if not extra or not isinstance(error, ImportError | ValueError):
        return ""
    return f"; install it with `pip install 'airflow-provider-kapture[{extra}]'`"


def one_line(error: Exception) -> str:
    """The beginning of what an error says."""
    return f"{' '.join(str(error).split()):.300}"


def is_permanent(error: Exception) -> bool:
    """Whether no retry mends it: no such connection, or credentials that will not do."""
    if isinstance(error, AirflowNotFoundException):
        return True
    return any(getattr(error, name, None) in {401, 403} for name in ("status_code", "code"))


def check_name_length(path: ObjectStoragePath, name: str) -> None:
    """Check that the path, with a name under it, is one that a store takes.

    :raises ValueError: it is too long
    """
    length = len(f"{path.key}{name}".encode())
    if path.protocol in _STORES and length > _MAX_KEY:
        raise ValueError(f"an object's name may have {_MAX_KEY:,} bytes, and this one has {length:,}")


def check_container(path: ObjectStoragePath) -> None:
    """See that the bucket is there.

    :raises FileNotFoundError: it is not
    """
    if conn_id := _conn_id(path):
        # Amazon's hook takes a connection that is not there for one that is empty.
        BaseHook.get_connection(conn_id)
    # With older releases of universal-pathlib, the bucket still has the connection's id in front of it.
    bucket = path.bucket.rpartition("@")[2]
    try:
        if hasattr(path.fs, "call_s3"):
            # What s3fs itself makes of a store that can't be reached is that there is no such bucket.
            path.fs.call_s3("head_bucket", Bucket=bucket)
            return
    except (FileNotFoundError, PermissionError):
        pass
    if not path.fs.exists(bucket):
        raise FileNotFoundError(
            f"there is no bucket {bucket!r}, or {_connection(path)} may not see it: are its credentials right?"
        )
    # adlfs takes a container that it may not see for one that is there, so an object is looked for too.
    path.fs.exists(path.path)


def _connection(path: ObjectStoragePath) -> str:
    conn_id = _conn_id(path)
    return f"the connection {conn_id!r}" if conn_id else "what this process has for credentials"


def _conn_id(path: ObjectStoragePath) -> str | None:
    # Before Airflow 3, it is among the options of the file system only.
    found: str | None = getattr(path, "conn_id", None) or path.storage_options.get("conn_id")
    return found


def _options(path: ObjectStoragePath, size: int) -> Mapping[str, Any]:
    """What bounds the memory of an upload, and has the store check what it gets."""
    part = max(_PART_SIZE, -(-size // _MAX_PARTS))
    options: Mapping[str, Mapping[str, Any]] = MappingProxyType(
        {
            "s3": {"chunksize": part, "max_concurrency": 2},
            "gs": {"chunksize": _PART_SIZE, "consistency": "md5"},
            "abfs": {"max_concurrency": 2, "validate_content": True},
        }
    )
    alias = {"s3a": "s3", "s3n": "s3", "gcs": "gs", "abfss": "abfs"}
    return options.get(alias.get(path.protocol, path.protocol), {})


def upload(spool: Path, path: ObjectStoragePath, size: int) -> None:
    """Upload a file in one go, and see that it is there.

    :raises OSError: it is not; names the destination and the connection
    """
    try:
        _put(path.fs, str(spool), path.path, _options(path, size))
        stored = path.fs.size(path.path)
    except Exception as error:
        raise OSError(
            f"The upload of {size:,} bytes to {str(path)!r} with {_connection(path)} failed "
            f"({type(error).__name__}: {one_line(error)})"
        ) from error
    if stored != size:
        raise OSError(f"{str(path)!r} holds {stored:,} bytes after an upload of {size:,}")


def _put(file_system: Any, spool: str, name: str, options: Mapping[str, Any]) -> None:
    if not getattr(file_system, "async_impl", False):
        file_system.put_file(spool, name, **options)
        return
    # As fsspec's own wrapper does, but that an upload ends with the task: it leaves one that was given up to finish.
    future = asyncio.run_coroutine_threadsafe(file_system._put_file(spool, name, **options), file_system.loop)  # noqa: SLF001
    try:
        future.result()
    except BaseException:
        future.cancel()
        raise
