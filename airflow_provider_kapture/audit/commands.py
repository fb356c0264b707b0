"""The command that pulls a day again."""

from __future__ import annotations

import datetime as dt
import json
import shlex
from collections.abc import Mapping
from typing import Any

from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

_DAY = dt.timedelta(days=1)
# A run of a schedule has its logical date in its id.
_SCHEDULED = ("scheduled__", "backfill__")


def pull_again_command(date: dt.date, run: Mapping[str, Any] | None) -> str:
    """Return the command that pulls a day again, for the installed version of Airflow.

    :param date: the account's day
    :param run: the run whose window has the day, as in its receipt; None if it was not pulled in a task
    """
    dag_id = str((run or {}).get("dag_id") or "DAG_ID")
    logical_date = _logical_date(str((run or {}).get("run_id") or ""))
    if AIRFLOW_V_3_0_PLUS:
        first, last = logical_date or date.isoformat(), logical_date or (date + _DAY).isoformat()
        words = ["airflow", "backfill", "create", "--dag-id", dag_id, "--from-date", first, "--to-date", last]
        return shlex.join([*words, "--reprocess-behavior", "completed"])
    window = {"window_start": date.isoformat(), "window_end": (date + _DAY).isoformat()}
    return shlex.join(["airflow", "dags", "trigger", dag_id, "--conf", json.dumps(window)])


def _logical_date(run_id: str) -> str | None:
    if not run_id.startswith(_SCHEDULED):
        return None
    try:
        return dt.datetime.fromisoformat(run_id.split("__", 1)[1]).isoformat()
    except ValueError:
        return None
