"""When a DAG's timetable creates runs. What follows from that for a run is in ``schedules``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from airflow_provider_kapture.airflow_internals import timetable_field
from airflow_provider_kapture.client.days import in_utc

_UTC = ZoneInfo("UTC")


def timetable_of(context: Mapping[str, Any]) -> Any:
    """Return the time-based timetable of the context's DAG; None without a DAG."""
    timetable = getattr(context.get("dag"), "timetable", None)
    # AssetOrTimeSchedule wraps the time-based timetable.
    return getattr(timetable, "timetable", None) or timetable


def for_timetables(moment: dt.datetime) -> Any:
    """Return the moment as a pendulum DateTime in UTC, where a day that is subtracted has 24 hours."""
    from airflow.providers.common.compat.sdk import timezone  # type: ignore[attr-defined] # its stubs omit it

    return timezone.convert_to_utc(moment)


def next_due(context: Mapping[str, Any], due: dt.datetime) -> dt.datetime | None:
    """Return when the scheduled run after the context's is due, in UTC; None if there is none, or it is unknown.

    :param due: when the context's run was due
    """
    timetable, moment = timetable_of(context), for_timetables(due)
    if hasattr(timetable, "next_dagrun_info"):
        start = context.get("data_interval_start")
        return _next_of(timetable, moment if start is None else for_timetables(start), moment)
    delta = timetable_field(timetable, "delta")
    if delta is not None:
        return in_utc(moment + delta, _UTC)
    crons = timetable_field(timetable, "timetables") or [timetable]
    if all(timetable_field(each, "expression") is not None for each in crons):
        return in_utc(Ticks(crons).after(moment), _UTC)
    later = [each for each in timetable_field(timetable, "event_dates") or () if each > moment]
    return in_utc(min(later), _UTC) if later else None


def _next_of(timetable: Any, start: Any, end: Any) -> dt.datetime | None:
    from airflow.timetables.base import DataInterval, TimeRestriction

    info = timetable.next_dagrun_info(
        last_automated_data_interval=DataInterval(start, end),
        restriction=TimeRestriction(earliest=None, latest=None, catchup=True),
    )
    return None if info is None else in_utc(info.run_after, _UTC)


class Ticks:
    """The moments at which cron schedules create runs, computed by Airflow's own timetable as in the scheduler.

    :param crons: timetables with a cron expression
    :param clock: IANA name of the zone in which the expressions are read; None for each timetable's own
    """

    def __init__(self, crons: list[Any], clock: str | None = None) -> None:
        from airflow.timetables.base import TimeRestriction
        from airflow.timetables.trigger import CronTriggerTimetable

        fields = [(timetable_field(each, "expression"), timetable_field(each, "timezone")) for each in crons]
        self._timetables = [CronTriggerTimetable(cron, timezone=clock or zone) for cron, zone in fields]
        self._restriction = TimeRestriction(earliest=None, latest=None, catchup=True)

    def after(self, moment: Any) -> Any:
        """Return the first tick after a moment, both pendulum DateTimes in UTC."""
        from airflow.timetables.base import DataInterval

        last = DataInterval.exact(moment)
        runs = [
            each.next_dagrun_info(last_automated_data_interval=last, restriction=self._restriction)
            for each in self._timetables
        ]
        return min(each.run_after for each in runs if each is not None)

    def last_two(self, moment: Any) -> tuple[dt.datetime, dt.datetime]:
        """Return the last two ticks at or before a moment, the earlier one first.

        Ticks are computed forwards from an earlier moment, as the scheduler does. Computing them backwards gives
        others where the clocks change: the tick before 03:00, on a day that skips 02:00, would be 03:00 itself.
        """
        reach = dt.timedelta(minutes=10)
        while True:
            ticks = [self.after(moment - reach)]
            while (following := self.after(ticks[-1])) <= moment:
                ticks.append(following)
            # The first tick may differ from the scheduler's if the clocks changed just before it: do not return it.
            if len(ticks) > 2:
                return ticks[-2], ticks[-1]
            reach *= 8
