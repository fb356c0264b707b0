"""The window of a run, and windows for mapped pulls. No I/O.

What a window is made of (instants, days, edges) is in ``client.days``; what follows from a DAG's schedule or partition
is in ``schedules``; the window that is stored with a run is in ``window_store``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Literal, TypedDict, Unpack, cast
from zoneinfo import ZoneInfo

from airflow_provider_kapture.client import iso8601
from airflow_provider_kapture.client.config.parsers import time_zone
from airflow_provider_kapture.client.days import (
    Window,
    WindowEdge,
    day_start,
    edge_has_offset,
    from_ms,
    in_utc,
    make_window,
    to_ms,
)
from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.schedules import last_period, partition_of, partition_window, run_started

_MAX_WINDOWS = 1000
_MILLISECOND = dt.timedelta(milliseconds=1)
_DAY = dt.timedelta(days=1)
_MAX_DAY_MS = 25 * 3_600_000
_REMEDIES = "Set `window_start` and `window_end`, or `window` (a timedelta, or 'day'), or give the DAG a schedule"


class WindowArguments(TypedDict, total=False):
    """The arguments of the operator and the sensor that select a window; None is the same as no argument."""

    window_start: WindowEdge | None
    window_end: WindowEdge | None
    window: dt.timedelta | str | None


def plan_windows(
    start: WindowEdge, end: WindowEdge, every: dt.timedelta | str, timezone: str = "Asia/Kolkata"
) -> list[dict[str, str]]:
    """Return adjacent windows from ``start`` to ``end``, for ``.expand_kwargs()``; the last one may be shorter.

    :param start: first instant; a value without an offset is in ``timezone``
    :param end: first instant after the last window; a value without an offset is in ``timezone``
    :param every: width of a window: a timedelta, or ``"day"`` for the days of ``timezone``
    :param timezone: IANA name
    :returns: ``{"window_start", "window_end"}`` for each window, both ISO 8601 with the offset of ``timezone``
    :raises KaptureSettingsError: ``start`` is not before ``end``, an argument is invalid, or the result would be more
        than 1,000 windows
    """
    try:
        zone = time_zone(timezone)
    except ValueError as error:
        raise KaptureSettingsError(f"`timezone` is {timezone!r}: it must be {error}") from error
    whole = make_window(start, end, zone, ("start", "end"))
    if every == "day":
        if (whole.end_ms - whole.start_ms) // _MAX_DAY_MS > _MAX_WINDOWS:
            raise _too_many_windows(whole)
        edges = [whole.start_ms, *(part.end_ms for _, part in whole.days())]
    elif isinstance(every, dt.timedelta) and every >= _MILLISECOND:
        step = every // _MILLISECOND
        if (whole.end_ms - whole.start_ms) / step > _MAX_WINDOWS:
            raise _too_many_windows(whole)
        edges = [*range(whole.start_ms, whole.end_ms, step), whole.end_ms]
    else:
        raise KaptureSettingsError(f"`every` is {every!r}: it must be a timedelta above 0, or 'day'")
    if len(edges) - 1 > _MAX_WINDOWS:
        raise _too_many_windows(whole)
    return [
        {"window_start": from_ms(first, zone).isoformat(), "window_end": from_ms(after, zone).isoformat()}
        for first, after in pairwise(edges)
    ]


def _too_many_windows(whole: Window) -> KaptureSettingsError:
    width = dt.timedelta(milliseconds=whole.end_ms - whole.start_ms)
    steps = (dt.timedelta(minutes=1), dt.timedelta(minutes=15), dt.timedelta(hours=1), dt.timedelta(hours=6), _DAY)
    step = next((each for each in steps if width <= _MAX_WINDOWS * each), _DAY * -(-width // (_MAX_WINDOWS * _DAY)))
    units = (("days", _DAY), ("hours", dt.timedelta(hours=1)), ("minutes", dt.timedelta(minutes=1)))
    wider = next(f"timedelta({unit}={step // size})" for unit, size in units if not step % size)
    return KaptureSettingsError(
        f"[{whole.start.isoformat()}, {whole.end.isoformat()}) would be more than {_MAX_WINDOWS:,} windows; make them "
        f"wider, such as every={wider}"
    )


def resolve_window(
    context: Mapping[str, Any], zone: ZoneInfo, **arguments: Unpack[WindowArguments]
) -> tuple[Window, str]:
    """Return the window of a run, and its source. Explicit arguments take precedence over inferred windows.

    :param context: the task's context; may be empty if the window is explicit
    :param zone: the account's time zone
    :param arguments: ``window_start`` and ``window_end``, which set the window; or ``window``, its width
    :raises KaptureSettingsError: an argument is invalid, no rule applies, or an inferred window ends after the run
        started
    """
    window_start, window_end = arguments.get("window_start"), arguments.get("window_end")
    window = arguments.get("window")
    width = None if window is None else window_width(window)
    if window_start is not None or window_end is not None:
        for name, edge in (("window_start", window_start), ("window_end", window_end)):
            _check_rendered(name, edge)
        assert window_start is not None
        assert window_end is not None
        return make_window(window_start, window_end, zone), "window_start and window_end"
    inferred, source = _inferred(context, zone, width)
    _check_past(context, inferred, source)
    return inferred, source


def check_edges(window_start: WindowEdge | None, window_end: WindowEdge | None) -> None:
    """Check the edges of a window as far as that is possible without the account's time zone.

    :raises KaptureSettingsError: an edge is missing or invalid, or the start is not before the end
    """
    edges = {"window_start": window_start, "window_end": window_end}
    for name, edge in edges.items():
        _check_rendered(name, edge)
    # The order of an edge with an offset and one without depends on the time zone.
    if len({edge_has_offset(name, edge) for name, edge in edges.items() if edge is not None}) == 1:
        make_window(cast("WindowEdge", window_start), cast("WindowEdge", window_end), ZoneInfo("UTC"))


def window_width(window: object) -> dt.timedelta | Literal["day"]:
    """Return the width that a ``window`` argument stands for.

    :param window: a timedelta; or as text ``day``, an ISO 8601 duration, or what ``str()`` of a timedelta gives
    :raises KaptureSettingsError: it is none of these, or not at least a millisecond
    """
    text = window.strip() if isinstance(window, str) else None
    if text == "day":
        return "day"
    width = window if text is None else iso8601.parse_duration(text)
    if not isinstance(width, dt.timedelta) or width < _MILLISECOND:
        raise KaptureSettingsError(
            f"`window` is {window!r}: it must be 'day' or a timedelta above 0, as text for example 'PT6H' or '6:00:00'"
        )
    return width


def _inferred(
    context: Mapping[str, Any], zone: ZoneInfo, width: dt.timedelta | Literal["day"] | None
) -> tuple[Window, str]:
    if width is not None:
        return _window_before_run(context, zone, width), f"window={width!r}"
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
    """Raise an error if an inferred window had not ended when the run started: orders could still be created in it."""
    started = run_started(context, inferred.zone)
    if inferred.end_ms <= to_ms(started):
        return
    key = partition_of(context)[0]
    name = f"partition {key or inferred.start.date()}" if source == "partition" else f"window ({source})"
    remedy = "use run_offset=-1, or set `window`" if source == "partition" else "set `window_start` and `window_end`"
    raise KaptureSettingsError(
        f"The run's {name} ends in the future, at {inferred.end.isoformat()}; the run started at "
        f"{started.astimezone(inferred.zone).isoformat(timespec='seconds')}. To pull complete windows, {remedy}"
    )


def _check_rendered(name: str, edge: WindowEdge | None) -> None:
    if edge is None:
        raise KaptureSettingsError(f"`{name}` is None and the other edge of the window is not: set both, or neither")
    if isinstance(edge, str) and edge.strip() in {"", "None"}:
        raise KaptureSettingsError(
            f"`{name}` rendered to {edge!r}: the template has no value in this run; correct it, or omit the argument"
        )


def _window_before_run(context: Mapping[str, Any], zone: ZoneInfo, width: dt.timedelta | Literal["day"]) -> Window:
    run = context.get("dag_run")
    moments = (context.get("data_interval_end"), context.get("logical_date"), getattr(run, "run_after", None))
    moment = next((each for each in moments if each is not None), None)
    if moment is None:
        raise KaptureSettingsError(
            f"window={width!r} needs an end time, but this run has no data interval, logical date or run_after. "
            "Set `window_start` and `window_end`"
        )
    end = in_utc(moment, zone)
    if isinstance(width, dt.timedelta):
        try:
            return make_window(end - width, end, zone)
        except OverflowError as error:
            raise KaptureSettingsError(f"`window` is {width!r}: it would start before year 1; shorten it") from error
    last = end.astimezone(zone).date()
    return make_window(from_ms(day_start(last, zone) - 1, zone).date(), last, zone)
