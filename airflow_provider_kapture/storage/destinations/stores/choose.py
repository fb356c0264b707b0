"""The choice of a destination's store by its URL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_kapture.storage.destinations.destination import local_path, spool_folder
from airflow_provider_kapture.storage.destinations.stores.azure import AzureStore
from airflow_provider_kapture.storage.destinations.stores.gcs import GcsStore
from airflow_provider_kapture.storage.destinations.stores.local import LocalStore
from airflow_provider_kapture.storage.destinations.stores.other import OtherStore
from airflow_provider_kapture.storage.destinations.stores.s3 import S3Store
from airflow_provider_kapture.storage.destinations.stores.store import Store
from airflow_provider_kapture.storage.destinations.upload_options import AZURE, GCS, S3, check_upload_options


def open_store(destination: str, upload_options: Mapping[str, Any] | None = None) -> Store:
    """Return the store of a destination. No I/O.

    :param destination: path or URL of an object, or of a folder that ends in ``/``
    :param upload_options: as for the operator
    :raises KaptureSettingsError: an upload option is not one of the store's
    """
    local = local_path(destination)
    if local is not None:
        check_upload_options(upload_options, None)
        return LocalStore(local, spool_folder(destination))
    file_system = ObjectStoragePath(destination).fs
    if hasattr(file_system, "_call_s3"):
        return S3Store(destination, check_upload_options(upload_options, S3))
    if file_system.protocol in ("gs", "gcs") or "gs" in file_system.protocol:
        return GcsStore(destination, check_upload_options(upload_options, GCS))
    if "abfs" in file_system.protocol:
        return AzureStore(destination, check_upload_options(upload_options, AZURE))
    check_upload_options(upload_options, None)
    return OtherStore(destination)
