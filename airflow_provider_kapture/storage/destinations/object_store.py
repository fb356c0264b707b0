"""Object stores: checks of the bucket before the first request, and the words of their errors.

Which permissions are needed for what is in docs/storage.md. Uploads are in ``stores``.
"""

from __future__ import annotations

import errno

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook, ObjectStoragePath

from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.storage.destinations.stores.store import (
    Store,
    is_expired,
    is_forbidden,
    is_missing,
    is_rejected,
)

_EXTRAS = {"s3": "s3", "gs": "gcs", "gcs": "gcs", "abfs": "azure", "abfss": "azure"}
_STORES = {*_EXTRAS, "s3a", "s3n"}
_MAX_KEY = 1024


def extra_to_install(destination: str, error: Exception) -> str:
    """Return the hint to install a store's file system; empty if another error occurred."""
    extra = _EXTRAS.get(destination.partition("://")[0])
    if not extra or not isinstance(error, ImportError | ValueError):
        return ""
    return f"; install it with `pip install 'airflow-provider-kapture[{extra}]'`"


def one_line(error: Exception) -> str:
    """Return the first 300 characters of an error's text, in one line."""
    return f"{' '.join(str(error).split()):.300}"


def is_permanent(error: Exception) -> bool:
    """Return whether a retry cannot resolve the error: the connection is missing, or its credentials are rejected."""
    if isinstance(error, AirflowNotFoundException):
        return True
    return any(getattr(error, name, None) in {401, 403} for name in ("status_code", "code"))


def check_name_length(path: ObjectStoragePath, name: str) -> None:
    """Check the length of an object's name.

    :param path: the destination
    :param name: name of the object under the destination; empty if the destination is the object
    :raises ValueError: the name is too long for the store
    """
    length = len(f"{path.key}{name}".encode())
    if path.protocol in _STORES and length > _MAX_KEY:
        raise ValueError(f"an object's name may have {_MAX_KEY:,} bytes, but this one has {length:,}")


def check_connection(path: ObjectStoragePath) -> None:
    """Check that the connection exists, and the file system of the store is installed. No request is sent.

    :raises AirflowNotFoundException: Airflow does not have the destination's connection
    :raises Exception: the file system cannot be created
    """
    if conn_id := _conn_id(path):
        # Amazon's hook treats a missing connection like an empty one.
        BaseHook.get_connection(conn_id)
    assert path.fs is not None


def _credentials(path: ObjectStoragePath) -> str:
    if path.protocol in {"", "file", "local"}:
        return "this process"
    conn_id = _conn_id(path)
    return f"the connection {conn_id!r}" if conn_id else "the default credentials of this process"


def _conn_id(path: ObjectStoragePath) -> str | None:
    # Airflow 2 has it only in the options of the file system.
    found: str | None = getattr(path, "conn_id", None) or path.storage_options.get("conn_id")
    return found


def store_error(store: Store, operation: str, uri: str, error: Exception) -> Exception:
    """Return the error of an operation in the words of this package, with the object, the connection and the remedy.

    :param operation: ``read``, ``list``, ``write`` or ``delete``
    :param uri: the object, or the folder
    """
    cause = f"({type(error).__name__}: {one_line(error)})"
    who = _credentials(ObjectStoragePath(uri))
    if is_expired(error):
        return OSError(f"The token of {who} has expired {cause}: a retry needs a new one to reach {uri!r}")
    if is_rejected(error):
        return KaptureSettingsError(f"The store rejects {who} for {uri!r} {cause}: correct its key and secret")
    if is_forbidden(error):
        return KaptureSettingsError(
            f"{_capitalized(who)} lacks a permission: grant {store.actions[operation]} on {uri} {cause}"
        )
    if isinstance(error, FileNotFoundError) or is_missing(error):
        bucket = ObjectStoragePath(uri).bucket.rpartition("@")[2]
        return KaptureSettingsError(
            f"There is no bucket {bucket!r} for {uri!r}, as far as {who} can see {cause}: check its name and the "
            "connection"
        )
    return OSError(getattr(error, "errno", None) or errno.EIO, f"Could not {operation} {uri!r} with {who} {cause}")


def upload_error(store: Store, uri: str, size: int, error: Exception) -> Exception:
    """Return the error of a failed upload, which names the object and the connection."""
    if any(is_kind(error) for is_kind in (is_expired, is_rejected, is_forbidden, is_missing)):
        return store_error(store, "write", uri, error)
    return OSError(
        f"The upload of {size:,} bytes to {uri!r} with {_credentials(ObjectStoragePath(uri))} failed "
        f"({type(error).__name__}: {one_line(error)})"
    )


def _capitalized(text: str) -> str:
    return text[:1].upper() + text[1:]
