import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_kapture import window_store
from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.window_store import resolve_stored_window

pytest.importorskip("airflow.sdk", reason="Airflow keeps a task's state from 3.3 on")

ZONE = ZoneInfo("Asia/Kolkata")
MOMENT = dt.datetime(2026, 1, 5, 2, tzinfo=dt.UTC)
START = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


class Store(dict[str, Any]):
    def set(self, key: str, value: Any, *, retention: dt.timedelta) -> None:
        assert retention == dt.timedelta.max
        self[key] = value


@pytest.fixture
def store() -> Store:
    if not hasattr(__import__("airflow.sdk").sdk, "NEVER_EXPIRE"):
        pytest.skip("Airflow keeps a task's state from 3.3 on")
    return Store()


def run_of(schedule: Any, store: Store) -> dict[str, Any]:
    dag = DAG("edited", schedule=schedule, start_date=START)
    return {"dag": dag, "logical_date": MOMENT, "task_state_store": store}


@pytest.mark.parametrize("schedule", ["0 * * * *", None])
def test_a_run_keeps_its_first_window_although_the_schedule_was_edited(
    store: Store, schedule: Any, caplog: pytest.LogCaptureFixture
) -> None:
    first = resolve_stored_window(run_of("0 1 * * *", store), ZONE)
    assert resolve_stored_window(run_of("0 1 * * *", store), ZONE) == first
    assert not caplog.records
    assert resolve_stored_window(run_of(schedule, store), ZONE) == first
    assert [each.levelname for each in caplog.records if each.name == window_store.__name__] == ["WARNING"]


def test_explicit_arguments_and_the_zone_take_precedence_over_the_kept_window(store: Store) -> None:
    first, _ = resolve_stored_window(run_of("0 1 * * *", store), ZONE)
    context = run_of("0 * * * *", store)
    explicit, _ = resolve_stored_window(context, ZONE, window_start="2026-01-01", window_end="2026-01-02")
    other, _ = resolve_stored_window(context, ZoneInfo("UTC"))
    relative, _ = resolve_stored_window(context, ZONE, window=dt.timedelta(hours=2))
    assert len({first.end_ms - first.start_ms, other.end_ms - other.start_ms, relative.end_ms - relative.start_ms}) == 3
    assert explicit.start.isoformat() == "2026-01-01T00:00:00+05:30"


def test_a_window_that_cannot_be_inferred_is_not_kept(store: Store) -> None:
    with pytest.raises(KaptureSettingsError):
        resolve_stored_window(run_of(None, store), ZONE)
    assert not store
