import importlib.util
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

EXAMPLE = Path(__file__).parents[2] / "example_dags" / "kapture_orders_watcher.py"


@pytest.fixture
def example() -> ModuleType:
    pytest.importorskip("airflow.sdk")
    return loaded()


def loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("watched", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def event(first: str, last: str) -> Any:
    payload = {"orders": 2, "first_create_date": f"{first}+05:30", "last_create_date": f"{last}+05:30"}
    return SimpleNamespace(extra={"from_trigger": True, "payload": payload})


def test_the_file_parses_on_every_airflow() -> None:
    loaded()


def test_the_days_of_all_events_are_pulled_whole(example: ModuleType) -> None:
    events = {
        "kapture_new_orders": [
            event("2024-05-09T23:59:59.999", "2024-05-10T00:00:00"),
            event("2024-05-10T08:00:00", "2024-05-10T09:00:00"),
        ]
    }
    days = example.days_with_new_orders.function(triggering_asset_events=events)
    assert days == [
        {"window_start": "2024-05-09T00:00:00+05:30", "window_end": "2024-05-10T00:00:00+05:30"},
        {"window_start": "2024-05-10T00:00:00+05:30", "window_end": "2024-05-11T00:00:00+05:30"},
    ]


def test_a_run_without_events_is_skipped(example: ModuleType) -> None:
    with pytest.raises(example.AirflowSkipException):
        example.days_with_new_orders.function(triggering_asset_events={})


def test_the_asset_is_watched_and_schedules_the_pull(example: ModuleType) -> None:
    assert example.dag.schedule == [example.new_orders]
    assert example.new_orders.watchers[0].trigger.poll_interval == 300
    assert example.dag.get_task("pull_orders").upstream_task_ids == {"days_with_new_orders"}
