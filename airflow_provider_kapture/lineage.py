"""What Airflow learns of a pull from its receipt: asset events, hook lineage, OpenLineage."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_kapture.client.days import Window

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

log = logging.getLogger(__name__)

_ORDERS = "orders"


def account_days(window: Window, files: Iterable[Mapping[str, Any]]) -> list[str]:
    """The account's days that a pull has brought up to date: its window's, and those that it looked back on."""
    days = {day.isoformat() for day, _ in window.days()}
    return sorted(days | {file["window_start"][:10] for file in files})


def tell_outlets(context: Mapping[str, Any], outlets: Iterable[Any], receipt: dict[str, Any], days: list[str]) -> None:
    """Have each outlet's asset event carry the receipt, and the days as its partition keys where Airflow has them.

    :param days: ISO 8601 dates
    """
    from airflow.providers.common.compat.sdk import AssetAlias

    events = context.get("outlet_events")
    if events is None:
        return
    for outlet in outlets:
        # Which assets an alias stands for is for the DAG's author to say; what has no URI and no name is no asset.
        if isinstance(outlet, AssetAlias) or not (hasattr(outlet, "uri") or hasattr(outlet, "name")):
            continue
        event = events[outlet]
        event.extra = receipt
        if hasattr(event, "add_partitions"):
            event.add_partitions(days)
            _also_without_partition(context, event)


def _also_without_partition(context: Mapping[str, Any], event: Any) -> None:
    """One more event that is of no partition.

    Airflow runs a DAG that is scheduled on the asset, and not on partitions of it, for such an event and no other.
    """
    if not context.get("partition_key") and isinstance(event.partition_keys, set):
        event.partition_keys.add(None)


def tell_hook_lineage(hook: Any, receipt: Mapping[str, Any]) -> None:
    """Report the account and the files to the readers of hook lineage, where Airflow has any.

    It comes after the files are published, so that nothing in it may fail the task: an asset's URI takes ASCII only.
    """
    from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector

    try:
        collector = get_hook_lineage_collector()  # type: ignore[no-untyped-call]
        collector.add_input_asset(context=hook, uri=f"kapture://{receipt['account']}/{_ORDERS}")
        for file in receipt["files"]:
            namespace, name = _dataset(file["uri"])
            uri = f"file://{name}" if namespace == "file" else f"{namespace}/{name}"
            collector.add_output_asset(context=hook, uri=uri)
    except Exception as error:  # noqa: BLE001 - whatever a reader's plugin raises
        log.warning("Airflow's hook lineage does not have all of this pull: %s", error)


def openlineage(receipt: Mapping[str, Any]) -> OperatorLineage[Any, Any]:
    """The receipt in OpenLineage's words: from the account's orders to the files, with their rows and bytes."""
    from airflow.providers.common.compat.openlineage.facet import (
        Dataset,
        OutputDataset,
        OutputStatisticsOutputDatasetFacet,
    )
    from airflow.providers.openlineage.extractors import OperatorLineage

    outputs = []
    for file in receipt["files"]:
        namespace, name = _dataset(file["uri"])
        statistics = OutputStatisticsOutputDatasetFacet(rowCount=file["rows"], size=file["bytes"])
        outputs.append(OutputDataset(namespace, name, outputFacets={"outputStatistics": statistics}))
    return OperatorLineage(inputs=[Dataset(f"kapture://{receipt['account']}", _ORDERS)], outputs=outputs)


def _dataset(uri: str) -> tuple[str, str]:
    """An object's namespace and name, as OpenLineage names data sets: no connection's id is part of them."""
    scheme, separator, rest = uri.partition("://")
    if not separator or scheme in {"file", "local"}:
        return "file", rest if separator else uri
    place, _, name = rest.partition("/")
    return f"{scheme}://{place.rpartition('@')[2]}", name
