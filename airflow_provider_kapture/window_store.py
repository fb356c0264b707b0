"""The inferred window of a run, stored with the run by Airflow 3.3 and later. How it is inferred is in ``windows``.

A DAG's schedule may be edited before one of its runs is cleared; the files of that run belong to the window that its
first attempt inferred. The stored window therefore outlives the task's success, unlike the days of
``storage.checkpoint``.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Unpack
from zoneinfo import ZoneInfo

import msgspec

from airflow_provider_kapture.client.days import Window, make_window
from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.windows import WindowArguments, resolve_window, window_width

log = logging.getLogger(__name__)

_KEY = "kapture_window"


class _StoredWindow(msgspec.Struct, frozen=True):
    """A window as plain data.

    :param window_start: ISO 8601 with offset
    :param window_end: ISO 8601 with offset
    :param source: how the window was inferred
    :param argument: the ``window`` argument that it was inferred with
    :param timezone: the account's time zone that it was inferred in
    """

    window_start: str
    window_end: str
    source: str
    argument: str
    timezone: str


def resolve_stored_window(
    context: Mapping[str, Any], zone: ZoneInfo, **arguments: Unpack[WindowArguments]
) -> tuple[Window, str]:
    """Return the window of a run, and its source; each attempt gets the window that the first one inferred.

    The stored window is ignored if it was inferred with another ``window`` argument or time zone: both state what the
    run is meant to pull.

    :param context: the task's context
    :param zone: the account's time zone
    :param arguments: as for :func:`~airflow_provider_kapture.windows.resolve_window`
    :raises KaptureSettingsError: as :func:`~airflow_provider_kapture.windows.resolve_window`
    """
    store = context.get("task_state_store")
    if store is None or arguments.get("window_start") is not None or arguments.get("window_end") is not None:
        return resolve_window(context, zone, **arguments)
    window = arguments.get("window")
    argument = repr(None if window is None else window_width(window))
    stored = _read(store)
    if stored is not None and (stored.argument, stored.timezone) == (argument, str(zone)):
        first = make_window(stored.window_start, stored.window_end, zone)
        _warn_if_changed(first, context, arguments)
        return first, stored.source
    inferred, source = resolve_window(context, zone, **arguments)
    _write(store, _StoredWindow(inferred.start.isoformat(), inferred.end.isoformat(), source, argument, str(zone)))
    return inferred, source


def _warn_if_changed(first: Window, context: Mapping[str, Any], arguments: WindowArguments) -> None:
    try:
        now, source = resolve_window(context, first.zone, **arguments)
        changed = f"[{now.start.isoformat()}, {now.end.isoformat()}) from {source}" if now != first else ""
    except KaptureSettingsError as error:
        changed = f"no window ({error})"
    if changed:
        log.warning(
            "This run keeps the window of its first attempt, [%s, %s), although its DAG now gives %s; to pull another "
            "window, set window_start and window_end or start another run",
            first.start.isoformat(),
            first.end.isoformat(),
            changed,
        )


def _read(store: Any) -> _StoredWindow | None:
    try:
        return msgspec.convert(store.get(_KEY), _StoredWindow)
    except msgspec.ValidationError:
        return None


def _write(store: Any, window: _StoredWindow) -> None:
    from airflow.sdk import NEVER_EXPIRE  # type: ignore[attr-defined] # its stubs omit it

    try:
        store.set(_KEY, msgspec.to_builtins(window), retention=NEVER_EXPIRE)
    except Exception:
        log.warning("Could not store the window with the run; a later attempt infers it again", exc_info=True)
