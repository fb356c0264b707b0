"""Mapped tasks of which each would write over what the others wrote."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from airflow_provider_kapture.client.errors import KaptureSettingsError

_TEMPLATED = re.compile(r"{{(.*?)}}|{%(.*?)%}", re.DOTALL)
# What a template can tell one mapped task from another by.
_OF_ONE = re.compile(r"\b(task|ti|task_instance|map_index)\b")


def check_own_destination(context: Mapping[str, Any], task_id: str, destination: str | None) -> None:
    """See that a mapped task has a destination of its own, where it names a file.

    What can't be seen from one task: that two values of ``destination`` that are mapped over come out the same, two
    tasks of a mapped task group, and, with a destination that ends in ``/``, two tasks with the same days.

    :param destination: as rendered: a template may come out as one that ends in ``/``
    :raises KaptureSettingsError: all of its mapped tasks write to the same file
    """
    task_instance, dag = context.get("ti"), context.get("dag")
    if dag is None or getattr(task_instance, "map_index", -1) < 0 or str(destination).endswith("/"):
        return
    shared = getattr(dag.get_task(task_id), "partial_kwargs", {}).get("destination")
    if not isinstance(shared, str):
        return
    expressions = " ".join(part for found in _TEMPLATED.findall(shared) for part in found)
    if not _OF_ONE.search(expressions):
        raise KaptureSettingsError(
            f"destination {shared!r} is the same for every mapped task of {task_id!r}, so each would write over the "
            "others': end it in '/' for an object for each day, have '{{ ti.map_index }}' in it, or map over it"
        )
