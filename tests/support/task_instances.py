"""The instance of a task that a sensor is given as it pokes."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace


def task_rescheduled(first: dt.datetime | None) -> SimpleNamespace:
    """Return the instance of a task.

    :param first: when it was rescheduled first; None if it has not been
    """
    return SimpleNamespace(
        dag_id="dag",
        task_id="wait",
        run_id="run",
        map_index=-1,
        max_tries=0,
        xcom_push=lambda **_: None,
        get_first_reschedule_date=lambda _: first,
    )
