import gzip
import json
import os
import re
import signal
from pathlib import Path

import psutil
import pytest

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(900)]

DAYS = [f"2024-05-{day:02d}" for day in (8, 9, 10)]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("orders_*"))}


def lines(folder: Path) -> list[bytes]:
    found = contents(folder)
    whole = [gzip.decompress(data) if name.endswith(".gz") else data for name, data in found.items()]
    return sorted(line for data in whole for line in data.splitlines())


def test_scheduled_runs_pull_adjacent_days_and_cleared_they_pull_the_same(runs, kapture, orders):
    runs.unpause("scheduled")
    finished = runs.finished("scheduled", 3)
    assert [(run["state"], run["run_type"]) for run in finished] == [("success", "scheduled")] * 3
    receipts = [runs.xcom("scheduled", run["dag_run_id"]) for run in finished]
    assert [receipt["window_start"] for receipt in receipts] == [f"{day}T00:00:00+05:30" for day in DAYS]
    assert [receipt["window_end"] for receipt in receipts[:-1]] == [each["window_start"] for each in receipts[1:]]
    assert {receipt["window_source"] for receipt in receipts} == {"last complete period of the schedule"}
    assert [receipt["rows"] for receipt in receipts] == [kapture.count(day, day) for day in DAYS]
    assert lines(orders / "scheduled") == sorted(kapture.records())
    before = contents(orders / "scheduled")

    run_id = finished[1]["dag_run_id"]
    changed = orders / "scheduled" / sorted(before)[1]
    changed.unlink()
    runs.airflow.call(
        "POST", "dags/scheduled/clearTaskInstances", {"dry_run": False, "dag_run_id": run_id, "only_failed": False}
    )
    runs.airflow.wait_for("a second try", lambda: runs.task("scheduled", run_id)["try_number"] == 2)
    runs.task_in("success", "scheduled", run_id)
    assert contents(orders / "scheduled") == before
    again = runs.xcom("scheduled", run_id)
    told = ("window_start", "window_end", "window_source", "rows", "files")
    assert [again[key] for key in told] == [receipts[1][key] for key in told]


def test_a_backfill_pulls_each_day_once(runs, kapture, orders):
    runs.unpause("backfilled")
    requested = {"from_date": "2024-05-08T18:30:00Z", "to_date": "2024-05-10T18:30:00Z", "max_active_runs": 1}
    backfill = runs.backfill("backfilled", **requested)
    finished = runs.finished("backfilled", 3)
    assert [(run["state"], run["run_type"]) for run in finished] == [("success", "backfill")] * 3
    receipts = [runs.xcom("backfilled", run["dag_run_id"]) for run in finished]
    assert [receipt["window_start"] for receipt in receipts] == [f"{day}T00:00:00+05:30" for day in DAYS]
    assert [len(receipt["files"]) for receipt in receipts] == [1, 1, 1]
    assert lines(orders / "backfilled") == sorted(kapture.records())
    ended = runs.airflow.wait_for(
        "the backfill's end", lambda: runs.airflow.call("GET", f"backfills/{backfill['id']}")["completed_at"]
    )
    assert ended


def test_the_documented_backfill_command_pulls_the_days_that_its_page_names(runs, kapture, orders):
    page = (Path(__file__).parents[2] / "docs" / "backfills.md").read_text(encoding="utf-8")
    [command] = re.findall(r"^ *airflow (backfill create .*)$", page, re.MULTILINE)
    documented = ("--from-date 2024-01-01 ", "--to-date 2025-01-01 ")  # 1 January to 31 December
    assert all(each in command for each in documented)
    for each, tried in zip(documented, ("--from-date 2024-05-08 ", "--to-date 2024-05-11 "), strict=True):
        command = command.replace(each, tried)
    runs.unpause("kapture_orders_daily")
    runs.command(command.split())
    finished = [each for each in runs.finished("kapture_orders_daily", 3) if each["run_type"] == "backfill"]
    receipts = [runs.xcom("kapture_orders_daily", run["dag_run_id"]) for run in finished]
    assert [receipt["window_start"] for receipt in receipts] == [f"{day}T00:00:00+05:30" for day in DAYS]
    assert lines(orders / "by_command") == sorted(kapture.records())


def start_and_hang(runs, kapture, dag_id: str, folder: Path) -> str:
    """A run whose pull has published a day and gets no more answers; its id."""
    kapture.set(latency=0.5)
    run_id = runs.trigger(dag_id)
    runs.airflow.wait_for("the first day's file", lambda: list(folder.rglob("orders_*")))
    kapture.set(latency=3_600)
    requested = len(kapture.requests_seen)
    runs.airflow.wait_for("a request of another day", lambda: kapture.requests_seen[requested - 1 :])
    return run_id


