"""What a pull did: plain data for XCom and asset events."""

from __future__ import annotations

import datetime as dt
from typing import Any

from airflow_provider_kapture.client.account import Account
from airflow_provider_kapture.client.days import Window, from_ms
from airflow_provider_kapture.client.pull import Tally


def receipt(
    account: Account,
    window: Window,
    tally: Tally,
    *,
    window_source: str,
    date_field: str,
    files: list[dict[str, Any]],
    began: dt.datetime,
    ended: dt.datetime,
) -> dict[str, Any]:
    """The receipt of a pull.

    :param began: when the pull began; the window's end being later makes the result incomplete
    """

    def at(ms: int | None) -> str | None:
        return None if ms is None else from_ms(ms, account.zone).isoformat()

    return {
        "account": account.host,
        "window_start": window.start.isoformat(),
        "window_end": window.end.isoformat(),
        "window_source": window_source,
        "date_field": date_field,
        "rows": tally.rows,
        "files": files,
        "first_create_date": at(tally.first_ms),
        "last_create_date": at(tally.last_ms),
        "complete": window.end <= began,
        "requests": tally.requests,
        "retries": tally.retries,
        "restarts": tally.restarts,
        "trimmed": tally.trimmed,
        "moved": tally.moved,
        "warnings": list(tally.warnings),
        "duration_seconds": round((ended - began).total_seconds(), 3),
    }
