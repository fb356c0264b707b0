import datetime as dt
import re
from itertools import pairwise
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pendulum
import pytest
from airflow.providers.common.compat.sdk import DAG, Asset
from airflow.timetables import trigger
from airflow.timetables.base import TimeRestriction
from airflow.timetables.events import EventsTimetable
from airflow.timetables.interval import CronDataIntervalTimetable
from airflow.timetables.trigger import CronTriggerTimetable
from dateutil.relativedelta import relativedelta
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.windows import plan_windows, window_of_run

ZONE = ZoneInfo("Asia/Kolkata")
MOMENT = dt.datetime(2026, 1, 5, 2, 0, tzinfo=dt.UTC)


@given(st.integers(1, 500), st.one_of(st.just("day"), st.timedeltas(dt.timedelta(hours=13), dt.timedelta(days=40))))
def test_planned_windows_are_adjacent(days: int, every: dt.timedelta | str) -> None:
    start = dt.date(2026, 1, 5)
    windows = plan_windows(start, start + dt.timedelta(days=days), every, "America/New_York")
    assert windows[0]["window_start"].startswith("2026-01-05T00:00")
    assert [each["window_start"] for each in windows[1:]] == [each["window_end"] for each in windows[:-1]]


@pytest.mark.parametrize(
    ("end", "every", "step"),
    [
        ("2026-01-02", dt.timedelta(seconds=1), "every=timedelta(minutes=15)"),
        ("2026-02-20", dt.timedelta(seconds=1), "every=timedelta(hours=6)"),
        ("2031-01-01", "day", "every=timedelta(days=2)"),
        ("9998-01-01", "day", "every=timedelta(days=2912)"),
    ],
)
def test_too_many_windows_suggest_a_step(end: str, every: dt.timedelta | str, step: str) -> None:
    with pytest.raises(KaptureSettingsError, match=re.escape(step)):
        plan_windows("2026-01-01", end, every)


def test_a_zone_that_is_none_is_named_as_the_argument_that_it_is() -> None:
    with pytest.raises(KaptureSettingsError, match=r"^timezone is 'Asia/Kolkatta'.*'Asia/Kolkata'"):
        plan_windows("2026-01-01", "2026-01-02", "day", timezone="Asia/Kolkatta")


def run_of(schedule: Any, moment: dt.datetime | None = MOMENT, zone: str = "UTC", **more: Any) -> dict[str, Any]:
    """The context of a run at a moment, of a DAG that Airflow has made, where the data interval says nothing."""
    dag = DAG("orders", schedule=schedule, start_date=dt.datetime(2020, 1, 1, tzinfo=ZoneInfo(zone)))
    interval = {"data_interval_start": moment, "data_interval_end": moment} if moment else {}
    return {"dag": dag, "logical_date": moment, **interval, **more}


