"""The receipt of a pull: plain data for XCom and asset events. Its file entries are built in ``storage.file_pull``."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.days import Window, from_ms
from airflow_provider_kapture.client.pull.stats import PullStats


def build_receipt(
    account: Account,
    window: Window,
    stats: PullStats,
    *,
    window_source: str,
    date_field: str,
    files: list[dict[str, Any]],
    started: dt.datetime,
    finished: dt.datetime,
) -> dict[str, Any]:
    """Return the receipt of a pull. Instants are ISO 8601 in the account's time zone.

    :param account: the account that was pulled
    :param window: the window of the run
    :param stats: the counters of the pull
    :param window_source: how the window was determined
    :param date_field: the time of an order that the window selects by
    :param files: the published files
    :param started: when the pull began; ``complete`` is false if the window ends later
    :param finished: when the pull ended
    """

    def at(ms: int | None) -> str | None:
        return None if ms is None else from_ms(ms, account.zone).isoformat()

    receipt = {
        "account": account.host,
        "window_start": window.start.isoformat(),
        "window_end": window.end.isoformat(),
        "window_source": window_source,
        "date_field": date_field,
        "rows": stats.rows,
        "files": files,
        "first_create_date": at(stats.first_ms),
        "last_create_date": at(stats.last_ms),
        "complete": window.end <= started,
        "requests": stats.requests,
        "retries": stats.retries,
        "restarts": stats.restarts,
        "trimmed": stats.trimmed,
        "moved": stats.moved,
        "repaired": stats.repaired,
        "rescued": total_rescued(files),
        "warnings": list(stats.warnings),
        "duration_seconds": round((finished - started).total_seconds(), 3),
    }
    if not stats.rows and stats.empty_proof is not None:
        receipt["empty_proof"] = stats.empty_proof
    return receipt


def total_rescued(files: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return the number of orders whose value did not fit its column, by field, over all files."""
    total: Counter[str] = Counter()
    for file in files:
        total.update(file["rescued"])
    return dict(sorted(total.items()))
