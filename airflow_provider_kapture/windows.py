"""The window that a run means, and windows for mapped pulls. What a DAG's schedule says is in `schedules`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from airflow_provider_kapture.client.config.parsers import time_zone
from airflow_provider_kapture.client.days import Window, WindowEdge, day_start, from_ms, in_utc, make_window, to_ms
from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.schedules import last_period, partition_of, partition_window, run_started

_MAX_WINDOWS = 1000
_MILLISECOND = dt.timedelta(milliseconds=1)
_DAY = dt.timedelta(days=1)
_MAX_DAY_MS = 25 * 3_600_000
_REMEDIES = "Set window_start and window_end, or window (a timedelta, or 'day'), or give the DAG a schedule"


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
    whole = make_window(start, end, zone, ("start", "end"))
    if every == "day":
        if (whole.end_ms - whole.start_ms) // _MAX_DAY_MS > _MAX_WINDOWS:
            raise _too_many(whole)
        edges = [whole.start_ms, *(part.end_ms for _, part in whole.days())]
    elif isinstance(every, dt.timedelta) and every >= _MILLISECOND:
        step = every // _MILLISECOND
        if (whole.end_ms - whole.start_ms) / step > _MAX_WINDOWS:
            raise _too_many(whole)
        edges = [*range(whole.start_ms, whole.end_ms, step), whole.end_ms]
    else:
        raise KaptureSettingsError(f"every is {every!r}: it must be a timedelta above 0, or 'day'")
    if len(edges) - 1 > _MAX_WINDOWS:
        raise _too_many(whole)
    return [
        {"window_start": from_ms(first, zone).isoformat(), "window_end": from_ms(after, zone).isoformat()}
        for first, after in pairwise(edges)
    ]


def _too_many(whole: Window) -> KaptureSettingsError:
    width = dt.timedelta(milliseconds=whole.end_ms - whole.start_ms)
    steps = (dt.timedelta(minutes=1), dt.timedelta(minutes=15), dt.timedelta(hours=1), dt.timedelta(hours=6), _DAY)
    step = next((each for each in steps if width <= _MAX_WINDOWS * each), _DAY * -(-width // (_MAX_WINDOWS * _DAY)))
    units = (("days", _DAY), ("hours", dt.timedelta(hours=1)), ("minutes", dt.timedelta(minutes=1)))
    wider = next(f"timedelta({unit}={step // size})" for unit, size in units if not step % size)
    return KaptureSettingsError(f"That is more than {_MAX_WINDOWS:,} windows: take wider ones, such as every={wider}")


def resolve_window(
    context: Mapping[str, Any],
    zone: ZoneInfo,
    *,
    window_start: WindowEdge | None = None,
    window_end: WindowEdge | None = None,
    window: dt.timedelta | str | None = None,
) -> tuple[Window, str]:
    """Return the window that a run means, and its source. Explicit arguments take precedence over inferred windows.

    :param context: the task's context; may be empty if the window is explicit
    :param zone: the account's time zone
    :raises KaptureSettingsError: no rule applies, or an inferred window ends after the run started
    """
    if window is not None:
        _check_width(window)
    if window_start is not None or window_end is not None:
        for name, edge in (("window_start", window_start), ("window_end", window_end)):
            _check_rendered(name, edge)
        assert window_start is not None
        assert window_end is not None
        return make_window(window_start, window_end, zone), "window_start and window_end"
    inferred, source = _inferred(context, zone, window)
    _check_past(context, inferred, source)
    return inferred, source


def _inferred(context: Mapping[str, Any], zone: ZoneInfo, window: dt.timedelta | str | None) -> tuple[Window, str]:
    if window is not None:
        return _relative(context, zone, window), f"window={window!r}"
    start, end = context.get("data_interval_start"), context.get("data_interval_end")
    if start is not None and end is not None and in_utc(start, zone) < in_utc(end, zone):
        return make_window(start, end, zone), "data interval"
    partition = partition_window(context, zone)
    if partition is not None:
        return partition, "partition"
    period = last_period(context, zone)
    if period is not None:
        return period, "last complete period of the schedule"
    raise KaptureSettingsError(
        "Cannot determine the window: this run has no data interval or daily partition, and its DAG has no cron or "
        f"timedelta schedule. {_REMEDIES}"
    )


def _check_past(context: Mapping[str, Any], inferred: Window, source: str) -> None:
    """Refuse an inferred window whose orders could not all be there when the run started."""
    started = run_started(context, inferred.zone)
    if inferred.end_ms <= to_ms(started):
        return
    key = partition_of(context)[0]
    name = f"partition {key or inferred.start.date()}" if source == "partition" else f"window ({source})"
    remedy = "use run_offset=-1, or window" if source == "partition" else "set window_start and window_end"
    raise KaptureSettingsError(
        f"The run's {name} ends in the future, at {inferred.end.isoformat()}, and the run started at "
        f"{started.astimezone(inferred.zone).isoformat(timespec='seconds')}; {remedy}"
    )


def _check_rendered(name: str, edge: WindowEdge | None) -> None:
    if edge is None:
        raise KaptureSettingsError(f"{name} is None and the other edge of the window is not: set both, or neither")
    if isinstance(edge, str) and edge.strip() in {"", "None"}:
        raise KaptureSettingsError(f"{name} rendered to {edge!r}: the template has no value in this run")


def _check_width(window: dt.timedelta | str) -> None:
    if window != "day" and not (isinstance(window, dt.timedelta) and window >= _MILLISECOND):
        raise KaptureSettingsError(f"window is {window!r}: it must be a timedelta above 0, or 'day'")


def _relative(context: Mapping[str, Any], zone: ZoneInfo, window: dt.timedelta | str) -> Window:
    run = context.get("dag_run")
    moments = (context.get("data_interval_end"), context.get("logical_date"), getattr(run, "run_after", None))
    moment = next((each for each in moments if each is not None), None)
    if moment is None:
        raise KaptureSettingsError(
            f"window={window!r} needs an end time, but this run has no data interval, logical date or run_after. "
            "Set window_start and window_end"
        )
    end = in_utc(moment, zone)
    if isinstance(window, dt.timedelta):
        try:
            return make_window(end - window, end, zone)
        except OverflowError as error:
            raise KaptureSettingsError(f"window is {window!r}: it begins before the calendar does") from error
    last = end.astimezone(zone).date()
    return make_window(from_ms(day_start(last, zone) - 1, zone).date(), last, zone)
