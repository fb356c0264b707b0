"""What a DAG's own schedule says about a run: its partition, its last complete period, when it started."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from airflow_provider_kapture.client import iso8601
from airflow_provider_kapture.client.days import Window, day_start, from_ms, in_utc, make_window, to_ms
from airflow_provider_kapture.client.errors import KaptureSettingsError

_DAY = dt.timedelta(days=1)
_UTC = ZoneInfo("UTC")
# A key such as `2026-01-05T00` is an hour's, and not a day's.
_WHOLE_TIME = re.compile(r".*[T ]\d\d:?\d\d:?\d\d.*")


def partition_window(context: Mapping[str, Any], zone: ZoneInfo) -> Window | None:
    """Return the account's day that a partitioned run is for; none if the run has no partition that is a day.

    If the DAG makes its partitions by cron, and they are longer or shorter than a day, the window is the partition.

    :raises KaptureSettingsError: the run's key is none of its DAG's partitions
    """
    key, moment = partition_of(context)
    moment = in_utc(moment, zone) if isinstance(moment, dt.datetime) else None
    timetable = _timetable(context)
    if _field(timetable, "key_format") and (key is not None or moment is not None):
        cron = _CronPartitions(timetable, zone)
        start = moment or cron.start_of(key)
        if start is not None and cron.is_tick(start):
            return cron.window(start)
        if (day := _day_of_key(key, zone)) is None:
            raise KaptureSettingsError(
                f"The run's partition {key or str(moment)!r} is none of its DAG's partitions; trigger it with one of "
                "their keys, or set window_start and window_end"
            )
    elif key is not None:
        # A key that names no day may be a week's or a region's, whose `partition_date` is a day all the same.
        day = _day_of_key(key, zone)
    else:
        day = _day_at(moment, zone)
    return None if day is None else make_window(day, day + _DAY, zone)


def partition_of(context: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return the run's partition key and partition date, each none if it has none."""
    run = context.get("dag_run")
    key, moment = (context.get(name) or getattr(run, name, None) for name in ("partition_key", "partition_date"))
    return key, moment


def last_period(context: Mapping[str, Any], zone: ZoneInfo) -> Window | None:
    """Return the last complete period of the DAG's cron or timedelta at the run's logical date; none if it has neither.

    A run that a person or an API call made without a logical date has its ``run_after`` in the place of it; one that
    assets triggered is no run of the DAG's cron.
    """
    moment = _moment(context)
    timetable = _timetable(context)
    if moment is None or timetable is None:
        return None
    end = _for_timetables(in_utc(moment, zone))
    delta = _field(timetable, "delta")
    if delta is not None:
        return make_window(end - delta, end, zone)
    crons = _field(timetable, "timetables") or [timetable]
    if any(_field(each, "expression") is None for each in crons):
        return None
    start, end = _Ticks(crons).last_two(end)
    if _field(timetable, "key_format"):
        return _CronPartitions(timetable, zone).window(in_utc(start, _UTC))
    return make_window(start, end, zone)


def run_started(context: Mapping[str, Any], zone: ZoneInfo) -> dt.datetime:
    """Return when the run started, in UTC: never before it was due, whatever the clocks of two schedulers say."""
    run = context.get("dag_run")
    started = getattr(run, "start_date", None)
    if not isinstance(started, dt.datetime):
        return dt.datetime.now(dt.UTC)
    due = getattr(run, "run_after", None)
    if due is None and run_type(run) == "scheduled":  # Airflow 2
        due = context.get("data_interval_end")
    return max(in_utc(each, zone) for each in (started, due) if isinstance(each, dt.datetime))


def _moment(context: Mapping[str, Any]) -> dt.datetime | None:
    moment: dt.datetime | None = context.get("logical_date")
    run = context.get("dag_run")
    if moment is None and run is not None and run_type(run) != "asset_triggered":
        moment = getattr(run, "run_after", None)
    return moment


def run_type(run: Any) -> str:
    """The kind of a DAG run, such as ``backfill``, whichever way this Airflow holds it."""
    kind = getattr(run, "run_type", None)
    return str(getattr(kind, "value", kind))


def _timetable(context: Mapping[str, Any]) -> Any:
    timetable = getattr(context.get("dag"), "timetable", None)
    return getattr(timetable, "timetable", None) or timetable  # the time-based one of assets *or* time


def _field(timetable: Any, name: str) -> Any:
    """A setting of a timetable: public on the Task SDK's timetables, not so on the scheduler's own."""
    return getattr(timetable, name, None) or getattr(timetable, f"_{name}", None)


