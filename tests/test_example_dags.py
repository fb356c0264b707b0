"""The example DAGs, run against the emulator by Airflow itself."""

import csv
import datetime as dt
import email
import importlib.util
import inspect
import json
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
from connected import connected
from mail_server import mail_server

from airflow_provider_kapture.emulator import Book, Emulator

EXAMPLES = Path(__file__).parent.parent / "example_dags"
ZONE = ZoneInfo("Asia/Kolkata")
NEXT_DAY = "2024-05-11T03:00+05:30"  # after the emulator's last one

# Airflow's own, of its own test client and database layers
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the examples write to."""
    monkeypatch.setenv("AIRFLOW_VAR_KAPTURE_ORDERS", tmp_path.as_uri())
    return tmp_path


@pytest.fixture
def kapture(airflow_db: None, lake: Path, monkeypatch: pytest.MonkeyPatch):
    """A Kapture with orders of three days in May 2024."""
    with connected(monkeypatch, 300) as running:
        yield running


@pytest.fixture
def recent(airflow_db: None, lake: Path, monkeypatch: pytest.MonkeyPatch):
    """A Kapture with orders of the last three days."""
    with Emulator(Book.until_now(300, 3, ZONE.key)) as running:
        for name, value in running.connection_uri_env().items():
            monkeypatch.setenv(name, value)
        yield running


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make_outlets_known() -> None:
    """Airflow 3.0 runs no task with an outlet that its database doesn't know, and its dag.test() doesn't tell it."""
    from airflow.models.dagbag import DagBag

    sync = getattr(DagBag, "sync_to_db", None)
    if sync is None or "bundle_name" not in inspect.signature(sync).parameters:
        return
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    DagBundlesManager().sync_bundles_to_db()
    DagBag(EXAMPLES, include_examples=False).sync_to_db("dags-folder", None)


def make_pool() -> None:
    from airflow.models.pool import Pool

    Pool.create_or_update_pool("kapture", slots=4, description="", include_deferred=True)


def run_at(dag: Any, moment: str) -> Any:
    """A run with a logical date."""
    name = "logical_date" if "logical_date" in inspect.signature(dag.test).parameters else "execution_date"
    return dag.test(**{name: dt.datetime.fromisoformat(moment)})


def tasks_of(run: Any, task_id: str = "pull_orders") -> list[Any]:
    found = [each for each in run.get_task_instances() if each.task_id == task_id]
    return sorted(found, key=lambda each: each.map_index)


def receipts(run: Any, task_id: str = "pull_orders") -> list[dict[str, Any]]:
    return [
        each.xcom_pull(task_ids=task_id, key="receipt", map_indexes=each.map_index)
        for each in tasks_of(run, task_id)
        if each.state == "success"
    ]


def labels(run: Any) -> list[str]:
    return [each.rendered_map_index for each in tasks_of(run)]


def written(folder: Path, ending: str) -> list[str]:
    """The days that a reader of `create_date=*/*.ENDING` finds in a folder."""
    return sorted(path.parent.name.removeprefix("create_date=") for path in folder.glob(f"create_date=*/*.{ending}"))


# -- all --


def all_dags() -> dict[str, Any]:
    modules = (vars(load(path.stem)).values() for path in sorted(EXAMPLES.glob("*.py")))
    dags = [each for values in modules for each in values if hasattr(each, "task_dict")]
    return {each.dag_id: each for each in dags}


def test_each_dag_says_what_it_is_for_and_names_its_mapped_tasks() -> None:
    found = all_dags()
    assert len(found) >= 7
    for name, dag in found.items():
        assert name.startswith("kapture_orders_")
        assert dag.description
        assert dag.doc_md
        assert {"kapture", "example"} <= set(dag.tags)
        for each in dag.tasks:
            assert not hasattr(each, "partial_kwargs") or each.map_index_template, each


def test_each_pull_has_a_folder_of_its_own() -> None:
    pulls = [task for dag in all_dags().values() for task in dag.tasks if task.task_id == "pull_orders"]
    folders = [getattr(each, "partial_kwargs", {}).get("destination") or each.destination for each in pulls]
    assert len(folders) == len(set(folders)) >= 6
    assert all(folder.endswith("/") for folder in folders)


# -- pulls --


def test_daily_each_day_and_those_before_it_are_parquet_files(kapture: Emulator, lake: Path) -> None:
    run = run_at(load("kapture_orders_daily").dag, NEXT_DAY)
    assert run.state == "success"
    [receipt] = receipts(run)
    assert (receipt["window_start"], receipt["rows"]) == ("2024-05-10T00:00:00+05:30", 300)
    assert written(lake / "daily", "parquet") == ["2024-05-08", "2024-05-09", "2024-05-10"]


@pytest.mark.slow
def test_daily_a_failure_is_mailed(kapture: Emulator, lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dag = load("kapture_orders_daily").dag
    kapture.set(status_every=1, status=403)
    with mail_server() as server:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", server.connection())
        assert run_at(dag, "2024-05-11T03:01+05:30").state == "failed"
    [message] = map(email.message_from_string, server.messages)
    assert message["To"] == "data-team@example.com"
    assert message["Subject"].startswith("kapture_orders_daily: the orders of ")
    [body] = message.get_payload()
    assert "403" in body.get_payload(decode=True).decode()


@pytest.mark.slow
def test_hourly_files_are_adjacent_and_each_is_loaded_once(kapture: Emulator, lake: Path) -> None:
    make_outlets_known()
    dag = load("kapture_orders_hourly").dag
    runs = [run_at(dag, f"2024-05-09T{hour:02d}:00+00:00") for hour in (7, 8, 9)]
    assert {run.state for run in runs} == {"success"}
    pulled = [receipt for run in runs for receipt in receipts(run)]
    edges = [dt.datetime(2024, 5, 9, hour, tzinfo=dt.UTC) for hour in (6, 7, 8, 9)]
    for name, expected in (("window_start", edges[:-1]), ("window_end", edges[1:])):
        assert [dt.datetime.fromisoformat(receipt[name]) for receipt in pulled] == expected

    warehouse = load("kapture_orders_warehouse")
    load_files = warehouse.dag.get_task("load").python_callable
    database = str(lake / "orders.duckdb")
    # One pull was repeated, and then the whole load.
    for _ in range(2):
        files = load_files(database, **triggered_by([*pulled, pulled[-1]]))
        assert files == written_names(lake / "hourly")
    with duckdb.connect(database) as connection:
        found = [row[0] for row in connection.execute("SELECT id FROM orders ORDER BY id").fetchall()]
    first, last = (int(edge.timestamp() * 1000) for edge in (edges[0], edges[-1]))
    assert found == sorted(kapture.ids(first, last))
    assert found


def written_names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.glob("create_date=*/*.parquet"))


def triggered_by(extras: list[dict[str, Any]]) -> dict[str, Any]:
    """The context of a run that was triggered by events with these extras."""
    events = [SimpleNamespace(extra=extra) for extra in extras]
    return {"triggering_asset_events": SimpleNamespace(values=lambda: [events])}


@pytest.mark.parametrize(("name", "statements"), [("BIGQUERY", 1), ("SNOWFLAKE", 2), ("DATABRICKS", 1)])
def test_the_statements_of_a_warehouse_name_each_new_file_and_its_day(name: str, statements: int) -> None:
    warehouse = load("kapture_orders_warehouse")
    templates = getattr(warehouse, name)
    dag = warehouse.sql_dag(name.lower(), f"{name.lower()}_default", templates)
    day, source = "create_date=2024-05-08", "orders_1_2.parquet"
    files = [
        {"uri": f"s3://conn@lake/{day}/{source}", "changed": True},
        {"uri": f"s3://conn@lake/{day}/same.parquet", "changed": False},
    ]
    sql = dag.get_task("statements").python_callable(**triggered_by([{"files": files}] * 2))
    assert len(sql) == len(templates) == statements
    assert all(f"{day}/{source}'" in each or f"{day}/{source}`" in each for each in sql)
    assert not any("{" in each or "same" in each for each in sql)
    assert dag.get_task("load").upstream_task_ids == {"statements"}


@pytest.mark.slow
def test_a_period_is_backfilled_by_days_each_into_its_own_object(kapture: Emulator, lake: Path) -> None:
    make_pool()
    run = load("kapture_orders_backfill").dag.test(run_conf={"first": "2024-05-07", "last": "2024-05-11"})
    assert run.state == "success"
    pulled = receipts(run)
    assert sum(each["rows"] for each in pulled) == 300
    assert [each["window_end"] for each in pulled[:-1]] == [each["window_start"] for each in pulled[1:]]
    days = [f"2024-05-{day:02d}" for day in range(7, 12)]
    assert written(lake / "backfill", "parquet") == labels(run) == days


@pytest.mark.slow
def test_a_backfill_without_dates_takes_the_last_30_days(recent: Emulator) -> None:
    days = load("kapture_orders_backfill").dag.get_task("days_of").python_callable(params={"first": None, "last": None})
    yesterday = dt.datetime.now(ZONE).date() - dt.timedelta(days=1)
    assert len(days) == 30
    assert days[-1]["window_start"].startswith(yesterday.isoformat())


def test_on_demand_the_form_gives_days_and_customer(kapture: Emulator, lake: Path) -> None:
    dag = load("kapture_orders_on_demand").dag
    customer = kapture.orders[0]["customerId"]
    days = {"first": "2024-05-08", "last": "2024-05-10"}
    everything, of_one = dag.test(run_conf=days), dag.test(run_conf={**days, "customer": customer})
    assert (everything.state, of_one.state) == ("success", "success")
    found = []
    for path in (lake / f"on-demand/customer-{customer}").glob("create_date=*/*.csv"):
        with path.open(newline="") as rows:
            found += [int(row["id"]) for row in csv.DictReader(rows)]
    assert sorted(found) == sorted(each["id"] for each in kapture.orders if each["customerId"] == customer)
    assert receipts(everything)[0]["rows"] == 300


@pytest.mark.slow
def test_on_demand_without_dates_pulls_yesterday(recent: Emulator, lake: Path) -> None:
    run = load("kapture_orders_on_demand").dag.test()
    assert run.state == "success"
    yesterday = dt.datetime.now(ZONE).date() - dt.timedelta(days=1)
    assert written(lake / "on-demand/all", "csv") == [yesterday.isoformat()]
    assert receipts(run)[0]["rows"] == recent.count(yesterday, yesterday)


@pytest.mark.slow
def test_an_account_that_fails_does_not_stop_the_others(
    kapture: Emulator, lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_pool()
    given = json.loads(kapture.connection_json())
    ids = ["kapture_one", "kapture_wrong", "kapture_two"]
    for conn_id in ids:
        password = "wrong" if conn_id == "kapture_wrong" else given["password"]
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps({**given, "password": password}))
    monkeypatch.setenv("AIRFLOW_VAR_KAPTURE_ACCOUNTS", json.dumps(ids))
    run = run_at(load("kapture_orders_accounts").dag, "2024-05-11T03:00+00:00")
    assert [str(each.state) for each in tasks_of(run)] == ["success", "failed", "success"]
    assert labels(run) == ids
    for conn_id, days in zip(ids, (["2024-05-10"], [], ["2024-05-10"]), strict=True):
        assert written(lake / "accounts" / conn_id, "parquet") == days


@pytest.mark.slow
def test_the_days_that_differ_are_pulled_again(kapture: Emulator, lake: Path) -> None:
    assert run_at(load("kapture_orders_daily").dag, NEXT_DAY).state == "success"
    next((lake / "daily/create_date=2024-05-09").iterdir()).unlink()
    run = load("kapture_orders_audit").dag.test()
    assert run.state == "success"
    [pulled] = receipts(run, "pull_again")
    assert (pulled["window_start"], pulled["rows"]) == ("2024-05-09T00:00:00+05:30", 100)
    assert (lake / "daily/_audit.html").is_file()
    again = load("kapture_orders_audit").dag.test()
    states = {each.task_id: each.state for each in again.get_task_instances()}
    assert states == {"audit": "success", "days_that_differ": "success", "pull_again": "skipped"}


# -- waiting --


def test_orders_are_waited_for_and_then_pulled(kapture: Emulator) -> None:
    run = run_at(load("kapture_orders_wait").dag, "2024-05-11T01:00+05:30")
    assert run.state == "success"
    [wait] = tasks_of(run, "wait_for_orders")
    assert wait.xcom_pull(task_ids="wait_for_orders")["orders"] >= 10
    assert receipts(run)[0]["rows"] == kapture.count("2024-05-10", "2024-05-10")


@pytest.fixture
def watcher() -> ModuleType:
    pytest.importorskip("airflow.sdk")
    return load("kapture_orders_wait")


def event(first: str, last: str) -> Any:
    payload = {"orders": 2, "first_create_date": f"{first}+05:30", "last_create_date": f"{last}+05:30"}
    return SimpleNamespace(extra={"from_trigger": True, "payload": payload})


def test_the_days_of_all_events_of_a_watcher_are_pulled_whole(watcher: ModuleType) -> None:
    events = {
        "kapture_new_orders": [
            event("2024-05-09T23:59:59.999", "2024-05-10T00:00:00"),
            event("2024-05-10T08:00:00", "2024-05-10T09:00:00"),
        ]
    }
    days = watcher.days_with_new_orders.function(triggering_asset_events=events)
    assert days == [
        {"window_start": "2024-05-09T00:00:00+05:30", "window_end": "2024-05-10T00:00:00+05:30"},
        {"window_start": "2024-05-10T00:00:00+05:30", "window_end": "2024-05-11T00:00:00+05:30"},
    ]


def test_a_run_of_the_watcher_without_events_is_skipped(watcher: ModuleType) -> None:
    with pytest.raises(watcher.AirflowSkipException):
        watcher.days_with_new_orders.function(triggering_asset_events={})


def test_the_asset_is_watched_and_schedules_the_pull(watcher: ModuleType) -> None:
    assert watcher.watcher_dag.schedule == [watcher.new_orders]
    assert watcher.new_orders.watchers[0].trigger.poll_interval == 300
    assert watcher.watcher_dag.get_task("pull_orders").upstream_task_ids == {"days_with_new_orders"}
