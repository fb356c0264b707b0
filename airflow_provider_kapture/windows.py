"""Which window does this run mean; and windows for mapped pulls."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from airflow_provider_kapture.client import settings
from airflow_provider_kapture.client.days import Window, WindowEdge, day_start, from_ms, make_window
from airflow_provider_kapture.client.errors import KaptureSettingsError

_MOST_WINDOWS = 1000
_DAY = dt.timedelta(days=1)
_WAYS = (
    "give window_start and window_end; or window (a timedelta, or 'day'); or let the DAG have a schedule, "
    "whose last complete period is then the window"
)


def plan_windows(
    start: WindowEdge, end: WindowEdge, every: dt.timedelta | str, timezone: str = "Asia/Kolkata"
) -> list[dict[str, str]]:
    """Adjacent windows from ``start`` to ``end``, for ``.expand_kwargs()``.

    :param start: first instant; what carries no offset is in ``timezone``
    :param end: first instant after
    :param every: width of a window: a timedelta, or ``"day"`` for the days of ``timezone``
    :param timezone: IANA name
    :raises KaptureSettingsError: no window, a width that is none, or more than 1,000 windows
    """
    zone = ZoneInfo(settings.READERS["timezone"]("timezone", timezone))
    whole = make_window(start, end, zone)
    if every == "day":
        edges = [whole.start_ms, *(part.end_ms for _, part in whole.days())]
    elif isinstance(every, dt.timedelta) and every >= dt.timedelta(milliseconds=1):
        step = every // dt.timedelta(milliseconds=1)
        if (whole.end_ms - whole.start_ms) / step > _MOST_WINDOWS:
            raise _too_many(whole)
        edges = [*range(whole.start_ms, whole.end_ms, step), whole.end_ms]
    else:
        raise KaptureSettingsError(f"every is {every!r}: it must be a timedelta above 0, or 'day'")
    if len(edges) - 1 > _MOST_WINDOWS:
        raise _too_many(whole)
    return [
        {"window_start": from_ms(first, zone).isoformat(), "window_end": from_ms(after, zone).isoformat()}
        for first, after in pairwise(edges)
    ]


def _too_many(whole: Window) -> KaptureSettingsError:
    days = -(-(whole.end_ms - whole.start_ms) // (_MOST_WINDOWS * 86_400_000))
    return KaptureSettingsError(
        f"That is more than {_MOST_WINDOWS:,} windows: take wider ones, such as every=timedelta(days={days + 1})"
    )


def window_of_run(
    context: Mapping[str, Any],
    zone: ZoneInfo,
    *,
    window_start: WindowEdge | None = None,
    window_end: WindowEdge | None = None,
    window: dt.timedelta | str | None = None,
) -> tuple[Window, str]:
    """The window that a run means, and where it came from. What is said beats what is inferred.

    :param context: the task's context; may be empty where the window is explicit
    :param zone: the account's time zone
    :raises KaptureSettingsError: no way to say a window applies
    """
    given = [edge not in (None, "") for edge in (window_start, window_end)]
    if all(given):
        assert window_start is not None
        assert window_end is not None
        return make_window(window_start, window_end, zone), "window_start and window_end"
    if any(given):
        raise KaptureSettingsError(
            f"window_start is {window_start!r} and window_end is {window_end!r}: give both, or neither"
        )
    if window is not None:
        return _relative(context, zone, window), f"window={window!r}"
    start, end = context.get("data_interval_start"), context.get("data_interval_end")
    if start is not None and end is not None and start < end:
        return make_window(start, end, zone), "data interval"
    day = _partition_day(context, zone)
    if day is not None:
        return make_window(day, day + _DAY, zone), "partition"
    period = _last_period(context)
    if period is not None:
        return make_window(*period, zone), "last complete period of the schedule"
    raise KaptureSettingsError(f"No window: this run has no data interval, and its DAG no schedule; {_WAYS}")


def _relative(context: Mapping[str, Any], zone: ZoneInfo, window: dt.timedelta | str) -> Window:
    run = context.get("dag_run")
    moments = (context.get("data_interval_end"), context.get("logical_date"), getattr(run, "run_after", None))
    end = next((each for each in moments if each is not None), None)
    if end is None:
        raise KaptureSettingsError(f"window is {window!r}, but this run has no moment that it could end at; {_WAYS}")
    if window == "day":
        last = end.astimezone(zone).date()
        return make_window(from_ms(day_start(last, zone) - 1, zone).date(), last, zone)
    if not isinstance(window, dt.timedelta) or window <= dt.timedelta():
        raise KaptureSettingsError(f"window is {window!r}: it must be a timedelta above 0, or 'day'")
    return make_window(end.astimezone(dt.UTC) - window, end, zone)


def _partition_day(context: Mapping[str, Any], zone: ZoneInfo) -> dt.date | None:
    run = context.get("dag_run")
    moment = context.get("partition_date") or getattr(run, "partition_date", None)
    if isinstance(moment, dt.datetime):
        return moment.astimezone(zone).date()
    key = context.get("partition_key") or getattr(run, "partition_key", None)
    if not isinstance(key, str):
        return None
    try:
        return dt.date.fromisoformat(key[:10])
    except ValueError:
        return None


def _last_period(context: Mapping[str, Any]) -> tuple[dt.datetime, dt.datetime] | None:
    """The last complete period of the DAG's cron or timedelta at the run's logical date, as Airflow itself has it."""
    dag, moment = context.get("dag"), context.get("logical_date")
    schedule = getattr(dag, "schedule", None)
    if moment is None or schedule is None:
        return None
    from airflow.timetables.interval import CronDataIntervalTimetable, DeltaDataIntervalTimetable

    if isinstance(schedule, dt.timedelta):
        interval = DeltaDataIntervalTimetable(schedule).infer_manual_data_interval(run_after=moment)
    elif isinstance(schedule, str) and schedule not in {"@once", "@continuous"}:
        interval = CronDataIntervalTimetable(schedule, getattr(dag, "timezone", "UTC")).infer_manual_data_interval(
            run_after=moment
        )
    else:
        return None
    return interval.start, interval.end
