from collections import Counter

import pytest
from airflow import __version__ as airflow_version

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(900)]

HAS_PARTITIONS_OF_EVENTS = tuple(int(part) for part in airflow_version.split(".")[:2]) >= (3, 3)


def receipts(runs, dag_id: str, count: int) -> list[dict]:
    finished = runs.finished(dag_id, count)
    assert {run["state"] for run in finished} == {"success"}
    return [runs.xcom(dag_id, run["dag_run_id"]) for run in finished]


def seen(runs, dag_id: str, task_id: str, events: int) -> dict[str, list]:
    """What the runs of a consumer returned, by run, once they were handed so many events."""

    def ask() -> dict[str, list] | None:
        consumed = runs.of(dag_id)
        if not consumed or {run["state"] for run in consumed} != {"success"}:
            return None
        found = {run["dag_run_id"]: runs.xcom(dag_id, run["dag_run_id"], "return_value", task_id) for run in consumed}
        return found if sum(len(each) for each in found.values()) >= events else None

    return runs.airflow.wait_for(f"{events} events in runs of {dag_id}", ask)


def events_of(runs, dag_id: str) -> list[dict]:
    return runs.airflow.call("GET", "assets/events", source_dag_id=dag_id)["asset_events"]


def test_a_consumer_by_asset_is_handed_each_pull_once(runs, kapture, orders):
    runs.unpause("plain_consumer")
    runs.unpause("plain_producer")
    pulls = receipts(runs, "plain_producer", 2)
    handed = seen(runs, "plain_consumer", "files_of_events", 2)
    files = [[file["uri"] for file in pull["files"]] for pull in pulls]
    assert sorted(each for of_run in handed.values() for each in of_run) == sorted(files)
    events = events_of(runs, "plain_producer")
    assert [event["partition_key"] for event in events] == [None, None]
    assert sorted(event["extra"]["window_start"] for event in events) == [pull["window_start"] for pull in pulls]


def test_a_consumer_by_partition_reads_the_file_of_each_day_once(runs, kapture, orders):
    for dag_id in ("not_by_day", "each_day_once", "orders_by_day"):
        runs.unpause(dag_id)
    pulls = receipts(runs, "orders_by_day", 2)
    handed = seen(runs, "each_day_once", "files_of_day", 2)
    files = [file["uri"] for pull in pulls for file in pull["files"]]
    assert Counter(each for of_run in handed.values() for each in of_run) == Counter(files)
    assert len(set(files)) == 2
    events = events_of(runs, "orders_by_day")
    assert sorted(event["partition_key"] for event in events) == ["2024-05-08", "2024-05-09"]
    assert [event["extra"]["changed_days"] for event in events] == [[event["partition_key"]] for event in events]
    assert runs.of("not_by_day") == []


@pytest.mark.skipif(not HAS_PARTITIONS_OF_EVENTS, reason="Airflow before 3.3")
def test_a_run_without_a_partition_has_an_event_for_each_day_where_that_is_asked_for(runs, kapture, orders):
    for dag_id in ("not_by_day", "each_day_of_the_month"):
        runs.unpause(dag_id)
    run_id = runs.trigger("month_by_day")
    runs.task_in("success", "month_by_day", run_id)
    handed = seen(runs, "each_day_of_the_month", "file_of_key", 3)
    files = [file["uri"] for file in runs.xcom("month_by_day", run_id)["files"]]
    assert Counter(each for of_run in handed.values() for each in of_run) == Counter(files)
    assert len(set(files)) == 3
    assert runs.of("not_by_day") == []


@pytest.mark.skipif(HAS_PARTITIONS_OF_EVENTS, reason="Airflow 3.3 and later")
def test_events_by_day_that_airflow_cannot_fire_are_an_error_before_the_pull(runs, kapture, orders):
    run_id = runs.trigger("month_by_day")
    assert runs.task_in("failed", "month_by_day", run_id)["try_number"] == 1
    assert "partition_events" in runs.log("month_by_day", run_id)
    assert kapture.stats()["requests"] == 0
    assert not (orders / "month").exists()
