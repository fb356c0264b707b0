"""Links and labels of a task in the UI, as each Airflow stores them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import airflow
import pytest
from airflow.providers.common.compat.sdk import DAG, XCom, task_group
from dag_runs import run_dag

from airflow_provider_kapture.emulator import Book, Emulator
from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator
from airflow_provider_kapture.operators.links import AccountLink, FilesLink, console_url
from airflow_provider_kapture.sensors.kapture import KaptureOrdersSensor

# Airflow's own, of its own test client and database layers
pytestmark = pytest.mark.filterwarnings("ignore")

DAYS = [{"window_start": f"2024-05-{day:02}", "window_end": f"2024-05-{day + 1:02}"} for day in (8, 9)]
AWS, GOOGLE = "https://console.aws.amazon.com/s3", "https://console.cloud.google.com/storage/browser"
AZURE = "https://portal.azure.com/#browse/Microsoft.Storage%2FStorageAccounts"


@pytest.mark.parametrize(
    ("uris", "url"),
    [
        ([], ""),
        (["/lake/orders.jsonl"], ""),
        (["file:///lake/orders.jsonl"], ""),
        (["s3://aws_default@lake/crm/a b.parquet"], f"{AWS}/object/lake?prefix=crm/a%20b.parquet"),
        (["s3://lake/d=1/a.csv", "s3://lake/d=1/b.csv"], f"{AWS}/buckets/lake?prefix=d%3D1/"),
        (["s3://lake/crm/d=8/a.csv", "s3://lake/crm/d=9/a.csv"], f"{AWS}/buckets/lake?prefix=crm/"),
        (["s3://lake/a.csv", "s3://lake/b.csv"], f"{AWS}/buckets/lake?prefix="),
        (["gs://google@lake/crm/a.csv"], f"{GOOGLE}/_details/lake/crm/a.csv"),
        (["gs://lake/crm/d=8/a.csv", "gs://lake/crm/d=9/a.csv"], f"{GOOGLE}/lake/crm/"),
        (["abfs://wasb_default@lake/crm/a.csv"], AZURE),
    ],
)
def test_files_have_a_page_in_their_stores_console(uris: list[str], url: str) -> None:
    assert console_url(uris) == url


@pytest.fixture(scope="module")
def kapture(airflow_db: None) -> Iterator[Emulator]:
    with Emulator(Book(orders=30, days=3)) as running, pytest.MonkeyPatch.context() as patch:
        for conn_id in ("kapture_default", "kapture_other"):
            for name, value in running.connection_uri_env(conn_id, retry_budget=1).items():
                patch.setenv(name, value)
        yield running


def pulled(folder: Path) -> KapturePullOrdersOperator:
    pull = KapturePullOrdersOperator(task_id="pull", **DAYS[0], destination=f"{folder}/")
    pull.execute({})
    return pull


def test_links_of_a_try_need_no_xcom(kapture: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(XCom, "get_value", None)
    never = KapturePullOrdersOperator(task_id="never", **DAYS[0])
    assert [link.get_link(never, ti_key=None) for link in never.operator_extra_links] == ["", ""]
    pull = pulled(tmp_path)
    assert AccountLink().get_link(pull, ti_key=None) == kapture.origin
    assert FilesLink().get_link(pull, ti_key=None) == ""
    file = dict(pull.published_files()[0], uri="s3://lake/a.csv")
    monkeypatch.setattr(pull, "published_files", lambda: [file])
    assert FilesLink().get_link(pull, ti_key=None) == f"{AWS}/object/lake?prefix=a.csv"


@pytest.mark.parametrize("mapped", [False, True])
def test_links_come_back_from_the_serialized_dag(mapped: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the UI reads them: Airflow 2 by the receipt, Airflow 3 by what the task has stored."""
    from airflow.serialization import serialized_objects

    with DAG("linked", schedule=None, start_date=dt.datetime(2024, 5, 1, tzinfo=dt.UTC)) as dag:
        if mapped:
            KapturePullOrdersOperator.partial(task_id="pull").expand_kwargs(DAYS)
        else:
            KapturePullOrdersOperator(task_id="pull")
    # Later versions serialize with a class, and deserialize with the same one or another.
    writer = getattr(serialized_objects, "DagSerialization", serialized_objects.SerializedDAG)
    # As in the process of the UI; a scheduler turns it off for all that follows in its process.
    monkeypatch.setattr(writer, "_load_operator_extra_links", True)
    read = writer.from_dict(writer.to_dict(dag)).get_task("pull")
    assert set(read.extra_links) == {"Files", "Kapture"}
    if airflow.__version__.startswith("2."):
        receipt = {"account": "acme.kapturecrm.com", "files": [{"uri": "gs://lake/a.csv"}]}
        monkeypatch.setattr(XCom, "get_value", lambda **_: receipt)
        task_instance = SimpleNamespace(task=None, key=None)
        assert read.get_extra_links(task_instance, "Files") == f"{GOOGLE}/_details/lake/a.csv"
        assert read.get_extra_links(task_instance, "Kapture") == "https://acme.kapturecrm.com"


def test_mapped_tasks_are_labelled_with_what_they_are_mapped_over(kapture: Emulator, tmp_path: Path) -> None:
    instants = [{name: f"{day}T00:00:00+05:30" for name, day in each.items()} for each in DAYS]
    conn_ids = ["kapture_default", "kapture_other"]

    def build() -> None:
        pull = KapturePullOrdersOperator
        pull.partial(task_id="windows", destination=f"{tmp_path}/w/").expand_kwargs(instants)
        pull.partial(task_id="accounts", **DAYS[0]).expand(kapture_conn_id=conn_ids)
        pull.partial(task_id="both").expand_kwargs(
            [{**DAYS[0], "kapture_conn_id": "kapture_other"}, {**DAYS[1], "kapture_conn_id": "kapture_default"}]
        )
        pull.partial(task_id="people", **DAYS[0]).expand(filters=[{"email": "kiran@example.org"}])
        pull.partial(task_id="given", map_index_template="day {{ ti.map_index }}").expand_kwargs(DAYS)
        KaptureOrdersSensor.partial(task_id="wait", min_orders=1).expand_kwargs(DAYS)
        pull.partial(task_id="failed", kapture_conn_id="gone").expand_kwargs(DAYS[:1])

        @task_group(group_id="group")
        def grouped(conn_id: str) -> None:
            pull(task_id="pull", kapture_conn_id=conn_id, **DAYS[1])

        grouped.expand(conn_id=conn_ids)
        pull(task_id="plain", **DAYS[0])

    found = run_dag(build)
    windows = ["2024-05-08 to 2024-05-09", "2024-05-09 to 2024-05-10"]
    assert {name: outcome.labels for name, outcome in found.items()} == {
        "windows": windows,
        "accounts": conn_ids,
        "both": [f"kapture_other {windows[0]}", f"kapture_default {windows[1]}"],
        "people": [None],
        "given": ["day 0", "day 1"],
        "wait": windows,
        "failed": windows[:1],
        "group.pull": [windows[1]] * 2,
        "plain": [None],
    }