def _for_timetables(moment: dt.datetime) -> Any:
    """The moment as Airflow's timetables take it; where days are subtracted from it, they have 24 hours."""
    from airflow.providers.common.compat.sdk import timezone  # type: ignore[attr-defined] # its stubs leave it out

    return timezone.convert_to_utc(moment)


class _Ticks:
    """The moments at which a cron schedule makes a run: those that the scheduler itself would come to."""

    def __init__(self, crons: list[Any], clock: str | None = None) -> None:
        from airflow.timetables.base import TimeRestriction
        from airflow.timetables.trigger import CronTriggerTimetable

        self._timetables = [
            CronTriggerTimetable(_field(each, "expression"), timezone=clock or _field(each, "timezone"))
            for each in crons
        ]
        self._restriction = TimeRestriction(earliest=None, latest=None, catchup=True)

    def after(self, moment: Any) -> Any:
        """The first tick after a moment (a pendulum DateTime in UTC)."""
        from airflow.timetables.base import DataInterval

        last = DataInterval.exact(moment)
        runs = [
            each.next_dagrun_info(last_automated_data_interval=last, restriction=self._restriction)
            for each in self._timetables
        ]
        return min(each.run_after for each in runs if each is not None)

    def last_two(self, moment: Any) -> tuple[dt.datetime, dt.datetime]:
        """The last tick at or before a moment, after the one before it.

        Forward from a while ago, as the scheduler goes. Going back is not its inverse where the clocks change: the
        tick before 03:00 of a 02:00 that the clocks skipped would be that 03:00 itself.
        """
        reach = dt.timedelta(minutes=10)
        while True:
            ticks = [self.after(moment - reach)]
            while (following := self.after(ticks[-1])) <= moment:
                ticks.append(following)
            # The first one of them may be off the scheduler's way, where the clocks changed just before it.
            if len(ticks) > 2:
                return ticks[-2], ticks[-1]
            reach *= 8


class _CronPartitions:
    """The partitions of a DAG whose timetable makes them by cron, as windows of the account."""

    def __init__(self, timetable: Any, zone: ZoneInfo) -> None:
        clock = _field(timetable, "timezone")
        name = clock if isinstance(clock, str) else getattr(clock, "key", None)
        self._clock = clock if name is None else ZoneInfo(name)
        self._ticks = _Ticks([timetable])
        self._timetable = timetable
        self._zone = zone

    def start_of(self, key: str) -> dt.datetime | None:
        """Return the instant that a key stands for, in UTC; none if it stands for none of these partitions.

        Airflow 3.2 writes the key in UTC, 3.3 in the timetable's zone. The one that this Airflow does not write is
        tried second: a person may have typed it.
        """
        from airflow.timetables import trigger

        try:
            written = dt.datetime.strptime(key, _field(self._timetable, "key_format"))  # noqa: DTZ007 - may be local
        except (TypeError, ValueError):
            return None
        clocks = [self._clock, _UTC]
        if not hasattr(trigger.CronPartitionTimetable, "_decode_partition_date"):  # 3.2
            clocks.reverse()
        return next((start for clock in clocks if self.is_tick(start := in_utc(written, clock))), None)

    def is_tick(self, moment: dt.datetime) -> bool:
        """Return whether a partition starts at a moment."""
        return bool(self._ticks.after(_for_timetables(moment - dt.timedelta(microseconds=1))) == moment)

    def window(self, start: dt.datetime) -> Window:
        """Return the window of the partition that starts at a tick."""
        end = in_utc(self._ticks.after(_for_timetables(start)), _UTC)
        if self._is_within_a_day():
            return make_window(start, end, self._zone)
        return make_window(self._day(start), self._day(end), self._zone)

    def _is_within_a_day(self) -> bool:
        """Return whether the cron has more than one tick a day; in UTC, where no change of the clocks hides one."""
        ticks = _Ticks([self._timetable], "UTC")
        first = ticks.after(_for_timetables(dt.datetime(2024, 1, 1, tzinfo=dt.UTC)))
        second = ticks.after(first)
        third = ticks.after(second)
        return len({each.date() for each in (first, second, third)}) < 3

    def _day(self, tick: dt.datetime) -> dt.date:
        """Return the account's day that a tick stands for.

        Days by name, if the DAG counts days in a zone of its own: those of the same name are meant. Otherwise the day
        on which the account has the tick.
        """
        named = tick.astimezone(self._clock).date()
        is_midnight = day_start(named, self._clock) == to_ms(tick)
        return named if is_midnight else tick.astimezone(self._zone).date()


def _day_at(moment: dt.datetime | None, zone: ZoneInfo) -> dt.date | None:
    """Return the account's day that begins at a moment; none if none does."""
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
