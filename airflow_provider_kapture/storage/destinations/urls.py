"""URLs of destinations: those that Airflow would reject or read as something else, and those for a browser."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, urlsplit

from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_kapture.client.errors import KaptureSettingsError

_STORES = ("s3", "s3a", "gs", "gcs", "abfs", "abfss")
# Schemes of other tools, and what they are called here; none where there is nothing of the kind.
_OTHERS: Mapping[str, str | None] = MappingProxyType(
    {"s3n": "s3", "wasb": "abfs", "wasbs": "abfs", "az": "abfs", "azure": "abfs", "adl": "abfs", "hdfs": None}
)


def check_url(destination: str) -> None:
    """Check the spelling of a destination's URL.

    :raises KaptureSettingsError: Airflow would not read it as it is meant; gives the right spelling
    """
    scheme = destination.partition(":")[0].lower() if ":" in destination.partition("/")[0] else ""
    parts = urlsplit(destination)
    place, path = parts.netloc, parts.path
    spelling = None
    if scheme in _OTHERS:
        known = _OTHERS[scheme]
        # These schemes name the account after the container.
        container = place.partition("@")[0] if _has_account(place) else place.rpartition("@")[2]
        spelling = f"{known}://CONN_ID@{container or 'bucket'}{path}" if known else "s3://, gs://, abfs:// or a path"
    elif scheme in _STORES and not place.rpartition("@")[2]:
        spelling = f"{scheme}://CONN_ID@bucket{path or '/'}"
    elif scheme in {"abfs", "abfss"} and _has_account(place):
        spelling = f"abfs://CONN_ID@{place.partition('@')[0]}{path}"
    elif scheme in {"file", "local"} and not destination.partition(":")[2].startswith("//"):
        spelling = f"{scheme}:///{destination.partition(':')[2].lstrip('/')}"
    if spelling is not None:
        raise KaptureSettingsError(
            f"`destination` {destination!r} is not how Airflow spells it: use {spelling}"
            + (", with the Airflow connection that has the store's credentials" if "CONN_ID" in spelling else "")
        )


def _has_account(place: str) -> bool:
    return place.endswith(".windows.net")


def browser_url(uri: str) -> str | None:
    """Return the URL at which a browser shows an object to a user of the store who has signed in.

    :param uri: the object
    :return: None if its store has no such URL
    """
    if "://" not in uri:
        return None
    path = ObjectStoragePath(uri)
    file_system: Any = path.fs
    # Older releases of universal-pathlib leave the connection's id in front of the bucket.
    bucket, key = path.bucket.rpartition("@")[2], quote(path.key)
    if hasattr(file_system, "_call_s3"):
        endpoint = getattr(file_system, "endpoint_url", None)
        if endpoint:
            return f"{endpoint.rstrip('/')}/{bucket}/{key}"
        return f"https://console.aws.amazon.com/s3/object/{bucket}?prefix={key}"
    if uri.startswith(("gs://", "gcs://")):
        return f"https://storage.cloud.google.com/{bucket}/{key}"
    account = getattr(file_system, "account_name", None)
    return f"https://{account}.blob.core.windows.net/{bucket}/{key}" if account else None
