"""What follows from a DAG's schedule for one of its runs: its partition, its last complete period, its start.

Which of them becomes the window of the run is decided in ``windows``. When runs are due is in ``timetables``.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

import airflow

from airflow_provider_kapture.airflow_internals import timetable_field
from airflow_provider_kapture.client import iso8601
from airflow_provider_kapture.client.days import Window, day_start, from_ms, in_utc, make_window, to_ms
from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.timetables import Ticks, for_timetables, next_due, timetable_of

_DAY = dt.timedelta(days=1)
_UTC = ZoneInfo("UTC")
# A key without minutes and seconds, such as `2026-01-05T00`, names an hour and not a day.
_WHOLE_TIME = re.compile(r".*[T ]\d\d:?\d\d:?\d\d.*")


def partition_window(context: Mapping[str, Any], zone: ZoneInfo) -> Window | None:
    """Return the account's day that a partitioned run is for; None if the run's partition is not a day.

    If the DAG's timetable creates partitions by cron, and they are not days, the window is the whole partition.

    :param context: the task's context
    :param zone: the account's time zone
    :raises KaptureSettingsError: the run's key is not one of its DAG's partitions
    """
    key, moment = partition_of(context)
    moment = in_utc(moment, zone) if isinstance(moment, dt.datetime) else None
    timetable = timetable_of(context)
    if timetable_field(timetable, "key_format") and (key is not None or moment is not None):
        cron = _CronPartitions(timetable, zone)
        start = moment or cron.start_of(key)
        if start is not None and cron.is_tick(start):
            return cron.window(start)
        if (day := _day_of_key(key, zone)) is None:
            raise KaptureSettingsError(
                f"The run's partition {key or str(moment)!r} is not one of its DAG's partitions; trigger it with one "
                "of their keys, or set `window_start` and `window_end`"
            )
    elif key is not None:
        # A key that is not a day may name a week or a region: its `partition_date` is a day even then, so ignore it.
        day = _day_of_key(key, zone)
    else:
        day = _day_at(moment, zone)
    return None if day is None else make_window(day, day + _DAY, zone)


def partition_of(context: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return the run's partition key and partition date, each None if the run has none."""
    run = context.get("dag_run")
    key, moment = (context.get(name) or getattr(run, name, None) for name in ("partition_key", "partition_date"))
    return key, moment


def last_period(context: Mapping[str, Any], zone: ZoneInfo) -> Window | None:
    """Return the last complete period of the DAG's cron or timedelta at the run's logical date; None if it has neither.

    For a run that was triggered without a logical date, ``run_after`` is used instead. A run that assets triggered has
    no such period: it does not follow the DAG's cron.
    """
    moment = _moment(context)
    timetable = timetable_of(context)
    if moment is None or timetable is None:
        return None
    end = for_timetables(in_utc(moment, zone))
    delta = timetable_field(timetable, "delta")
    if delta is not None:
        return make_window(end - delta, end, zone)
    crons = timetable_field(timetable, "timetables") or [timetable]
    if any(timetable_field(each, "expression") is None for each in crons):
        return None
    start, end = Ticks(crons).last_two(end)
    if timetable_field(timetable, "key_format"):
        return _CronPartitions(timetable, zone).window(in_utc(start, _UTC))
    return make_window(start, end, zone)


def run_started(context: Mapping[str, Any], zone: ZoneInfo) -> dt.datetime:
    """Return when the run started, in UTC; never before it was due, even if the schedulers' clocks differ."""
    started = getattr(context.get("dag_run"), "start_date", None)
    if not isinstance(started, dt.datetime):
        return dt.datetime.now(dt.UTC)
    return max(in_utc(each, zone) for each in (started, _due(context)) if isinstance(each, dt.datetime))


def lookback_obstacle(context: Mapping[str, Any], zone: ZoneInfo) -> str | None:
    """Return why a run pulls no days before its window, as a part of a sentence; None if it does.

    Backfills and catch-up pull each day once: a day that a run looked back at would be pulled by its own run, too.
    """
    kind = run_type(context.get("dag_run"))
    if kind == "backfill":
        return "a backfill pulls each day once"
    due = _due(context)
    following = next_due(context, in_utc(due, zone)) if kind == "scheduled" and due is not None else None
    if following is not None and following <= run_started(context, zone):
        return f"the next run was due at {following.isoformat()}, before this one started"
    return None


