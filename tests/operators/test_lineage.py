import sys
from typing import Any

import pytest
from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector
from openlineage.client.generated.base import Dataset, OutputDataset
from openlineage.client.generated.output_statistics_output_dataset import OutputStatisticsOutputDatasetFacet

from airflow_provider_kapture.operators.lineage import openlineage, report_hook_lineage


def file(uri: str, **more: Any) -> dict[str, Any]:
    return {"uri": uri, "rows": 3, "bytes": 700, "window_start": "2024-05-08T00:00:00+05:30", **more}


def receipt(*uris: str) -> dict[str, Any]:
    return {"account": "acme.kapturecrm.com", "rows": 3, "files": [file(uri) for uri in uris]}


@pytest.mark.parametrize(
    ("uri", "namespace", "name"),
    [
        ("file:///lake/day 1/orders#1.jsonl", "file", "/lake/day 1/orders#1.jsonl"),
        ("/lake/orders.jsonl", "file", "/lake/orders.jsonl"),
        ("s3://aws_default@lake/crm/orders.parquet", "s3://lake", "crm/orders.parquet"),
        ("gs://lake/crm/orders.parquet", "gs://lake", "crm/orders.parquet"),
    ],
)
def test_openlineage_names_the_account_and_the_files(uri: str, namespace: str, name: str) -> None:
    lineage = openlineage(receipt(uri))
    assert lineage.inputs == [Dataset("kapture://acme.kapturecrm.com", "orders")]
    [output] = lineage.outputs
    assert isinstance(output, OutputDataset)
    assert (output.namespace, output.name) == (namespace, name)
    assert output.outputFacets == {"outputStatistics": OutputStatisticsOutputDatasetFacet(rowCount=3, size=700)}


def test_lineage_that_fails_is_no_failure_of_the_pull(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.providers.common.compat.sdk import HookLineageCollector

    module = sys.modules[HookLineageCollector.__module__]
    monkeypatch.setattr(module, "get_hook_lineage_collector", HookLineageCollector)
    report_hook_lineage(object(), receipt("/озеро/orders.jsonl"))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of providers' hooks, all of which Airflow 2 imports here
def test_every_airflow_collects_what_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a reader of hook lineage registered, as a plugin would."""
    from airflow.providers.common.compat.sdk import HookLineageCollector

    module = sys.modules[HookLineageCollector.__module__]
    collector = HookLineageCollector()
    monkeypatch.setattr(module, "get_hook_lineage_collector", lambda: collector)
    report_hook_lineage(collector, receipt("/lake/orders.jsonl", "s3://aws_default@lake/orders.jsonl"))
    adapted = get_hook_lineage_collector().collected_assets
    assert [each.asset.uri for each in adapted.inputs] == ["kapture://acme.kapturecrm.com/orders"]
    assert [each.asset.uri for each in adapted.outputs] == ["file:///lake/orders.jsonl", "s3://lake/orders.jsonl"]
