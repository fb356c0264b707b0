"""A window's orders as a value for XCom."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from airflow_provider_kapture.client.dicts import as_dict
from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.client.pull import Batch


def orders_for_xcom(batches: Iterable[Batch], most_bytes: int, watch: Callable[[], None]) -> list[dict[str, Any]]:
    """The orders as dicts; reading stops where they become too many for Airflow's database.

    :param most_bytes: the most that their JSON may take
    :param watch: called now and then while orders come
    :raises KaptureSettingsError: they take more
    """
    found: list[dict[str, Any]] = []
    size = 2
    for batch in batches:
        size += sum(len(memoryview(raw)) + 2 for raw in batch.raws)
        if size > most_bytes:
            raise KaptureSettingsError(
                f"The orders take more than max_xcom_bytes ({most_bytes}) in XCom: set `destination` to write them to "
                "files instead"
            )
        found += map(as_dict, batch.raws)
        watch()
    return found