def window_in_utc(context: dict[str, Any], zone: ZoneInfo = ZONE, **arguments: Any) -> tuple[str, str]:
    window, _ = window_of_run(context, zone, **arguments)
    start, end = (edge.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M") for edge in (window.start, window.end))
    return start, end


@pytest.mark.parametrize(
    ("context", "arguments", "start", "end"),
    [
        ({"logical_date": MOMENT}, {"window": "day"}, "2026-01-03T18:30", "2026-01-04T18:30"),
        ({"logical_date": MOMENT}, {"window": dt.timedelta(hours=1)}, "2026-01-05T01:00", "2026-01-05T02:00"),
        (
            {"data_interval_start": MOMENT - dt.timedelta(hours=2), "data_interval_end": MOMENT},
            {},
            "2026-01-05T00:00",
            "2026-01-05T02:00",
        ),
        (
            {"data_interval_start": MOMENT - dt.timedelta(days=1), "data_interval_end": MOMENT},
            {"window": dt.timedelta(hours=2)},
            "2026-01-05T00:00",
            "2026-01-05T02:00",
        ),
        ({"dag_run": SimpleNamespace(run_after=MOMENT)}, {"window": "day"}, "2026-01-03T18:30", "2026-01-04T18:30"),
    ],
)
def test_the_window_that_a_run_means(context: dict, arguments: dict, start: str, end: str) -> None:
    assert window_in_utc(context, **arguments) == (start, end)


@pytest.mark.parametrize(
    ("schedule", "start", "end"),
    [
        ("@daily", "2026-01-04T00:00", "2026-01-05T00:00"),
        ("@hourly", "2026-01-05T01:00", "2026-01-05T02:00"),
        ("@weekly", "2025-12-28T00:00", "2026-01-04T00:00"),
        ("@monthly", "2025-12-01T00:00", "2026-01-01T00:00"),
        ("0 6 * * 1-5", "2026-01-01T06:00", "2026-01-02T06:00"),
        ("0 0 29 2 *", "2020-02-29T00:00", "2024-02-29T00:00"),
        (dt.timedelta(hours=6), "2026-01-04T20:00", "2026-01-05T02:00"),
        (relativedelta(months=1), "2025-12-05T02:00", "2026-01-05T02:00"),
        (CronTriggerTimetable("0 1 * * *", timezone="Asia/Kolkata"), "2026-01-03T19:30", "2026-01-04T19:30"),
        (CronDataIntervalTimetable("0 1 * * *", "UTC"), "2026-01-04T01:00", "2026-01-05T01:00"),
    ],
    ids=str,
)
def test_without_an_interval_the_last_complete_period_of_the_schedule(schedule: Any, start: str, end: str) -> None:
    assert window_in_utc(run_of(schedule)) == (start, end)
    run = SimpleNamespace(run_type="manual", run_after=MOMENT)
    assert window_in_utc(run_of(schedule, None, dag_run=run)) == (start, end)


@pytest.mark.parametrize(
    ("name", "arguments", "start", "end"),
    [
        ("DeltaTriggerTimetable", {"delta": dt.timedelta(days=2)}, "2026-01-03T02:00", "2026-01-05T02:00"),
        ("MultipleCronTriggerTimetable", {"timezone": "UTC"}, "2026-01-05T00:30", "2026-01-05T01:00"),
    ],
)
def test_timetables_of_airflow_3(name: str, arguments: dict[str, Any], start: str, end: str) -> None:
    timetable = getattr(trigger, name, None)
    if timetable is None:
        pytest.skip(f"this Airflow has no {name}")
    crons = ("0 1 * * *", "30 0 * * *") if "timezone" in arguments else ()
    assert window_in_utc(run_of(timetable(*crons, **arguments))) == (start, end)


@pytest.mark.parametrize("schedule", [None, "@once", [Asset("orders")], EventsTimetable([pendulum.instance(MOMENT)])])
def test_a_schedule_without_periods_is_no_window(schedule: Any) -> None:
    with pytest.raises(KaptureSettingsError, match=r"window_start and window_end; or window \(.*; or let the DAG"):
        window_of_run(run_of(schedule), ZONE)


def test_a_run_that_assets_triggered_is_none_of_the_cron() -> None:
    run = SimpleNamespace(run_type="asset_triggered", run_after=MOMENT)
    with pytest.raises(KaptureSettingsError, match="No window"):
        window_of_run(run_of("@daily", None, dag_run=run), ZONE)


CRONS = ("0 0 * * *", "30 2 * * *", "0 2,3 * * *", "15 * * * *", "*/20 * * * *", "0 */2 * * *", "30 1-3 * * 0")
# A zone, and a moment of a day on which its clocks change.
CHANGES = (
    ("Asia/Kolkata", "2024-03-10"),
    ("Europe/Berlin", "2024-03-31"),
    ("Europe/Berlin", "2024-10-27"),
    ("America/New_York", "2024-03-10"),
    ("America/New_York", "2024-11-03"),
    ("Africa/Cairo", "2024-04-26"),  # at midnight
    ("Africa/Cairo", "2024-10-31"),
    ("America/Havana", "2024-11-03"),
    ("Australia/Lord_Howe", "2024-04-06T15:00"),  # by half an hour
    ("Australia/Lord_Howe", "2024-10-05T15:00"),
)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(CRONS), st.sampled_from(CHANGES), st.integers(-3 * 24 * 60, 6 * 60))
def test_adjacent_runs_leave_neither_gap_nor_overlap(cron: str, change: tuple[str, str], minutes: int) -> None:
    zone, day = change
    timetable = CronTriggerTimetable(cron, timezone=zone)
    earliest = pendulum.parse(day) + dt.timedelta(minutes=minutes)
    last, runs = None, []
    for _ in range(12):
        info = timetable.next_dagrun_info(
            last_automated_data_interval=last,
            restriction=TimeRestriction(earliest=earliest, latest=None, catchup=True),
        )
        assert info is not None
        last = info.data_interval
        runs.append(info)
    windows = [window_in_utc(run_of(cron, each.logical_date, zone)) for each in runs]
    assert [start for start, _ in windows[1:]] == [end for _, end in windows[:-1]]
    assert [end for _, end in windows] == [each.run_after.strftime("%Y-%m-%dT%H:%M") for each in runs]
    # A run that a person starts in between has the same last complete period.
    for (one, following), window in zip(pairwise(runs), windows, strict=False):
        between = one.run_after + (following.run_after - one.run_after) / 2
        assert window_in_utc(run_of(cron, between, zone)) == window


