"""Check that mapped tasks do not write to the same destination, by the arguments they are mapped over.

Only the tasks of one mapped operator or task group are compared, not those of other operators or DAGs. Whether a
destination can be written to is checked in ``storage.destinations``.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow.providers.common.compat.sdk import XComArg

from airflow_provider_kapture.client.errors import KaptureSettingsError

_TEMPLATE_EXPRESSION = re.compile(r"{{(.*?)}}|{%(.*?)%}", re.DOTALL)
# Template variables that differ between mapped tasks.
_TASK_VARIABLES = re.compile(r"\b(task|ti|task_instance|map_index)\b")
# Tasks that differ in one of these pull other orders, but the names of their objects are the same.
_QUERY = ("kapture_conn_id", "filters", "extra_body")


@dataclass(frozen=True)
class Expansion:
    """The arguments that a task is mapped over with ``expand`` or ``expand_kwargs``, before templates are rendered.

    :param own: the arguments of this task
    :param index: its map index
    :param every: the arguments of all tasks, by map index; None if they would have to be read one by one
    """

    own: Mapping[str, Any]
    index: int
    every: Sequence[Mapping[str, Any]] | None


def expansion_of(context: Mapping[str, Any], task_id: str) -> Expansion | None:
    """Return the arguments that the context's task is mapped over; None for a task that is not mapped itself."""
    index = _map_index(context)
    mapped = context["dag"].get_task(task_id) if index >= 0 else None
    given = getattr(getattr(mapped, "expand_input", None), "value", None)
    if given is None:
        return None
    if isinstance(given, Mapping):
        every = _product({name: _resolved(values, context) for name, values in given.items()})
        return Expansion(dict.fromkeys(given) if every is None else every[index], index, every)
    rows = _resolved(given, context)
    if isinstance(rows, list | tuple):
        every = [_resolved(row, context) for row in rows]
        return Expansion(every[index], index, every)
    return Expansion(_resolved(rows[index], context), index, None)


def _product(columns: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """Return the arguments of each task in Airflow's order: the last argument varies fastest."""
    if not all(isinstance(values, list | tuple | Mapping) for values in columns.values()):
        return None
    lists = (values.items() if isinstance(values, Mapping) else values for values in columns.values())
    return [dict(zip(columns, row, strict=True)) for row in itertools.product(*lists)]


def _resolved(value: Any, context: Mapping[str, Any]) -> Any:
    return value.resolve(context) if hasattr(value, "resolve") else value


def _map_index(context: Mapping[str, Any]) -> int:
    index: int = getattr(context.get("ti"), "map_index", -1) if context.get("dag") is not None else -1
    return index


def check_destination_is_unique(
    context: Mapping[str, Any],
    task_id: str,
    destination: str | None,
    expansion: Expansion | None,
    templates: Mapping[str, Any],
) -> None:
    """Check that no two mapped tasks write to the same object.

    Templates that render to the same text are not detected.

    :param context: the task's context
    :param task_id: id of the operator
    :param destination: the rendered destination; None for XCom
    :param expansion: the arguments that the task is mapped over; None if the task itself is not mapped
    :param templates: the arguments before they were rendered
    :raises KaptureSettingsError: several tasks of the mapped operator or task group write to the same destination
    """
    if destination is None or _map_index(context) < 0:
        return
    is_folder = destination.endswith("/")
    if expansion is None:
        # A task of a mapped task group: its own arguments refer to the values that the group is mapped over.
        differing = [name for name in _QUERY if _depends_on_group(templates.get(name), context, task_id)]
        _check_shared(task_id, templates.get("destination"), differing, is_folder=is_folder)
        return
    rows = expansion.every or [expansion.own]
    names = set().union(*rows)
    shared = context["dag"].get_task(task_id).partial_kwargs.get("destination")
    if "destination" not in names:
        _check_shared(task_id, shared, [name for name in _QUERY if name in names], is_folder=is_folder)
        return
    own = str(expansion.own.get("destination", shared))
    for index, row in enumerate(expansion.every or ()):
        is_same = index != expansion.index and str(row.get("destination", shared)) == own and not _names_task(own)
        if is_same and (not is_folder or _is_other_query(row, expansion.own) or row == expansion.own):
            raise KaptureSettingsError(
                f"`destination` {own!r} is also used by mapped task {index} of {task_id!r}, so one would overwrite the "
                "orders of the other; use a different one for each, for example with '{{ ti.map_index }}' in it"
            )


def _check_shared(task_id: str, destination: Any, differing: Sequence[str], *, is_folder: bool) -> None:
    """Check a destination that is the same template for every task."""
    if not isinstance(destination, str) or _names_task(destination) or (is_folder and not differing):
        return
    if is_folder:
        reason = f"which differ in {', '.join(f'`{name}`' for name in differing)}"
        remedy = "include '{{ ti.map_index }}' in it, or map over it too"
    else:
        reason = "and is one file"
        remedy = "end it in '/' to write one object per day, include '{{ ti.map_index }}' in it, or map over it"
    raise KaptureSettingsError(
        f"`destination` {destination!r} is the same for every mapped task of {task_id!r}, {reason}, so each would "
        f"overwrite the orders of the others; {remedy}"
    )


def _names_task(destination: str) -> bool:
    expressions = " ".join(part for found in _TEMPLATE_EXPRESSION.findall(destination) for part in found)
    return bool(_TASK_VARIABLES.search(expressions))


def _is_other_query(row: Mapping[str, Any], own: Mapping[str, Any]) -> bool:
    return any(row.get(name) != own.get(name) for name in _QUERY)


def _depends_on_group(value: Any, context: Mapping[str, Any], task_id: str) -> bool:
    """Return whether an argument contains a value of the group's mapping, or output of a task of the same group."""
    if isinstance(value, Mapping):
        return any(_depends_on_group(each, context, task_id) for each in value.values())
    if isinstance(value, list | tuple):
        return any(_depends_on_group(each, context, task_id) for each in value)
    if not hasattr(value, "iter_references"):
        return False
    group = context["dag"].get_task(task_id).get_closest_mapped_task_group()
    references: Iterable[tuple[Any, str]] = value.iter_references()
    is_of_group = not isinstance(value, XComArg)
    return is_of_group or any(task.get_closest_mapped_task_group() is group for task, _ in references)
