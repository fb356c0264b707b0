"""The label of a mapped task in the UI: what it was mapped over, instead of its index."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, MutableMapping
from typing import Any

from airflow_provider_kapture.arguments import TemplatedArguments
from airflow_provider_kapture.client.days import WindowEdge
from airflow_provider_kapture.operators.mapped_destination import Expansion, expansion_of

# The length of Airflow's column.
_MAX_LENGTH = 250
_MIDNIGHT = re.compile(r"[T ]00:00(:00(\.0+)?)?(Z|[+-]\d\d:?\d\d)?$")


class LabelledTask(TemplatedArguments):
    """Mixin for operators whose mapped tasks have a label as soon as their fields are rendered.

    Airflow 3.2 and later store a label that is set by then before the task is executed, and so before it is deferred;
    older versions only when ``execute`` has returned or failed.
    """

    task_id: str
    _expansion: Expansion | None = None

    def render_all(
        self, render_one: Callable[[str], None], template_fields: Iterable[str], context: MutableMapping[str, Any]
    ) -> None:
        """Render the fields, and label the task with them."""
        super().render_all(render_one, template_fields, context)
        self._expansion = expansion_of(context, self.task_id)
        _set_map_label(context, self, self._expansion)


def _set_map_label(context: MutableMapping[str, Any], operator: Any, expansion: Expansion | None) -> None:
    """Set the label of a mapped task to its connection or window, unless the DAG's author gave a template.

    Filters are left out, because they may identify a customer.

    :param operator: the operator, with its fields rendered
    :param expansion: the arguments that the task is mapped over; None in a mapped task group
    """
    map_index = getattr(context.get("ti"), "map_index", None)
    is_mapped = isinstance(map_index, int) and map_index >= 0
    if not is_mapped or context.get("map_index_template") is not None:
        return
    label = _label(operator, None if expansion is None else set(expansion.own))
    if label:
        context["map_index_template"] = f"{{% raw %}}{label[:_MAX_LENGTH]}{{% endraw %}}"


def _label(operator: Any, mapped: set[str] | None) -> str:
    parts = []
    if mapped is None or mapped & {"window_start", "window_end"}:
        parts.append(_window(operator.window_start, operator.window_end))
    elif "window" in mapped:
        parts.append(str(operator.window))
    if (mapped is None and not any(parts)) or (mapped is not None and "kapture_conn_id" in mapped):
        parts.append(str(operator.kapture_conn_id))
    return " ".join(reversed([part for part in parts if part]))


def _window(start: WindowEdge | None, end: WindowEdge | None) -> str:
    if start is None or end is None:
        return ""
    return " to ".join(_MIDNIGHT.sub("", str(edge)) for edge in (start, end))
