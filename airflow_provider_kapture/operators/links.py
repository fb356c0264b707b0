"""Extra links of a task: to its files in the object store's console, and to the account at Kapture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from airflow.providers.common.compat.sdk import BaseOperatorLink

from airflow_provider_kapture.client.config.origin import parse_origin
from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.operators.lineage import LineageOfOrders
from airflow_provider_kapture.schedules import airflow_release

# XCom key of the account's host, where Airflow 2 cannot take it from a receipt.
_ACCOUNT_KEY = "kapture_account"
# The page of one object, and the page of a folder, by a URL's scheme.
_S3 = (
    "https://console.aws.amazon.com/s3/object/{}?prefix={}",
    "https://console.aws.amazon.com/s3/buckets/{}?prefix={}",
)
_GCS = (
    "https://console.cloud.google.com/storage/browser/_details/{}/{}",
    "https://console.cloud.google.com/storage/browser/{}/{}",
)
# The page of a container needs ids of the subscription that a URL does not have.
_AZURE = ("https://portal.azure.com/#browse/Microsoft.Storage%2FStorageAccounts",) * 2
_CONSOLES = {"s3": _S3, "s3a": _S3, "gs": _GCS, "gcs": _GCS, "abfs": _AZURE, "abfss": _AZURE, "az": _AZURE}


class FilesLink(BaseOperatorLink):
    """Link to the files of a task, if their store has a console."""

    name = "Files"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the URL; empty if there is none."""
        return console_url([file["uri"] for file in _outcome(operator, ti_key)[1]])


class AccountLink(BaseOperatorLink):
    """Link to the account at Kapture."""

    name = "Kapture"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the URL; empty if the task has not read its connection."""
        host = _outcome(operator, ti_key)[0]
        if not host:
            return ""
        try:
            return parse_origin(f"http://{host}")  # only a loopback address may be
        except KaptureSettingsError:
            return f"https://{host}"


def _outcome(operator: Any, ti_key: Any) -> tuple[str | None, Sequence[Mapping[str, Any]]]:
    """Return the account's host and the published files of a try.

    Airflow 3 stores links at the end of each try, in the process of the task: no I/O there. Airflow 2 calls this in the
    webserver, where only XComs are known.
    """
    if isinstance(operator, LineageOfOrders):
        return operator.account_host, operator.published_files()
    from airflow.providers.common.compat.sdk import XCom

    receipt = XCom.get_value(ti_key=ti_key, key="receipt")
    if receipt:
        return receipt["account"], receipt["files"]
    return XCom.get_value(ti_key=ti_key, key=_ACCOUNT_KEY), ()


def keep_account(operator: LineageOfOrders, context: Mapping[str, Any], host: str) -> None:
    """Keep the account's host for the link of a task without a receipt."""
    is_new = operator.account_host is None
    operator.account_host = host
    if is_new and airflow_release() < (3,) and context.get("ti") is not None:
        context["ti"].xcom_push(key=_ACCOUNT_KEY, value=host)


def console_url(uris: Sequence[str]) -> str:
    """Return the page of one object, or of the folder that holds all objects, in the console of their store.

    :returns: an empty text without objects, and for local files
    """
    if not uris:
        return ""
    first, last = min(uris), max(uris)
    common = next((at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), len(first))
    uri = first if len(uris) == 1 else first[: first.rfind("/", 0, common) + 1]
    scheme, _, rest = uri.partition("://")
    pages = _CONSOLES.get(scheme)
    if pages is None:
        return ""
    place, _, key = rest.partition("/")
    return pages[len(uris) > 1].format(place.rpartition("@")[2], quote(key))
