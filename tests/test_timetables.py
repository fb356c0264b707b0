"""Which scheduled runs look back at the days before their window: only the latest one that was due."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pendulum
import pytest
from airflow.providers.common.compat.sdk import DAG
from airflow.timetables import trigger
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable
from airflow.timetables.events import EventsTimetable
from airflow.timetables.interval import CronDataIntervalTimetable
from airflow.timetables.trigger import CronTriggerTimetable
from connected import connected

from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator
from airflow_provider_kapture.schedules import lookback_obstacle

ZONE = ZoneInfo("Asia/Kolkata")
DUE = dt.datetime(2024, 5, 10, 21, 30, tzinfo=dt.UTC)  # 03:00 in India
DAY = dt.timedelta(days=1)
SECOND = dt.timedelta(seconds=1)


class EveryOtherDay(Timetable):
    """A timetable of a DAG's author, which only Airflow's own method tells about."""

    def infer_manual_data_interval(self, *, run_after: Any) -> DataInterval:
        return DataInterval.exact(run_after)

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        assert last_automated_data_interval is not None
        return DagRunInfo.exact(last_automated_data_interval.end + 2 * DAY)


def run_of(schedule: Any, started: dt.datetime, kind: Any = "scheduled", *, is_airflow_2: bool = False) -> Any:
    dag = DAG("late", schedule=schedule, start_date=dt.datetime(2024, 1, 1, tzinfo=dt.UTC))
    run = SimpleNamespace(run_type=kind, start_date=started, **({} if is_airflow_2 else {"run_after": DUE}))
    return {"dag": dag, "dag_run": run, "data_interval_start": DUE - DAY, "data_interval_end": DUE}


SCHEDULES: list[tuple[str, Any, dt.timedelta]] = [
    ("cron", CronTriggerTimetable("0 3 * * *", timezone="Asia/Kolkata"), DAY),
    ("cron of data intervals", CronDataIntervalTimetable("0 3 * * *", "Asia/Kolkata"), DAY),
    ("preset", "@hourly", dt.timedelta(minutes=30)),
    ("timedelta", dt.timedelta(hours=6), dt.timedelta(hours=6)),
    ("events", EventsTimetable([pendulum.instance(DUE), pendulum.instance(DUE + 3 * DAY)]), 3 * DAY),
    ("an author's own", EveryOtherDay(), 2 * DAY),
]
if hasattr(trigger, "MultipleCronTriggerTimetable"):
    crons = trigger.MultipleCronTriggerTimetable("30 21 * * *", "0 4 * * *", timezone="UTC")
    SCHEDULES.append(("several crons", crons, dt.timedelta(hours=6.5)))


@pytest.mark.parametrize("is_airflow_2", [False, True])
@pytest.mark.parametrize(("schedule", "width"), [each[1:] for each in SCHEDULES], ids=[each[0] for each in SCHEDULES])
def test_a_scheduled_run_looks_back_until_the_next_one_is_due(
    schedule: Any, width: dt.timedelta, is_airflow_2: bool
) -> None:
    def obstacle(started: dt.datetime) -> str | None:
        return lookback_obstacle(run_of(schedule, started, is_airflow_2=is_airflow_2), ZONE)

    assert obstacle(DUE + SECOND) is None
    assert obstacle(DUE + width - SECOND) is None
    assert f"due at {(DUE + width).isoformat()}" in str(obstacle(DUE + width))
    assert obstacle(DUE + 30 * DAY) is not None


def test_the_last_event_of_a_schedule_looks_back_however_late() -> None:
    assert lookback_obstacle(run_of(EventsTimetable([pendulum.instance(DUE)]), DUE + 30 * DAY), ZONE) is None


@pytest.mark.parametrize(
    ("kind", "looks_back"),
    [("manual", True), ("asset_triggered", True), ("dataset_triggered", True), ("backfill", False)],
)
def test_runs_that_are_not_scheduled_look_back_but_for_backfills(kind: str, looks_back: bool) -> None:
    assert (lookback_obstacle(run_of("@daily", DUE + 30 * DAY, kind), ZONE) is None) == looks_back


def test_without_a_run_there_is_no_obstacle() -> None:
    assert lookback_obstacle({}, ZONE) is None


@pytest.mark.parametrize(("late", "days"), [(SECOND, 3), (DAY, 1)])
def test_each_try_of_a_run_decides_by_when_the_run_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, late: dt.timedelta, days: int
) -> None:
    context = run_of(CronTriggerTimetable("0 3 * * *", timezone="Asia/Kolkata"), DUE + late)
    with connected(monkeypatch, 30, retry_budget=1):
        pull = KapturePullOrdersOperator(task_id="pull", window="day", lookback=2, destination=f"{tmp_path}/")
        assert len(pull.execute(context)["files"]) == days
