"""The receipt of a pull: plain data for XCom and asset events. Its file entries are built in ``storage.file_pull``."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_kapture import __version__
from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.days import Window, from_ms, to_ms
from airflow_provider_kapture.client.pull.stats import PullStats


@dataclass(frozen=True)
class PullInfo:
    """What a receipt says of a pull besides its counters.

    :param window_source: how the window was determined
    :param date_field: the time of an order that the window selects by
    :param filters: names of the filters
    :param query_hash: salted hash of filters and body keys
    :param started: when the pull began; the receipt's ``complete`` is false if the window ends later
    :param run: ids of the task's run; None outside a task
    :param file_format: None in XCom mode
    :param receipt_uri: where the receipt is stored; None if it is not
    """

    window_source: str
    date_field: str
    filters: Sequence[str]
    query_hash: str
    started: dt.datetime
    run: Mapping[str, Any] | None = None
    file_format: str | None = None
    receipt_uri: str | None = None


def build_receipt(
    account: Account, window: Window, stats: PullStats, files: list[dict[str, Any]], info: PullInfo
) -> dict[str, Any]:
    """Return the receipt of a pull that ends now. Instants are ISO 8601 in the account's time zone.

    :param account: the account that was pulled
    :param window: the window of the run
    :param stats: the counters of the pull
    :param files: the files, as ``storage.file_pull`` returns them
    :param info: the rest
    """

    def at(ms: int | None) -> str | None:
        return None if ms is None else from_ms(ms, account.zone).isoformat()

    receipt = {
        "account": account.host,
        "cm_id": account.dialect.cm_id,
        "window_start": window.start.isoformat(),
        "window_end": window.end.isoformat(),
        "window_source": info.window_source,
        "date_field": info.date_field,
        "filters": sorted(info.filters),
        "query_hash": info.query_hash,
        "rows": stats.rows,
        "files": files,
        "changed_days": changed_days(files, window) if info.file_format else days_of(window),
        "first_create_date": at(stats.first_ms),
        "last_create_date": at(stats.last_ms),
        "complete": window.end <= info.started,
        "requests": stats.requests,
        "retries": stats.retries,
        "restarts": stats.restarts,
        "trimmed": stats.trimmed,
        "moved": stats.moved,
        "repaired": stats.repaired,
        "rescued": total_rescued(files),
        "warnings": list(stats.warnings),
        "pulled_at": info.started.astimezone(account.zone).isoformat(),
        "duration_seconds": round((dt.datetime.now(dt.UTC) - info.started).total_seconds(), 3),
        "provider_version": __version__,
    }
    if not stats.rows and stats.empty_proof is not None:
        receipt["empty_proof"] = stats.empty_proof
    for name in ("run", "file_format", "receipt_uri"):
        if getattr(info, name) is not None:
            receipt[name] = getattr(info, name)
    return receipt


def run_of(context: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the ids of the context's run of a task; None outside a task."""
    task_instance = context.get("ti")
    if task_instance is None:
        return None
    return {name: getattr(task_instance, name, None) for name in ("dag_id", "task_id", "run_id", "map_index")}


def days_of(window: Window) -> list[str]:
    """Return the account's days of a window as ISO 8601 dates."""
    return [day.isoformat() for day, _ in window.days()]


def changed_days(files: Iterable[Mapping[str, Any]], window: Window) -> list[str]:
    """Return the account's days whose files have changed, sorted."""
    found: set[str] = set()
    for file in files:
        if file["changed"]:
            start, end = (to_ms(dt.datetime.fromisoformat(file[name])) for name in ("window_start", "window_end"))
            found.update(days_of(Window(start, end, window.zone)))
    return sorted(found)


def total_rescued(files: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return the number of orders whose value did not fit its column, by field, over all files."""
    total: Counter[str] = Counter()
    for file in files:
        total.update(file["rescued"])
    return dict(sorted(total.items()))
