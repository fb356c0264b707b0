import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from airflow_provider_kapture.emulator import Book, Emulator

EXAMPLES = Path(__file__).parent.parent / "example_dags"

# Airflow's own, of its own test client and database layers
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def kapture(airflow_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A Kapture with orders of three days in May 2024, and where the examples write to."""
    monkeypatch.setenv("ORDERS", tmp_path.as_uri())
    monkeypatch.setenv("AIRFLOW_VAR_KAPTURE_ORDERS", tmp_path.as_uri())
    with Emulator(Book(orders=300, days=3)) as running:
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


def receipts(run: Any, task_id: str = "pull_orders") -> list[dict[str, Any]]:
    tasks = [each for each in run.get_task_instances() if each.task_id == task_id]
    return [
        each.xcom_pull(task_ids=task_id, key="receipt", map_indexes=each.map_index)
        for each in sorted(tasks, key=lambda each: each.map_index)
    ]


def test_the_daily_example_pulls_a_day(kapture: Emulator, tmp_path: Path) -> None:
    run = load("kapture_orders_daily").dag.test()
    assert run.state == "success"
    [receipt] = receipts(run)
    assert receipt["rows"] == kapture.count("2024-05-08", "2024-05-08")
    assert len(list(tmp_path.rglob("orders_*.jsonl.gz"))) == 1


def test_a_month_is_backfilled_by_days_each_into_its_own_object(kapture: Emulator, tmp_path: Path) -> None:
    run = load("kapture_orders_backfill_month").dag.test()
    assert run.state == "success"
    pulled = receipts(run)
    assert sum(each["rows"] for each in pulled) == 300
    assert [each["window_end"] for each in pulled[:-1]] == [each["window_start"] for each in pulled[1:]]
    written = sorted(path.parent.name for path in tmp_path.rglob("orders_*.parquet"))
    assert written == [f"create_date=2024-05-{day:02d}" for day in range(1, 32)]
