"""The window that a run inferred, kept with the run by Airflow 3.3 and later. How it is inferred is in `windows`.

A run's schedule may be edited before the run is cleared; what it published stays where its first window put it. The
window outlives the task's success, other than what `storage.resume` keeps.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from airflow_provider_kapture.client.days import Window, WindowEdge, make_window
from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.windows import resolve_window

log = logging.getLogger(__name__)

_KEY = "kapture_window"


class _Kept(msgspec.Struct, frozen=True):
    """A window as Airflow keeps it: plain data.

    :param argument: the operator's `window` argument that it was inferred with
    :param timezone: the account's time zone that it was inferred in
    """

    window_start: str
    window_end: str
    source: str
    argument: str
    timezone: str


def window_of_try(
    context: Mapping[str, Any],
    zone: ZoneInfo,
    *,
    window_start: WindowEdge | None = None,
    window_end: WindowEdge | None = None,
    window: dt.timedelta | str | None = None,
) -> tuple[Window, str]:
    """Return the window of this try of a run, and its source: an inferred one is that of the run's first try.

    The kept window is set aside if the `window` argument or the account's time zone has changed since then: these say
    what the run is meant to pull.

    :raises KaptureSettingsError: as :func:`~airflow_provider_kapture.windows.resolve_window`
    """
    store = context.get("task_state_store")
    if store is None or window_start is not None or window_end is not None:
        return resolve_window(context, zone, window_start=window_start, window_end=window_end, window=window)
    kept = _read(store)
    if kept is not None and (kept.argument, kept.timezone) == (repr(window), str(zone)):
        first = make_window(kept.window_start, kept.window_end, zone)
        _warn_if_other(first, context, window)
        return first, kept.source
    inferred, source = resolve_window(context, zone, window=window)
    _write(store, _Kept(inferred.start.isoformat(), inferred.end.isoformat(), source, repr(window), str(zone)))
    return inferred, source


def _warn_if_other(first: Window, context: Mapping[str, Any], window: dt.timedelta | str | None) -> None:
    try:
        now, source = resolve_window(context, first.zone, window=window)
        changed = f"[{now.start.isoformat()}, {now.end.isoformat()}) from {source}" if now != first else ""
    except KaptureSettingsError as error:
        changed = f"no window ({error})"
    if changed:
        log.warning(
            "This run keeps the window of its first try, [%s, %s), although its DAG now gives %s; to pull another "
            "window, set window_start and window_end or start another run",
            first.start.isoformat(),
            first.end.isoformat(),
            changed,
        )


def _read(store: Any) -> _Kept | None:
    try:
        return msgspec.convert(store.get(_KEY), _Kept)
    except msgspec.ValidationError:
        return None


def _write(store: Any, kept: _Kept) -> None:
    from airflow.sdk import NEVER_EXPIRE  # type: ignore[attr-defined] # its stubs leave it out

    try:
        store.set(_KEY, msgspec.to_builtins(kept), retention=NEVER_EXPIRE)
    except Exception:
        log.warning("Could not keep the window with the run; a later try infers it again", exc_info=True)
