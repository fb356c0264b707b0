"""What a pull did: plain data for XCom and asset events."""

from __future__ import annotations

import datetime as dt
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
    """The receipt of a pull.

    :param started: when the pull began; the window's end being later makes the result incomplete
    """

    def at(ms: int | None) -> str | None:
        return None if ms is None else from_ms(ms, account.zone).isoformat()

    return {
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
        "warnings": list(stats.warnings),
        "duration_seconds": round((finished - started).total_seconds(), 3),
    }
