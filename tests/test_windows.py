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
from airflow.timetables.base import TimeRestriction, Timetable
from airflow.timetables.events import EventsTimetable
from airflow.timetables.interval import CronDataIntervalTimetable
from airflow.timetables.trigger import CronTriggerTimetable
from dateutil.relativedelta import relativedelta
from hypothesis import given, settings
from hypothesis import strategies as st
from instants import KINDS, each_kind

from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.windows import plan_windows, resolve_window

ZONE = ZoneInfo("Asia/Kolkata")
MOMENT = dt.datetime(2026, 1, 5, 2, 0, tzinfo=dt.UTC)


@given(st.integers(1, 500), st.one_of(st.just("day"), st.timedeltas(dt.timedelta(hours=13), dt.timedelta(days=40))))
def test_planned_windows_are_adjacent(days: int, every: dt.timedelta | str) -> None:
    start = dt.date(2026, 1, 5)
    windows = plan_windows(start, start + dt.timedelta(days=days), every, "America/New_York")
    assert windows[0]["window_start"].startswith("2026-01-05T00:00")
    assert [each["window_start"] for each in windows[1:]] == [each["window_end"] for each in windows[:-1]]


@each_kind
@pytest.mark.parametrize(
    ("every", "hours"),
    [("day", [24, 25, 24]), (dt.timedelta(days=1), [24, 24, 24, 1]), (dt.timedelta(hours=49), [49, 24])],
)
def test_planned_windows_are_as_long_as_asked_whatever_the_kind_of_datetime(
    kind: Any, every: dt.timedelta | str, hours: list[int]
) -> None:
    zone = ZoneInfo("America/New_York")
    edges = [kind(dt.datetime(2024, 11, day, tzinfo=zone)) for day in (2, 5)]
    windows = plan_windows(*edges, every, "America/New_York")
    got = [[dt.datetime.fromisoformat(each[name]).timestamp() for name in each] for each in windows]
    assert [(end - start) / 3600 for start, end in got] == hours


@pytest.mark.parametrize(("start", "name"), [("soon", "start"), ("2026-01-02", "start")])
def test_what_is_wrong_with_planned_windows_is_said_by_the_name_of_their_arguments(start: str, name: str) -> None:
    with pytest.raises(KaptureSettingsError, match=rf"^`{name}` "):
        plan_windows(start, "2026-01-02", "day")


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
    with pytest.raises(KaptureSettingsError, match=r"^`timezone` is 'Asia/Kolkatta'.*'Asia/Kolkata'"):
        plan_windows("2026-01-01", "2026-01-02", "day", timezone="Asia/Kolkatta")


def run_of(schedule: Any, moment: dt.datetime | None = MOMENT, zone: str = "UTC", **more: Any) -> dict[str, Any]:
    """The context of a run at a moment, of a DAG that Airflow has made, where the data interval says nothing."""
    dag = DAG("orders", schedule=schedule, start_date=dt.datetime(2020, 1, 1, tzinfo=ZoneInfo(zone)))
    interval = {"data_interval_start": moment, "data_interval_end": moment} if moment else {}
    return {"dag": dag, "logical_date": moment, **interval, **more}


def as_kind(context: dict[str, Any], kind: Any) -> dict[str, Any]:
    """A context with each of its instants as another kind of datetime."""
    run = context.get("dag_run")
    changed = {"dag_run": SimpleNamespace(**as_kind(vars(run), kind))} if run is not None else {}
    return {name: kind(each) if isinstance(each, dt.datetime) else each for name, each in context.items()} | changed


def window_in_utc(context: dict[str, Any], zone: ZoneInfo = ZONE, **arguments: Any) -> tuple[str, str]:
    window, _ = resolve_window(context, zone, **arguments)
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
@each_kind
def test_the_window_that_a_run_means(context: dict, arguments: dict, start: str, end: str, kind: Any) -> None:
    assert window_in_utc(as_kind(context, kind), **arguments) == (start, end)


# Four daily runs around the end of summer time in New York, and two edges of the same kind.
END = dt.datetime(2024, 11, 2, 18, 30, tzinfo=dt.UTC)


