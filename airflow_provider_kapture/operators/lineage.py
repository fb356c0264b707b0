"""Lineage of a pull from its receipt: hook lineage and OpenLineage. Asset events are in ``operators.asset_events``."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

log = logging.getLogger(__name__)

_ORDERS = "orders"


def report_hook_lineage(hook: Any, receipt: Mapping[str, Any]) -> None:
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
