"""Links and labels of a task in the UI, as each Airflow stores them."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import airflow
import pytest
from airflow.models import TaskInstance
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, TaskDeferred, XCom, task_group
from airflow.triggers.base import TriggerEvent
from airflow.utils.session import create_session
from dag_runs import run_dag

from airflow_provider_kapture.emulator import Book, Emulator
from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator
from airflow_provider_kapture.operators.links import AccountLink, FilesLink, console_url
from airflow_provider_kapture.schedules import airflow_release
from airflow_provider_kapture.sensors.kapture import KaptureOrdersSensor
from airflow_provider_kapture.triggers.events import ConditionMet, to_payload
from airflow_provider_kapture.triggers.kapture import KaptureOrdersTrigger

# Airflow's own, of its own test client and database layers
pytestmark = pytest.mark.filterwarnings("ignore")

DAYS = [{"window_start": f"2024-05-{day:02}", "window_end": f"2024-05-{day + 1:02}"} for day in (8, 9)]
AWS, GOOGLE = "https://console.aws.amazon.com/s3", "https://console.cloud.google.com/storage/browser"
ACCOUNT = "https://acme.kapturecrm.com"
ENOUGH = to_payload(ConditionMet(1_000, "2024-05-08T00:00:00+05:30", "2024-05-09T00:00:00+05:30"))
IS_AIRFLOW_2 = airflow.__version__.startswith("2.")
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
@pytest.mark.parametrize(
    ("task", "links", "stored"),
    [
        (
            KapturePullOrdersOperator,
            {"Files": f"{GOOGLE}/_details/lake/a.csv", "Kapture": ACCOUNT},
            {"receipt": {"account": "acme.kapturecrm.com", "files": [{"uri": "gs://lake/a.csv"}]}},
        ),
        (KaptureOrdersSensor, {"Kapture": ACCOUNT}, {"kapture_account": "acme.kapturecrm.com"}),
    ],
)
def test_links_come_back_from_the_serialized_dag(
    mapped: bool, task: Any, links: dict[str, str], stored: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the UI reads them: Airflow 2 by XComs of the task, Airflow 3 by what it has stored at its end."""
    from airflow.serialization import serialized_objects

    with DAG("linked", schedule=None, start_date=dt.datetime(2024, 5, 1, tzinfo=dt.UTC)) as dag:
        if mapped:
            task.partial(task_id="task").expand_kwargs(DAYS)
        else:
            task(task_id="task")
    # Later versions serialize with a class, and deserialize with the same one or another.
    writer = getattr(serialized_objects, "DagSerialization", serialized_objects.SerializedDAG)
    # As in the process of the UI; a scheduler turns it off for all that follows in its process.
    monkeypatch.setattr(writer, "_load_operator_extra_links", True)
    read = writer.from_dict(writer.to_dict(dag)).get_task("task")
    assert set(read.extra_links) == set(links)
    if IS_AIRFLOW_2:
        monkeypatch.setattr(XCom, "get_value", lambda *, key, **_: stored.get(key))
        task_instance = SimpleNamespace(task=None, key=None)
        assert {name: read.get_extra_links(task_instance, name) for name in links} == links


def test_the_link_of_a_sensor_stays_while_it_is_deferred_and_after(kapture: Emulator) -> None:
    """In Airflow 3, the process of each step stores the link at its end; Airflow 2 keeps the XCom of the first step."""
    pushed: dict[str, Any] = {}
    task_instance = SimpleNamespace(xcom_push=lambda key, value: pushed.update({key: value}))
    waiting = KaptureOrdersSensor(task_id="wait", **DAYS[0], min_orders=1_000, deferrable=True, timeout=60)
    with pytest.raises(TaskDeferred) as deferred:
        waiting.execute({"ti": task_instance})
    assert AccountLink().get_link(waiting, ti_key=None) == kapture.origin
    assert pushed == ({"kapture_account": waiting.account_host} if IS_AIRFLOW_2 else {})
    resumed = KaptureOrdersSensor(task_id="wait", **DAYS[0])
    event = {"event": ENOUGH, **(deferred.value.kwargs or {})}
    assert resumed.resume_execution(deferred.value.method_name, event, {})["orders"] == 1_000
    assert AccountLink().get_link(resumed, ti_key=None) == kapture.origin


def test_a_sensor_that_fails_has_the_link_to_its_account(kapture: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    kapture.set(status_every=1, status=401)
    failed = KaptureOrdersSensor(task_id="wait", **DAYS[0])
    with pytest.raises(AirflowFailException):
        failed.execute({})
    kapture.reset()
    assert AccountLink().get_link(failed, ti_key=None) == kapture.origin


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


def test_a_mapped_sensor_is_labelled_while_it_is_deferred_where_airflow_stores_labels_before(
    kapture: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    label = "2024-05-08 to 2024-05-09"
    deferred: list[str | None] = []

    async def poll(trigger: Any) -> AsyncIterator[TriggerEvent]:
        deferred.extend(labels("mapped_and_deferred"))
        yield TriggerEvent(ENOUGH)

    monkeypatch.setattr(KaptureOrdersTrigger, "run", poll)

    def build() -> None:
        wait = KaptureOrdersSensor.partial(
            task_id="mapped_and_deferred", min_orders=1_000, deferrable=True, timeout=60, poke_interval=1
        )
        wait.expand_kwargs(DAYS[:1])

    outcome = run_dag(build)["mapped_and_deferred"]
    assert (outcome.states, outcome.labels) == (["success"], [label])
    assert deferred == [label if airflow_release() >= (3, 2) else None]


def labels(task_id: str) -> list[str | None]:
    """The labels of a task, as Airflow's database has them."""
    with create_session() as session:
        found = session.query(TaskInstance).filter_by(task_id=task_id).all()
        # Airflow 3 shows the index of a task without a label.
        return [each.rendered_map_index for each in found if each.rendered_map_index != str(each.map_index)] or [None]
