"""URLs of destinations that Airflow would reject with an obscure error, or read as something else."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import urlsplit

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