@each_kind
@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kolkata", "UTC"])
@pytest.mark.parametrize("name", ["data_interval_end", "logical_date", "run_after"])
def test_a_window_of_a_day_has_24_hours_whatever_the_kind_of_datetime(kind: Any, zone: str, name: str) -> None:
    for end in (END + dt.timedelta(days=days) for days in range(4)):
        moment = kind(end)
        context = {"dag_run": SimpleNamespace(run_after=moment)} if name == "run_after" else {name: moment}
        window, _ = resolve_window(context, ZoneInfo(zone), window=dt.timedelta(days=1))
        assert (window.start, window.end) == (end - dt.timedelta(days=1), end)


@pytest.mark.parametrize("window", [dt.timedelta.max, dt.timedelta(days=800_000)])
def test_a_window_that_begins_before_the_calendar_is_an_error(window: dt.timedelta) -> None:
    with pytest.raises(KaptureSettingsError, match="`window` is"):
        resolve_window({"logical_date": MOMENT}, ZONE, window=window)


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
    ids=lambda value: type(value).__name__ if isinstance(value, Timetable) else str(value),
)
@each_kind
def test_without_an_interval_the_last_complete_period_of_the_schedule(
    schedule: Any, start: str, end: str, kind: Any
) -> None:
    assert window_in_utc(as_kind(run_of(schedule), kind)) == (start, end)
    run = SimpleNamespace(run_type="manual", run_after=MOMENT)
    assert window_in_utc(as_kind(run_of(schedule, None, dag_run=run), kind)) == (start, end)


@pytest.mark.parametrize(
    ("name", "arguments", "start", "end"),
    [
        ("DeltaTriggerTimetable", {"delta": dt.timedelta(days=2)}, "2026-01-03T02:00", "2026-01-05T02:00"),
        ("MultipleCronTriggerTimetable", {"timezone": "UTC"}, "2026-01-05T00:30", "2026-01-05T01:00"),
    ],
)
@each_kind
def test_timetables_of_airflow_3(name: str, arguments: dict[str, Any], start: str, end: str, kind: Any) -> None:
    timetable = getattr(trigger, name, None)
    if timetable is None:
        pytest.skip(f"this Airflow has no {name}")
    crons = ("0 1 * * *", "30 0 * * *") if "timezone" in arguments else ()
    assert window_in_utc(as_kind(run_of(timetable(*crons, **arguments)), kind)) == (start, end)


@pytest.mark.parametrize("schedule", [None, "@once", [Asset("orders")], EventsTimetable([pendulum.instance(MOMENT)])])
def test_a_schedule_without_periods_is_no_window(schedule: Any) -> None:
    with pytest.raises(
        KaptureSettingsError, match=r"Set `window_start` and `window_end`, or `window` \(.*, or give the DAG"
    ):
        resolve_window(run_of(schedule), ZONE)


def test_a_run_that_assets_triggered_is_none_of_the_cron() -> None:
    run = SimpleNamespace(run_type="asset_triggered", run_after=MOMENT)
    with pytest.raises(KaptureSettingsError, match="Cannot determine the window"):
        resolve_window(run_of("@daily", None, dag_run=run), ZONE)


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
@given(
    st.sampled_from(CRONS),
    st.sampled_from(CHANGES),
    st.integers(-3 * 24 * 60, 6 * 60),
    st.sampled_from([*KINDS.values()]),
)
def test_adjacent_runs_leave_neither_gap_nor_overlap(
    cron: str, change: tuple[str, str], minutes: int, kind: Any
) -> None:
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
    windows = [window_in_utc(as_kind(run_of(cron, each.logical_date, zone), kind)) for each in runs]
    assert [start for start, _ in windows[1:]] == [end for _, end in windows[:-1]]
    assert [end for _, end in windows] == [each.run_after.strftime("%Y-%m-%dT%H:%M") for each in runs]
    # A run that a person starts in between has the same last complete period.
    for (one, following), window in zip(pairwise(runs), windows, strict=False):
        between = one.run_after + (following.run_after - one.run_after) / 2
        assert window_in_utc(run_of(cron, between, zone)) == window


