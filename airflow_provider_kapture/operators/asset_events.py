"""Asset events of a pull: one for the whole pull, or one for each changed day with the day as its partition key.

Lineage of the account and the files (hook lineage, OpenLineage) is in ``airflow_provider_kapture.operators.lineage``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

import airflow
from airflow.providers.common.compat.sdk import AssetAlias

from airflow_provider_kapture.client.days import Window, to_ms
from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.schedules import airflow_release, partition_window

# Up to this many files or changed days, an event carries them: Airflow stores a copy with each event, and sends all
# events of a task in one request.
MAX_IN_DETAIL = 16
_SUMMARY = ("account", "window_start", "window_end", "date_field", "rows", "complete", "pulled_at", "receipt_uri")


def check_partition_events(
    context: Mapping[str, Any], window: Window, destination: str | None, partition_events: bool
) -> None:
    """Check that this Airflow and this destination support events by day, if they are requested.

    :param destination: None for XCom, a file name, or a folder that ends in ``/``
    :raises KaptureSettingsError: ``partition_events`` is not supported in this run
    """
    if not partition_events:
        return
    key = _partition_key(context)
    _check_airflow(key)
    if not key and _is_one_file_of_several_days(window, destination):
        raise KaptureSettingsError(
            f"`partition_events` needs a file for each day, but `destination` {destination!r} is one file for several "
            "days; end it in '/', or pull one day"
        )


def has_events_by_day(
    context: Mapping[str, Any], window: Window, destination: str | None, partition_events: bool
) -> bool:
    """Return whether the pull fires an event for each changed day, and no event for the whole pull.

    A partitioned run whose partition is not one day, or that writes one file of several days, fires only Airflow's own
    event with the run's key.
    """
    if not _partition_key(context):
        return partition_events
    return _is_daily_partition(context, window) and not _is_one_file_of_several_days(window, destination)


def attach_receipt_to_outlets(
    context: Mapping[str, Any], outlets: Iterable[Any], extra: dict[str, Any], days: list[str]
) -> None:
    """Set each outlet's asset event to carry ``extra``, with one event for each of the days.

    :param extra: the same for all events of the task: Airflow supports only one
    :param days: partition keys, ISO 8601 dates; empty for the single event that Airflow fires by default. Airflow
        before 3.3 always fires that one
    """
    events = context.get("outlet_events")
    if events is None:
        return
    for outlet in outlets:
        # The DAG's author adds the assets of an alias; an object without URI and name is not an asset.
        if isinstance(outlet, AssetAlias) or not (hasattr(outlet, "uri") or hasattr(outlet, "name")):
            continue
        event = events[outlet]
        event.extra = extra
        if days and hasattr(event, "add_partitions"):
            event.add_partitions(days)


def plain_extra(receipt: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ``extra`` of the one event of a pull: the receipt, without its files if there are many."""
    if len(receipt["files"]) <= MAX_IN_DETAIL:
        return dict(receipt)
    return {name: value for name, value in receipt.items() if name != "files"}


def extra_by_day(receipt: Mapping[str, Any], window: Window) -> dict[str, Any]:
    """Return the ``extra`` of events by day: the receipt without its files, and the file of each changed day.

    Beyond :data:`MAX_IN_DETAIL` days it is a summary; the receipt that it names has the files.
    """
    if len(receipt["changed_days"]) > MAX_IN_DETAIL:
        return {name: receipt[name] for name in _SUMMARY if name in receipt}
    about = {name: value for name, value in receipt.items() if name != "files"}
    if not receipt["changed_days"]:
        return about
    files = files_by_day(receipt["files"], window)
    return {**about, "files_by_day": {day: files[day] for day in receipt["changed_days"] if day in files}}


def files_by_day(files: Iterable[Mapping[str, Any]], window: Window) -> dict[str, Mapping[str, Any]]:
    """Return the file of each account day that was written, by ISO 8601 date."""
    found = {}
    for file in files:
        start, end = (to_ms(dt.datetime.fromisoformat(file[name])) for name in ("window_start", "window_end"))
        found.update({day.isoformat(): file for day, _ in Window(start, end, window.zone).days()})
    return found


def _partition_key(context: Mapping[str, Any]) -> str | None:
    return context.get("partition_key") or getattr(context.get("dag_run"), "partition_key", None)


def _is_daily_partition(context: Mapping[str, Any], window: Window) -> bool:
    try:
        partition = partition_window(context, window.zone)
    except KaptureSettingsError:  # a key that cannot be read as a day, in a run with an explicit window
        return False
    return partition is not None and partition.is_whole_days() and len(list(partition.days())) == 1


def _is_one_file_of_several_days(window: Window, destination: str | None) -> bool:
    return destination is not None and not str(destination).endswith("/") and len(list(window.days())) > 1


def _check_airflow(partition_key: str | None) -> None:
    version = airflow.__version__
    if airflow_release() < (3, 2):
        raise KaptureSettingsError(f"`partition_events` needs Airflow 3.2 or later, but this is {version}: remove it")
    if airflow_release() < (3, 3) and not partition_key:
        raise KaptureSettingsError(
            f"`partition_events` needs Airflow 3.3 or later in a run without a partition, but this is {version}: "
            "remove it, or schedule the DAG by daily partitions"
        )
