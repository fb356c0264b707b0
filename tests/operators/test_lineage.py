import sys
from typing import Any

import pytest
from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector
from attempts import attempt
from connected import connected
from openlineage.client.generated.base import Dataset, OutputDataset
from openlineage.client.generated.output_statistics_output_dataset import OutputStatisticsOutputDatasetFacet

from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator
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


def register_readers(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Register so many readers of hook lineage, as plugins would."""
    readers = [object] * count
    try:
        from airflow.sdk import plugins_manager
    except ImportError:  # Airflow before 3.2
        from airflow import plugins_manager

        monkeypatch.setattr(plugins_manager, "hook_lineage_reader_classes", readers)
    else:
        monkeypatch.setattr(plugins_manager, "get_hook_lineage_readers_plugins", lambda: readers)


def use_collectors(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return the list of the collectors that Airflow will create."""
    from airflow.providers.common.compat.sdk import HookLineageCollector

    created: list[Any] = []

    def collector() -> Any:
        created[:] = created or [HookLineageCollector()]
        return created[0]

    monkeypatch.setattr(sys.modules[HookLineageCollector.__module__], "get_hook_lineage_collector", collector)
    return created


@pytest.mark.parametrize("readers", [0, 1])
def test_a_collector_is_created_only_for_a_reader(monkeypatch: pytest.MonkeyPatch, readers: int) -> None:
    """It imports every provider's asset handlers."""
    created = use_collectors(monkeypatch)
    register_readers(monkeypatch, readers)
    report_hook_lineage(object(), receipt("/lake/orders.jsonl"))
    assert len(created) == readers


@pytest.mark.parametrize("context", [{}, attempt()], ids=["no task", "task"])
def test_a_pull_outside_of_a_task_reports_no_lineage(monkeypatch: pytest.MonkeyPatch, context: dict[str, Any]) -> None:
    """Nobody can read it, and asking for readers would load all plugins."""
    created = use_collectors(monkeypatch)
    register_readers(monkeypatch, 1)
    with connected(monkeypatch, 3):
        KapturePullOrdersOperator(task_id="pull", window_start="2024-05-08", window_end="2024-05-09").execute(context)
    assert bool(created) == bool(context)


def test_lineage_that_fails_is_no_failure_of_the_pull(monkeypatch: pytest.MonkeyPatch) -> None:
    created = use_collectors(monkeypatch)
    register_readers(monkeypatch, 1)
    report_hook_lineage(object(), receipt("/озеро/orders.jsonl"))
    assert created


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of providers' hooks, all of which Airflow 2 imports here
def test_every_airflow_collects_what_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    use_collectors(monkeypatch)
    register_readers(monkeypatch, 1)
    report_hook_lineage(object(), receipt("/lake/orders.jsonl", "s3://aws_default@lake/orders.jsonl"))
    adapted = get_hook_lineage_collector().collected_assets
    assert [each.asset.uri for each in adapted.inputs] == ["kapture://acme.kapturecrm.com/orders"]
    assert [each.asset.uri for each in adapted.outputs] == ["file:///lake/orders.jsonl", "s3://lake/orders.jsonl"]
