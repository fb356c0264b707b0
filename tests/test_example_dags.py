import csv
import datetime as dt
import importlib.util
import inspect
import json
from collections import Counter
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from connected import connected

from airflow_provider_kapture.emulator import Emulator

EXAMPLES = Path(__file__).parent.parent / "example_dags"

# Airflow's own, of its own test client and database layers
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def kapture(airflow_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A Kapture with orders of three days in May 2024, and where the examples write to."""
    monkeypatch.setenv("AIRFLOW_VAR_KAPTURE_ORDERS", tmp_path.as_uri())
    with connected(monkeypatch, 300) as running:
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


def run_at(dag: Any, moment: str) -> Any:
    """A run with a logical date."""
    name = "logical_date" if "logical_date" in inspect.signature(dag.test).parameters else "execution_date"
    return dag.test(**{name: dt.datetime.fromisoformat(moment)})


def receipts(run: Any, task_id: str = "pull_orders") -> list[dict[str, Any]]:
    tasks = [each for each in run.get_task_instances() if each.task_id == task_id]
    return [
        each.xcom_pull(task_ids=task_id, key="receipt", map_indexes=each.map_index)
        for each in sorted(tasks, key=lambda each: each.map_index)
    ]


def test_daily_each_day_and_those_before_it_are_parquet_files(kapture: Emulator, tmp_path: Path) -> None:
    run = run_at(load("kapture_orders_daily").dag, "2024-05-11T03:00+05:30")
    assert run.state == "success"
    [receipt] = receipts(run)
    assert (receipt["window_start"], receipt["rows"]) == ("2024-05-10T00:00:00+05:30", 300)
    written = sorted(path.parent.name for path in tmp_path.rglob("orders_*.parquet"))
    assert written == ["create_date=2024-05-08", "create_date=2024-05-09", "create_date=2024-05-10"]


def test_hourly_files_are_adjacent_and_the_consumer_reads_them(kapture: Emulator, tmp_path: Path) -> None:
    make_outlets_known()
    module = load("kapture_orders_hourly")
    runs = [run_at(module.dag, f"2024-05-09T{hour:02d}:00+00:00") for hour in (7, 8, 9)]
    assert {run.state for run in runs} == {"success"}
    pulled = [receipt for run in runs for receipt in receipts(run)]
    edges = [dt.datetime(2024, 5, 9, hour, tzinfo=dt.UTC) for hour in (6, 7, 8, 9)]
    for name, expected in (("window_start", edges[:-1]), ("window_end", edges[1:])):
        assert [dt.datetime.fromisoformat(receipt[name]) for receipt in pulled] == expected
    # The events of the runs since the consumer's last one, one of which was repeated.
    events = [SimpleNamespace(extra=receipt) for receipt in (*pulled, pulled[-1])]
    context = {"triggering_asset_events": SimpleNamespace(values=lambda: [events])}
    found = module.consumer.get_task("count_by_status").python_callable(**context)
    first, last = (int(edge.timestamp() * 1000) for edge in (edges[0], edges[-1]))
    assert found == Counter(json.loads(record)["deliveryStatus"] for record in kapture.records(first, last))
    assert sum(found.values()) > 0


def test_a_month_is_backfilled_by_days_each_into_its_own_object(kapture: Emulator, tmp_path: Path) -> None:
    run = load("kapture_orders_backfill_month").dag.test()
    assert run.state == "success"
    pulled = receipts(run)
    assert sum(each["rows"] for each in pulled) == 300
    assert [each["window_end"] for each in pulled[:-1]] == [each["window_start"] for each in pulled[1:]]
    written = sorted(path.parent.name for path in tmp_path.rglob("orders_*.parquet"))
    assert written == [f"create_date=2024-05-{day:02d}" for day in range(1, 32)]


def test_on_demand_the_form_gives_days_and_customer(kapture: Emulator, tmp_path: Path) -> None:
    dag = load("kapture_orders_on_demand").dag
    customer = kapture.orders[0]["customerId"]
    days = {"start": "2024-05-08", "end": "2024-05-11"}
    everything, of_one = dag.test(run_conf=days), dag.test(run_conf={**days, "customer": customer})
    assert (everything.state, of_one.state) == ("success", "success")
    with (tmp_path / f"on-demand/orders_2024-05-08_2024-05-11_{customer}.csv").open(newline="") as rows:
        found = [int(row["id"]) for row in csv.DictReader(rows)]
    assert sorted(found) == sorted(each["id"] for each in kapture.orders if each["customerId"] == customer)
    assert receipts(everything)[0]["rows"] == 300


def test_audit_the_days_that_differ_are_pulled_again(kapture: Emulator, tmp_path: Path) -> None:
    assert run_at(load("kapture_orders_daily").dag, "2024-05-11T03:00+05:30").state == "success"
    next((tmp_path / "daily/create_date=2024-05-09").iterdir()).unlink()
    run = load("kapture_orders_audit").dag.test()
    assert run.state == "success"
    [pulled] = receipts(run, "pull_again")
    assert (pulled["window_start"], pulled["rows"]) == ("2024-05-09T00:00:00+05:30", 100)
    assert (tmp_path / "daily/_audit.html").is_file()
    again = load("kapture_orders_audit").dag.test()
    states = {each.task_id: each.state for each in again.get_task_instances()}
    assert states == {"audit": "success", "days_that_differ": "success", "pull_again": "skipped"}
