"""Object stores: checks of the bucket before the first request, and the words of their errors.

The connection needs permission to list the bucket and to read and write its objects. Uploads are in ``stores``.
"""

from __future__ import annotations

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook, ObjectStoragePath

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


def check_container(path: ObjectStoragePath) -> None:
    """Check that the bucket exists.

    :raises FileNotFoundError: it does not exist, or the credentials may not list it
    :raises AirflowNotFoundException: Airflow does not have the destination's connection
    """
    if conn_id := _conn_id(path):
        # Amazon's hook treats a missing connection like an empty one.
        BaseHook.get_connection(conn_id)
    # Older releases of universal-pathlib leave the connection's id in front of the bucket.
    bucket = path.bucket.rpartition("@")[2]
    try:
        if hasattr(path.fs, "call_s3"):
            # s3fs.exists() reports an unreachable store as a missing bucket.
            path.fs.call_s3("head_bucket", Bucket=bucket)
            return
    except (FileNotFoundError, PermissionError):
        pass
    if not path.fs.exists(bucket):
        raise FileNotFoundError(
            f"there is no bucket {bucket!r}, or {_credentials(path)} may not list it; check the name and credentials"
        )
    # adlfs reports a container that it may not list as existing, so look for an object as well.
    path.fs.exists(path.path)


def _credentials(path: ObjectStoragePath) -> str:
    conn_id = _conn_id(path)
    return f"the connection {conn_id!r}" if conn_id else "the default credentials of this process"


def _conn_id(path: ObjectStoragePath) -> str | None:
    # Airflow 2 has it only in the options of the file system.
    found: str | None = getattr(path, "conn_id", None) or path.storage_options.get("conn_id")
    return found


def upload_error(uri: str, size: int, error: Exception) -> OSError:
    """Return the error of a failed upload, which names the object and the connection."""
    return OSError(
        f"The upload of {size:,} bytes to {uri!r} with {_credentials(ObjectStoragePath(uri))} failed "
        f"({type(error).__name__}: {one_line(error)})"
    )