@pytest.mark.parametrize(
    ("partition", "start", "end"),
    [
        ({"partition_key": "2026-01-03"}, "2026-01-02T18:30", "2026-01-03T18:30"),
        ({"partition_key": "2026-01-03T00:00:00"}, "2026-01-02T18:30", "2026-01-03T18:30"),
        ({"partition_date": dt.datetime(2026, 1, 3, tzinfo=ZONE)}, "2026-01-02T18:30", "2026-01-03T18:30"),
        (
            {"partition_key": "3 Jan", "partition_date": dt.datetime(2026, 1, 3, tzinfo=ZONE)},
            "2026-01-02T18:30",
            "2026-01-03T18:30",
        ),
    ],
)
def test_a_partitioned_run_is_for_its_day(partition: dict[str, Any], start: str, end: str) -> None:
    assert window_in_utc({"dag_run": SimpleNamespace(), **partition}) == (start, end)
    assert window_in_utc({"dag_run": SimpleNamespace(**partition)}) == (start, end)


def test_a_partition_that_is_no_day_is_no_window() -> None:
    with pytest.raises(KaptureSettingsError, match="partition"):
        window_of_run({"partition_key": "emea"}, ZONE)


@pytest.mark.parametrize(
    ("cron", "date", "start", "end"),
    [
        # The account's day of that name, whichever zone the DAG counts in.
        ("0 0 * * *", (2026, 1, 3), "2026-01-03T05:00", "2026-01-04T05:00"),
        ("0 0 * * 0", (2026, 1, 4), "2026-01-04T05:00", "2026-01-11T05:00"),
        ("0 * * * *", (2026, 1, 3, 7), "2026-01-03T07:00", "2026-01-03T08:00"),
        ("0 * * * *", (2026, 1, 3, 0), "2026-01-03T00:00", "2026-01-03T01:00"),
    ],
)
def test_partitions_by_cron_leave_no_gap_whatever_their_width(cron: str, date: Any, start: str, end: str) -> None:
    timetables = pytest.importorskip(
        "airflow.sdk.definitions.timetables.trigger", reason="partitions are of Airflow 3.2"
    )
    timetable = timetables.CronPartitionTimetable(cron, timezone="UTC")
    moment = dt.datetime(*date, tzinfo=dt.UTC)
    key = {"partition_key": moment.strftime(timetable.key_format)}
    for partition in (key, {**key, "partition_date": moment}):
        assert window_in_utc(run_of(timetable, None, **partition), ZoneInfo("America/New_York")) == (start, end)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "window_start and window_end; or window"),
        ({"window": "day"}, "no moment"),
        ({"window_start": "2026-01-01"}, "window_end is None"),
        ({"window_start": "2026-01-01", "window_end": ""}, "window_end came out as ''"),
        ({"window_start": "None", "window_end": "None"}, "window_start came out as 'None'"),
        ({"window_start": "{{ ds }}", "window_end": "2026-01-01"}, "window_start is '{{ ds }}'"),
        ({"window": "dya"}, "window is 'dya'.*'day'"),
        ({"window": 3}, "window is 3"),
        ({"window": dt.timedelta()}, "above 0"),
        ({"window": "dya", "window_start": "2026-01-01", "window_end": "2026-01-02"}, "window is 'dya'"),
    ],
)
def test_what_is_wrong_with_a_window_is_said(arguments: dict, message: str) -> None:
    with pytest.raises(KaptureSettingsError, match=message):
        window_of_run({}, ZONE, **arguments)
