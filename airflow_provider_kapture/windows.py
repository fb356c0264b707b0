"""Which window does this run mean; and windows for mapped pulls."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from airflow_provider_kapture.client.days import Window, WindowEdge, day_start, from_ms, make_window
from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.client.settings import time_zone
from airflow_provider_kapture.schedules import last_period, partition_window

_MOST_WINDOWS = 1000
_MILLISECOND = dt.timedelta(milliseconds=1)
_DAY = dt.timedelta(days=1)
_LONGEST_DAY_MS = 25 * 3_600_000
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
    try:
        zone = time_zone(timezone)
    except ValueError as error:
        raise KaptureSettingsError(f"timezone is {timezone!r}: it must be {error}") from error
    whole = make_window(start, end, zone)
    if every == "day":
        if (whole.end_ms - whole.start_ms) // _LONGEST_DAY_MS > _MOST_WINDOWS:
            raise _too_many(whole)
        edges = [whole.start_ms, *(part.end_ms for _, part in whole.days())]
    elif isinstance(every, dt.timedelta) and every >= _MILLISECOND:
        step = every // _MILLISECOND
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
    width = dt.timedelta(milliseconds=whole.end_ms - whole.start_ms)
    steps = (dt.timedelta(minutes=1), dt.timedelta(minutes=15), dt.timedelta(hours=1), dt.timedelta(hours=6), _DAY)
    step = next((each for each in steps if width <= _MOST_WINDOWS * each), _DAY * -(-width // (_MOST_WINDOWS * _DAY)))
    units = (("days", _DAY), ("hours", dt.timedelta(hours=1)), ("minutes", dt.timedelta(minutes=1)))
    wider = next(f"timedelta({unit}={step // size})" for unit, size in units if not step % size)
    return KaptureSettingsError(f"That is more than {_MOST_WINDOWS:,} windows: take wider ones, such as every={wider}")


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
    if window is not None:
        _check_width(window)
    if window_start is not None or window_end is not None:
        for name, edge in (("window_start", window_start), ("window_end", window_end)):
            _check_said(name, edge)
        assert window_start is not None
        assert window_end is not None
        return make_window(window_start, window_end, zone), "window_start and window_end"
    if window is not None:
        return _relative(context, zone, window), f"window={window!r}"
    start, end = context.get("data_interval_start"), context.get("data_interval_end")
    if start is not None and end is not None and start < end:
        return make_window(start, end, zone), "data interval"
    partition = partition_window(context, zone)
    if partition is not None:
        return partition, "partition"
    period = last_period(context)
    if period is not None:
        return make_window(*period, zone), "last complete period of the schedule"
    raise KaptureSettingsError(
        f"No window: this run has no data interval and no partition that is a day, and its DAG no cron or timedelta "
        f"that a period could be of; {_WAYS}"
    )


def _check_said(name: str, edge: WindowEdge | None) -> None:
    if edge is None:
        raise KaptureSettingsError(f"{name} is None and the other edge of the window is not: give both, or neither")
    if isinstance(edge, str) and edge.strip() in {"", "None"}:
        raise KaptureSettingsError(f"{name} came out as {edge!r}: the template or argument has no value in this run")


def _check_width(window: dt.timedelta | str) -> None:
    if window != "day" and not (isinstance(window, dt.timedelta) and window >= _MILLISECOND):
        raise KaptureSettingsError(f"window is {window!r}: it must be a timedelta above 0, or 'day'")


def _relative(context: Mapping[str, Any], zone: ZoneInfo, window: dt.timedelta | str) -> Window:
    run = context.get("dag_run")
    moments = (context.get("data_interval_end"), context.get("logical_date"), getattr(run, "run_after", None))
    end = next((each for each in moments if each is not None), None)
    if end is None:
        raise KaptureSettingsError(f"window is {window!r}, but this run has no moment that it could end at; {_WAYS}")
    if isinstance(window, dt.timedelta):
        return make_window(end.astimezone(dt.UTC) - window, end, zone)
    last = end.astimezone(zone).date()
    return make_window(from_ms(day_start(last, zone) - 1, zone).date(), last, zone)