DAY_3 = ("2026-01-02T18:30", "2026-01-03T18:30")


@each_kind
@pytest.mark.parametrize(
    "partition",
    [
        {"partition_key": "2026-01-03"},
        {"partition_key": "2026-01-03T00:00:00"},
        {"partition_key": "2026-01-02T18:30:00+00:00"},
        {"partition_key": "2026-01-02T18:30:00Z"},
        {"partition_key": "2026-01-03T00:00:00+05:30"},
        {"partition_key": "20260103"},
        {"partition_key": "2026-01-03", "partition_date": dt.datetime(2026, 1, 3, 3, tzinfo=ZONE)},
        {"partition_date": dt.datetime(2026, 1, 3, tzinfo=ZONE)},
    ],
)
def test_a_partitioned_run_is_for_its_day(partition: dict[str, Any], kind: Any) -> None:
    assert window_in_utc(as_kind({"dag_run": SimpleNamespace(), **partition}, kind)) == DAY_3
    assert window_in_utc(as_kind({"dag_run": SimpleNamespace(**partition)}, kind)) == DAY_3


@pytest.mark.parametrize(
    "partition",
    [
        {"partition_key": "emea"},
        {"partition_key": "2026-01-03|emea"},
        {"partition_key": "2026-01-03-emea"},
        {"partition_key": "2026-01-03 (W1)"},
        {"partition_key": "2026-01-03x00:00"},
        {"partition_key": "2026-01-03T00"},  # an hour
        {"partition_key": "2026-01-03T07:00:00"},
        {"partition_key": "2026-01-03T00:00:00+00:00"},
        {"partition_key": "2026-W01"},
        {"partition_key": "2026-01"},
        # The first day of a week or a month, or of whatever the key stands for.
        {"partition_key": "2026-W01", "partition_date": dt.datetime(2026, 1, 3, tzinfo=ZONE)},
        {"partition_date": dt.datetime(2026, 1, 3, 7, tzinfo=ZONE)},
    ],
)
def test_a_partition_that_is_no_day_is_no_window(partition: dict[str, Any]) -> None:
    with pytest.raises(KaptureSettingsError, match="partition"):
        resolve_window(partition, ZONE)


def partitions_by(cron: str, **arguments: Any) -> Any:
    timetables = pytest.importorskip(
        "airflow.sdk.definitions.timetables.trigger", reason="partitions are of Airflow 3.2"
    )
    return timetables.CronPartitionTimetable(cron, run_offset=-1, **arguments)


def keys_are_in_utc() -> bool:
    """Airflow 3.2 writes a partition's key in UTC, and 3.3 in the timetable's zone."""
    return not hasattr(trigger.CronPartitionTimetable, "_decode_partition_date")