def _due(context: Mapping[str, Any]) -> dt.datetime | None:
    run = context.get("dag_run")
    due: dt.datetime | None = getattr(run, "run_after", None)
    if due is None and run_type(run) == "scheduled":  # Airflow 2
        return context.get("data_interval_end")
    return due


def _moment(context: Mapping[str, Any]) -> dt.datetime | None:
    moment: dt.datetime | None = context.get("logical_date")
    run = context.get("dag_run")
    if moment is None and run is not None and run_type(run) != "asset_triggered":
        moment = getattr(run, "run_after", None)
    return moment


def airflow_release() -> tuple[int, ...]:
    """Return the running Airflow's release, such as ``(3, 3)``."""
    return tuple(int(part) for part in airflow.__version__.split(".")[:2])


def run_type(run: Any) -> str:
    """Return the type of a DAG run, such as ``backfill``, which is an enum or text depending on Airflow's version."""
    kind = getattr(run, "run_type", None)
    return str(getattr(kind, "value", kind))


class _CronPartitions:
    """The partitions of a DAG whose timetable creates them by cron, as windows of the account.

    :param timetable: a CronPartitionTimetable
    :param zone: the account's time zone
    """

    def __init__(self, timetable: Any, zone: ZoneInfo) -> None:
        clock = timetable_field(timetable, "timezone")
        name = clock if isinstance(clock, str) else getattr(clock, "key", None)
        self._clock = clock if name is None else ZoneInfo(name)
        self._ticks = Ticks([timetable])
        self._timetable = timetable
        self._zone = zone

    def start_of(self, key: str) -> dt.datetime | None:
        """Return the instant in UTC at which the partition of a key starts; None if there is no such partition.

        Airflow 3.2 writes keys in UTC, 3.3 in the timetable's zone. The other reading is tried second: a person may
        have typed the key.
        """
        try:
            written = dt.datetime.strptime(key, timetable_field(self._timetable, "key_format"))  # noqa: DTZ007 - may be local
        except (TypeError, ValueError):
            return None
        clocks = [self._clock, _UTC]
        if airflow_release() < (3, 3):
            clocks.reverse()
        return next((start for clock in clocks if self.is_tick(start := in_utc(written, clock))), None)

    def is_tick(self, moment: dt.datetime) -> bool:
        """Return whether a partition starts at a moment."""
        return bool(self._ticks.after(for_timetables(moment - dt.timedelta(microseconds=1))) == moment)

    def window(self, start: dt.datetime) -> Window:
        """Return the window of the partition that starts at a tick."""
        end = in_utc(self._ticks.after(for_timetables(start)), _UTC)
        if self._is_within_a_day():
            return make_window(start, end, self._zone)
        return make_window(self._day(start), self._day(end), self._zone)

    def _is_within_a_day(self) -> bool:
        """Return whether the cron has more than one tick a day; in UTC, where the clocks skip none."""
        ticks = Ticks([self._timetable], "UTC")
        first = ticks.after(for_timetables(dt.datetime(2024, 1, 1, tzinfo=dt.UTC)))
        second = ticks.after(first)
        third = ticks.after(second)
        return len({each.date() for each in (first, second, third)}) < 3

    def _day(self, tick: dt.datetime) -> dt.date:
        """Return the account's day that a tick stands for.

        A tick at midnight in the DAG's zone means the account's day of the same date. Any other tick means the
        account's day that contains it.
        """
        named = tick.astimezone(self._clock).date()
        is_midnight = day_start(named, self._clock) == to_ms(tick)
        return named if is_midnight else tick.astimezone(self._zone).date()


def _day_at(moment: dt.datetime | None, zone: ZoneInfo) -> dt.date | None:
    """Return the account's day that begins at a moment; None if no day does."""
    if moment is None:
        return None
    ms = to_ms(moment)
    day = from_ms(ms, zone).date()
    return day if day_start(day, zone) == ms else None


def _day_of_key(key: Any, zone: ZoneInfo) -> dt.date | None:
    """Return the account's day that a partition's key names: as a date, or as the instant at which it begins."""
    try:
        named = iso8601.parse(key)
    except ValueError:
        return None
    if not isinstance(named, dt.datetime):
        return named
    if not _WHOLE_TIME.fullmatch(key):
        return None
    if named.tzinfo is None:
        return named.date() if named.time() == dt.time() else None
    return _day_at(in_utc(named, zone), zone)