def test_a_killed_task_is_tried_again_and_goes_on_where_it_was(runs, kapture, orders):
    folder = orders / "crashing"
    run_id = start_and_hang(runs, kapture, "crashing", folder)
    os.kill(runs.task_in("running", "crashing", run_id)["pid"], signal.SIGKILL)
    published = {path.parent.name.removeprefix("create_date=") for path in folder.rglob("orders_*")}
    requested = len(kapture.requests_seen)
    kapture.set(latency=0)
    assert runs.task_in("success", "crashing", run_id)["try_number"] == 2
    receipt = runs.xcom("crashing", run_id)
    assert (receipt["rows"], len(receipt["files"])) == (300, 3)
    assert lines(folder) == sorted(kapture.records())
    assert len(contents(folder)) == 3  # the spool of the killed try is gone
    assert {seen.body["createStartDate"] for seen in kapture.requests_seen[requested:]} == set(DAYS) - published


def test_a_task_that_is_marked_failed_stops_and_leaves_nothing_behind(runs, kapture, orders):
    folder = orders / "stopped"
    run_id = start_and_hang(runs, kapture, "stopped", folder)
    process = psutil.Process(runs.task_in("running", "stopped", run_id)["pid"])
    before = [name for name in contents(folder) if ".kapture-" not in name]
    runs.airflow.call("PATCH", f"dags/stopped/dagRuns/{run_id}/taskInstances/pull", {"new_state": "failed"})
    runs.airflow.wait_for("the end of its process", lambda: not process.is_running() or process.status() == "zombie")
    assert runs.task("stopped", run_id)["state"] == "failed"
    assert list(contents(folder)) == before


def test_wrong_credentials_are_tried_once_and_not_told(runs, kapture, orders):
    run_id = runs.trigger("refused")
    task = runs.task_in("failed", "refused", run_id)
    assert (task["try_number"], task["max_tries"]) == (1, 3)
    assert kapture.stats()["requests"] == 1
    log = runs.log("refused", run_id)
    assert "Invalid Auth Key" in log
    assert "canary-password" not in log
    assert not (orders / "refused").exists() or not contents(orders / "refused")


def test_a_consumer_reads_the_files_that_the_asset_event_names(runs, kapture, orders):
    runs.unpause("consuming")
    run_id = runs.trigger("producing")
    runs.task_in("success", "producing", run_id)
    receipt = runs.xcom("producing", run_id)
    [consumed] = runs.finished("consuming")
    assert consumed["state"] == "success"
    assert runs.xcom("consuming", consumed["dag_run_id"], "return_value", "count_lines") == receipt["rows"] == 300
    events = runs.airflow.call("GET", "assets/events", source_dag_id="producing")["asset_events"]
    assert [(event["partition_key"], event["extra"]) for event in events] == [(None, receipt)]


def test_openlineage_is_told_what_was_read_and_what_was_written(runs, kapture, lineage_file):
    run_id = runs.trigger("lineage")
    runs.task_in("success", "lineage", run_id)
    receipt = runs.xcom("lineage", run_id)

    def ask() -> dict | None:
        events = [json.loads(line) for line in lineage_file.read_text().splitlines()] if lineage_file.exists() else []
        of_run = (each for each in events if each["job"]["name"] == "lineage.pull" and run_id in json.dumps(each))
        return next((each for each in of_run if each["eventType"] == "COMPLETE"), None)

    event = runs.airflow.wait_for("the event of a pull that is complete", ask)
    [read] = event["inputs"]
    assert (read["namespace"], read["name"]) == (f"kapture://{receipt['account']}", "orders")
    written = {each["name"]: each["outputFacets"]["outputStatistics"] for each in event["outputs"]}
    assert {name: (facet["rowCount"], facet["size"]) for name, facet in written.items()} == {
        file["uri"].removeprefix("file://"): (file["rows"], file["bytes"]) for file in receipt["files"]
    }


def test_orders_are_waited_for_in_the_triggerer(runs, kapture, orders):
    run_id = runs.trigger("waiting")
    runs.task_in("deferred", "waiting", run_id, "wait")
    requested = kapture.stats()["requests"]
    runs.airflow.wait_for("another look of the triggerer", lambda: kapture.stats()["requests"] > requested + 1)
    assert runs.task("waiting", run_id, "wait")["state"] == "deferred"
    kapture.add_orders(50, day="2024-05-08")
    runs.task_in("success", "waiting", run_id)
    assert runs.xcom("waiting", run_id, "return_value", "wait")["orders"] == 150
    assert runs.xcom("waiting", run_id)["rows"] == kapture.count("2024-05-08", "2024-05-08") == 150


@pytest.mark.parametrize(
    ("changes", "status", "message"),
    [
        ({}, True, "listed an order"),
        ({"password": "canary-password"}, False, "credentials"),
        ({"host": "kapture.invalid"}, False, "kapture.invalid"),
        ({"extra": "{}"}, False, "cm_id"),
        ({"extra": '{"cm_id": "1000298", "page_size": "", "http_method": null}'}, True, "listed an order"),
    ],
)
def test_the_test_button_tells_what_is_wrong(runs, kapture, changes, status, message):
    fields = {
        "connection_id": "tested",
        "conn_type": "kapture",
        "host": kapture.origin,
        "login": kapture.user,
        "password": kapture.password,
        "extra": f'{{"cm_id": {kapture.cm_id}}}',
    }
    answer = runs.airflow.call("POST", "connections/test", fields | changes)
    assert (answer["status"], message in answer["message"]) == (status, True), answer
    assert "canary-password" not in answer["message"]
