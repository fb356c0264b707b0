import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.providers.openlineage.extractors.base import DefaultExtractor
from connected import connected
from openlineage.client.generated.base import Dataset, OutputDataset
from openlineage.client.generated.output_statistics_output_dataset import OutputStatisticsOutputDatasetFacet

from airflow_provider_kapture.emulator import Emulator
from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator
from airflow_provider_kapture.operators.lineage import openlineage, report_hook_lineage
from airflow_provider_kapture.sensors.kapture import KaptureOrdersSensor


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
    lineage = openlineage("acme.kapturecrm.com", [file(uri)])
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


@pytest.fixture
def kapture(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    with connected(monkeypatch, 30, retry_budget=0.1, max_concurrency=1) as running:
        yield running


def pull(**arguments: Any) -> KapturePullOrdersOperator:
    return KapturePullOrdersOperator(task_id="pull", window_start="2024-05-08", window_end="2024-05-11", **arguments)


@pytest.mark.parametrize("kind", [KapturePullOrdersOperator, KaptureOrdersSensor])
def test_a_task_that_starts_has_the_account_as_its_input(kapture: Emulator, kind: Any) -> None:
    task = kind(task_id="any", window_start="2024-05-08", window_end="2024-05-11")
    account = [Dataset(f"kapture://{urlsplit(kapture.origin).netloc}", "orders")]
    assert task.get_openlineage_facets_on_start().inputs == account
    task.execute({})
    done = DefaultExtractor(task).extract_on_complete(None)
    assert done is not None
    assert (done.inputs, done.outputs) == (account, [])


def test_a_task_that_failed_lists_what_it_had_published(kapture: Emulator, tmp_path: Path) -> None:
    task = pull(destination=f"{tmp_path}/", file_format="jsonl")
    kapture.set(status_every=3, status=401)
    with pytest.raises(AirflowFailException):
        task.execute({})
    failed = task.get_openlineage_facets_on_failure(None)
    published = sorted(str(path) for path in tmp_path.glob("create_date=*/*"))
    assert published
    assert sorted(each.name for each in failed.outputs) == published
    assert [each.name for each in failed.inputs] == ["orders"]


@pytest.mark.parametrize("kind", [KapturePullOrdersOperator, KaptureOrdersSensor])
@pytest.mark.parametrize("event", ["start", "complete", "failure"])
def test_lineage_without_a_connection_is_empty_and_not_none(kind: Any, event: str) -> None:
    task = kind(task_id="any", window_start="2024-05-08", window_end="2024-05-11", kapture_conn_id="gone")
    report = getattr(task, f"get_openlineage_facets_on_{event}")
    lineage = report() if event == "start" else report(None)
    assert (lineage.inputs, lineage.outputs) == ([], [])
