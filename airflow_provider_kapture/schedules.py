"""What a DAG's own schedule says about a run: its partition, its last complete period."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from airflow_provider_kapture.client.days import Window, make_window

_DAY = dt.timedelta(days=1)


def partition_window(context: Mapping[str, Any], zone: ZoneInfo) -> Window | None:
    """The account's day that a partitioned run is for; none where the run has no partition that is a day.

    Where the DAG makes its partitions by cron, and they are longer or shorter than a day, the window is the partition.
    """
    run = context.get("dag_run")
    key, moment = (context.get(name) or getattr(run, name, None) for name in ("partition_key", "partition_date"))
    timetable = _timetable(context)
    made_by_cron = _partition_period(timetable, key, moment, zone) if _field(timetable, "key_format") else None
    if made_by_cron is not None:
        return made_by_cron
    day = _day_of_key(key)
    if day is None and isinstance(moment, dt.datetime):
        day = moment.astimezone(zone).date()
    return None if day is None else make_window(day, day + _DAY, zone)


def last_period(context: Mapping[str, Any]) -> tuple[dt.datetime, dt.datetime] | None:
    """The last complete period of the DAG's cron or timedelta at the run's logical date; none where it has neither.

    A run that a person or an API call made without a logical date has its ``run_after`` in the place of it; one that
    assets triggered is no run of the DAG's cron.
    """
    moment = _moment(context)
    timetable = _timetable(context)
    if moment is None or timetable is None:
        return None
    end = _in_utc(moment)
    delta = _field(timetable, "delta")
    if delta is not None:
        return end - delta, end
    crons = _field(timetable, "timetables") or [timetable]
    if any(_field(each, "expression") is None for each in crons):
        return None
    return _Ticks(crons).last_two(end)


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


def _in_utc(moment: dt.datetime) -> Any:
    """The moment as Airflow's timetables take it; where days are subtracted from it, they have 24 hours."""
    from airflow.providers.common.compat.sdk import timezone  # type: ignore[attr-defined] # its stubs leave it out

    return timezone.convert_to_utc(moment)


class _Ticks:
    """The moments at which a cron schedule makes a run: those that the scheduler itself would come to."""

    def __init__(self, crons: list[Any]) -> None:
        from airflow.timetables.base import TimeRestriction
        from airflow.timetables.trigger import CronTriggerTimetable

        self._timetables = [
            CronTriggerTimetable(_field(each, "expression"), timezone=_field(each, "timezone")) for each in crons
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


def _partition_period(timetable: Any, key: Any, moment: Any, zone: ZoneInfo) -> Window | None:
    clock = _field(timetable, "timezone")
    clock = ZoneInfo(clock) if isinstance(clock, str) else clock
    try:
        start = moment or dt.datetime.strptime(key, _field(timetable, "key_format")).replace(tzinfo=clock)
    except (TypeError, ValueError):
        return None
    start = _in_utc(start)
    end = _Ticks([timetable]).after(start)
    edges = [each.astimezone(clock) for each in (start, end)]
    if all(each.time() == dt.time() for each in edges):
        # Days by name, whatever zone the DAG counts them in: they are the account's days that are meant.
        return make_window(edges[0].date(), edges[1].date(), zone)
    return make_window(start, end, zone)


def _day_of_key(key: Any) -> dt.date | None:
    try:
        return dt.date.fromisoformat(key[:10])
    except (TypeError, ValueError):
        return None
