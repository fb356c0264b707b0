"""Lineage of a task: hook lineage and OpenLineage. Asset events are in ``operators.asset_events``."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_kapture.hooks.kapture import KaptureHook

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

log = logging.getLogger(__name__)

_ORDERS = "orders"


def report_hook_lineage(hook: Any, receipt: Mapping[str, Any]) -> None:
    """Report the account and the files as hook lineage, if a lineage backend reads it.

    Errors are logged, not raised: the files are already published. Airflow rejects URIs with other than ASCII
    characters, for instance.

    :param hook: the object that the lineage is reported for
    :param receipt: the receipt of the pull
    """
    from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector

    try:
        collector = get_hook_lineage_collector()  # type: ignore[no-untyped-call]
        collector.add_input_asset(context=hook, uri=f"kapture://{receipt['account']}/{_ORDERS}")
        for file in receipt["files"]:
            namespace, name = _dataset(file["uri"])
            uri = f"file://{name}" if namespace == "file" else f"{namespace}/{name}"
            collector.add_output_asset(context=hook, uri=uri)
    except Exception as error:  # noqa: BLE001 - lineage plugins may raise anything
        log.warning("Could not report all of this pull's hook lineage: %s", error)


class LineageOfOrders:
    """Mixin that reports a task to OpenLineage: the account's orders are its input, and what it published its outputs.

    :ivar account_host: the account's host; None until the task has read its connection
    """

    kapture_conn_id: str
    account_host: str | None = None

    def published_files(self) -> Sequence[Mapping[str, Any]]:
        """Return the receipt's entries of the files that were published so far."""
        return ()

    def get_openlineage_facets_on_start(self) -> OperatorLineage[Any, Any]:
        """Return the account's orders as the input; nothing if the connection cannot be read."""
        return openlineage(self.account_host or _host_of(self.kapture_conn_id), ())

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:  # noqa: ARG002 - OpenLineage's call
        """Return the account's orders as the input, and the published files as outputs, also of a task that failed."""
        return openlineage(self.account_host or _host_of(self.kapture_conn_id), self.published_files())

    get_openlineage_facets_on_failure = get_openlineage_facets_on_complete


def _host_of(kapture_conn_id: str) -> str | None:
    try:
        return KaptureHook(kapture_conn_id).get_account().host
    except Exception:  # noqa: BLE001 - the task itself reports what is wrong with its connection
        return None


def openlineage(account_host: str | None, files: Iterable[Mapping[str, Any]]) -> OperatorLineage[Any, Any]:
    """Return the account's orders as input, and files with their rows and bytes as outputs."""
    from airflow.providers.common.compat.openlineage.facet import (
        Dataset,
        OutputDataset,
        OutputStatisticsOutputDatasetFacet,
    )
    from airflow.providers.openlineage.extractors import OperatorLineage

    outputs = []
    for file in files:
        namespace, name = _dataset(file["uri"])
        statistics = OutputStatisticsOutputDatasetFacet(rowCount=file["rows"], size=file["bytes"])
        outputs.append(OutputDataset(namespace, name, outputFacets={"outputStatistics": statistics}))
    inputs = [] if account_host is None else [Dataset(f"kapture://{account_host}", _ORDERS)]
    return OperatorLineage(inputs=inputs, outputs=outputs)


def _dataset(uri: str) -> tuple[str, str]:
    """Return an object's namespace and name by OpenLineage's naming rules, without the connection's id."""
    scheme, separator, rest = uri.partition("://")
    if not separator or scheme in {"file", "local"}:
        return "file", rest if separator else uri
    place, _, name = rest.partition("/")
    return f"{scheme}://{place.rpartition('@')[2]}", name