@each_kind
@pytest.mark.parametrize(
    ("cron", "zones", "date", "expected"),
    [
        # The account's day of that name, whichever zone the DAG counts in.
        ("0 0 * * *", ("UTC", "America/New_York"), (2026, 1, 3), ("2026-01-03T05:00", "2026-01-04T05:00")),
        ("0 0 * * 0", ("UTC", "America/New_York"), (2026, 1, 4), ("2026-01-04T05:00", "2026-01-11T05:00")),
        ("0 * * * *", ("UTC", "America/New_York"), (2026, 1, 3, 7), ("2026-01-03T07:00", "2026-01-03T08:00")),
        ("0 * * * *", ("UTC", "America/New_York"), (2026, 1, 3, 0), ("2026-01-03T00:00", "2026-01-03T01:00")),
        # A day's partition is the day, at whichever hour it is made.
        ("0 0 * * *", ("Asia/Kolkata", "Asia/Kolkata"), (2026, 1, 2, 18, 30), DAY_3),
        ("0 3 * * *", ("Asia/Kolkata", "Asia/Kolkata"), (2026, 1, 2, 21, 30), DAY_3),
        ("@daily", ("Asia/Kolkata", "Asia/Kolkata"), (2026, 1, 2, 18, 30), DAY_3),
        ("30 18 * * *", ("UTC", "Asia/Kolkata"), (2026, 1, 2, 18, 30), DAY_3),
        ("0 21 * * *", ("UTC", "Asia/Kolkata"), (2026, 1, 2, 21), DAY_3),
        ("0 3 * * 1", ("Asia/Kolkata", "Asia/Kolkata"), (2026, 1, 4, 21, 30), ("2026-01-04T18:30", "2026-01-11T18:30")),
        (
            "0 3,15 * * *",
            ("Asia/Kolkata", "Asia/Kolkata"),
            (2026, 1, 2, 21, 30),
            ("2026-01-02T21:30", "2026-01-03T09:30"),
        ),
        ("30 * * * *", ("Asia/Kolkata", "Asia/Kolkata"), (2026, 1, 2, 19), ("2026-01-02T19:00", "2026-01-02T20:00")),
    ],
)
def test_partitions_by_cron_leave_no_gap_whatever_their_width(
    cron: str, zones: tuple[str, str], date: Any, expected: tuple[str, str], kind: Any
) -> None:
    clock, zone = zones
    timetable = partitions_by(cron, timezone=clock)
    moment = dt.datetime(*date, tzinfo=dt.UTC)
    written = moment if keys_are_in_utc() else moment.astimezone(ZoneInfo(clock))
    key = {"partition_key": written.strftime(timetable.key_format)}
    for partition in (key, {**key, "partition_date": kind(moment)}):
        assert window_in_utc(run_of(timetable, None, **partition), ZoneInfo(zone)) == expected


