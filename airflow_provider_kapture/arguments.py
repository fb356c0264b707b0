"""Templated arguments of the operator and the sensor: each one that was given must have a value once it is rendered.

The rendering itself is in ``rendering``. What a value means is checked elsewhere: windows in ``windows``, filters in
``client.api.filters``, destinations in ``storage.destinations``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any

from airflow_provider_kapture.airflow_internals import RenderedFields
from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.operators.mapped_destination import Expansion
from airflow_provider_kapture.privacy import mask_personal
from airflow_provider_kapture.rendering import render_fields
from airflow_provider_kapture.task_errors import task_error

_MAPPINGS = ("filters", "extra_body")


class TemplatedArguments(RenderedFields):
    """Mixin for operators that keeps the templates, to distinguish an omitted argument from one without a value."""

    template_fields: Sequence[str]
    _templates: Mapping[str, Any] | None = None

    def render_all(
        self, render_one: Callable[[str], None], template_fields: Iterable[str], context: MutableMapping[str, Any]
    ) -> None:
        """Render the fields, and mask the values of filters that may identify a customer."""
        self._templates = {name: getattr(self, name) for name in self.template_fields}
        try:
            render_fields(self, render_one, template_fields, context)
        except KaptureSettingsError as error:
            task: Any = self
            raise task_error(error, task.kapture_conn_id, task.log) from None
        mask_personal(getattr(self, "filters", None))

    def _check_rendered(self, expansion: Expansion | None) -> None:
        """Check that each templated argument that was given has a value.

        :param expansion: the arguments that the task is mapped over; None for a task that is not mapped
        :raises KaptureSettingsError: an argument rendered to nothing, or the connection id is not text
        """
        mapped = set() if expansion is None else set(expansion.own)
        for name in self.template_fields:
            value = getattr(self, name)
            template = value if self._templates is None else self._templates[name]
            is_given = template is not None or name in mapped or name == "kapture_conn_id"
            for path, empty in _empty_parts(name, template, value) if is_given else ():
                raise KaptureSettingsError(_message(path, name, empty))
        conn_id = getattr(self, "kapture_conn_id", "")
        if not isinstance(conn_id, str):
            raise KaptureSettingsError(
                f"`kapture_conn_id` is {conn_id!r}, a {type(conn_id).__name__}: it must be text. With "
                "`render_template_as_native_obj=True` a template may render to a number"
            )


def _empty_parts(path: str, template: Any, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the path and the value of each part of an argument that rendered to nothing."""
    if _is_empty(value):
        yield path, value
    elif isinstance(value, Mapping) and isinstance(template, Mapping):
        for key in template.keys() & value.keys():
            yield from _empty_parts_inside(f"{path}[{key!r}]", template[key], value[key])
    elif isinstance(value, list | tuple) and isinstance(template, list | tuple) and len(value) == len(template):
        for at, pair in enumerate(zip(template, value, strict=True)):
            yield from _empty_parts_inside(f"{path}[{at}]", *pair)


def _empty_parts_inside(path: str, template: Any, value: Any) -> Iterator[tuple[str, Any]]:
    # An empty string or None that the DAG's author wrote is intended: Kapture's own request bodies contain them.
    # Native rendering turns an empty string into None.
    if not (_is_empty(value) and (template is None or (isinstance(template, str) and not template.strip()))):
        yield from _empty_parts(path, template, value)


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value.strip() in {"", "None"})


def _message(path: str, name: str, value: Any) -> str:
    remedy = "return `{}` to omit it" if name in _MAPPINGS else "correct the template, or omit the argument"
    return f"`{path}` rendered to {value!r}: the template or upstream task has no value in this run; {remedy}"