@pytest.mark.parametrize("key_format", ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"])
@pytest.mark.parametrize("cron", ["0 0 * * *", "0 3 * * *", "59 23 * * *"])
@pytest.mark.parametrize(("clock", "day"), [("Asia/Kolkata", "2026-01-03"), ("America/New_York", "2024-03-09")])
def test_partitions_of_days_are_adjacent_days_whatever_their_key(
    key_format: str, cron: str, clock: str, day: str
) -> None:
    timetable = partitions_by(cron, timezone=clock, key_format=key_format)
    zone, minutes_hours = ZoneInfo(clock), cron.split()[:2]
    days = [dt.date.fromisoformat(day) + dt.timedelta(days=number) for number in range(4)]
    ticks = [dt.datetime(day.year, day.month, day.day, *map(int, reversed(minutes_hours)), tzinfo=zone) for day in days]
    in_key = dt.UTC if keys_are_in_utc() else zone
    keys = [tick.astimezone(in_key).strftime(key_format) for tick in ticks]
    windows = [resolve_window(run_of(timetable, None, partition_key=key), zone)[0] for key in keys]
    assert all(len([*each.days()]) == 1 and each.is_whole_days() for each in windows)
    assert [each.start for each in windows[1:]] == [each.end for each in windows[:-1]]
    if key_format != "%Y-%m-%d":  # in UTC, such a key has lost which tick it was
        assert [each.start.date() for each in windows] == days


@pytest.mark.parametrize("key", ["emea", "2026-01-03T07:20:00", "2026-01-03|emea"])
def test_a_key_that_is_none_of_the_crons_partitions_is_an_error(key: str) -> None:
    timetable = partitions_by("0 * * * *", timezone="UTC")
    run = SimpleNamespace(run_type="manual", run_after=MOMENT)
    with pytest.raises(KaptureSettingsError, match="not one of its DAG's partitions"):
        resolve_window(run_of(timetable, None, partition_key=key, dag_run=run), ZONE)


def test_a_run_without_a_key_is_for_the_last_complete_partition() -> None:
    run = SimpleNamespace(run_type="manual", run_after=dt.datetime(2026, 1, 4, 12, tzinfo=ZONE))
    timetable = partitions_by("0 3 * * *", timezone="Asia/Kolkata")
    assert window_in_utc(run_of(timetable, None, dag_run=run)) == DAY_3


NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
HOUR = dt.timedelta(hours=1)


@each_kind
@pytest.mark.parametrize(
    "context",
    [
        {"data_interval_start": NOW - HOUR, "data_interval_end": NOW + HOUR},
        # A day or an hour beyond the present one, which may be over by the time that the test runs.
        {"partition_key": (NOW.astimezone(ZONE).date() + dt.timedelta(days=1)).isoformat()},
        run_of("@hourly", NOW + 2 * HOUR),
        run_of(dt.timedelta(hours=1), NOW + HOUR),
        {"dag_run": SimpleNamespace(start_date=MOMENT, run_after=MOMENT), "partition_key": "2026-01-05"},
        {"dag_run": SimpleNamespace(start_date=MOMENT), **run_of("@hourly", MOMENT + HOUR)},
    ],
)
def test_an_inferred_window_that_ends_after_the_run_started_is_an_error(context: dict[str, Any], kind: Any) -> None:
    with pytest.raises(KaptureSettingsError, match="ends in the future"):
        resolve_window(as_kind(context, kind), ZONE)


@pytest.mark.parametrize("window", ["day", dt.timedelta(hours=1)])
def test_a_relative_window_that_ends_after_the_run_started_is_an_error(window: dt.timedelta | str) -> None:
    with pytest.raises(KaptureSettingsError, match="ends in the future"):
        resolve_window({"logical_date": NOW + dt.timedelta(days=2)}, ZONE, window=window)


def test_a_partition_that_ends_in_the_future_names_the_offset() -> None:
    timetable = partitions_by("0 3 * * *", timezone="Asia/Kolkata")
    tick = dt.datetime(2026, 1, 4, 3, tzinfo=ZONE)
    key = tick.astimezone(dt.UTC if keys_are_in_utc() else ZONE).strftime(timetable.key_format)
    run = SimpleNamespace(run_type="scheduled", run_after=tick, start_date=tick, partition_key=key)
    with pytest.raises(
        KaptureSettingsError, match=r"partition 2026-01-0.* ends in the future.*run_offset=-1, or set `window`"
    ):
        resolve_window(run_of(timetable, None, dag_run=run), ZONE)


def test_an_explicit_window_may_end_in_the_future() -> None:
    window, _ = resolve_window({}, ZONE, window_start="2026-01-01", window_end=NOW + HOUR)
    assert window.end == NOW + HOUR


@each_kind
@pytest.mark.parametrize("run_type", ["scheduled", "manual"])
def test_a_run_does_not_start_before_it_is_due_whatever_a_schedulers_clock_says(kind: Any, run_type: str) -> None:
    early = MOMENT - dt.timedelta(seconds=1)
    interval = {"data_interval_start": MOMENT - HOUR, "data_interval_end": MOMENT}
    run = {"start_date": early, "run_type": run_type}
    if run_type == "manual":
        run["run_after"] = MOMENT
    context = {"dag_run": SimpleNamespace(**run), **interval}
    assert window_in_utc(as_kind(context, kind)) == ("2026-01-05T01:00", "2026-01-05T02:00")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "`window_start` and `window_end`, or `window`"),
        ({"window": "day"}, "needs an end time"),
        ({"window_start": "2026-01-01"}, "`window_end` is None"),
        ({"window_start": "2026-01-01", "window_end": ""}, "`window_end` rendered to ''"),
        ({"window_start": "None", "window_end": "None"}, "`window_start` rendered to 'None'"),
        ({"window_start": "{{ ds }}", "window_end": "2026-01-01"}, "`window_start` is '{{ ds }}'"),
        ({"window": "dya"}, "`window` is 'dya'.*'day'"),
        ({"window": 3}, "`window` is 3"),
        ({"window": "P1M"}, "`window` is 'P1M'.*'PT6H'"),
        ({"window": "PT0S"}, "above 0"),
        ({"window": dt.timedelta()}, "above 0"),
        ({"window": "dya", "window_start": "2026-01-01", "window_end": "2026-01-02"}, "`window` is 'dya'"),
    ],
)
def test_what_is_wrong_with_a_window_is_said(arguments: dict, message: str) -> None:
    with pytest.raises(KaptureSettingsError, match=message):
        resolve_window({}, ZONE, **arguments)
