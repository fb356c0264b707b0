"""Templated arguments of the operator and the sensor: what was given must have a value once it is rendered.

What a value means is not checked here: windows in ``windows``, filters in ``client.filters``, destinations in
``storage.publish``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from jinja2 import Undefined

from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.operators.mapped_destination import Expansion
from airflow_provider_kapture.privacy import mask_personal
from airflow_provider_kapture.rendering import render_fields

_MAPPINGS = ("filters", "extra_body")


class TemplatedArguments:
    """Mixin for operators: keeps the templates, to tell an argument that was left out from one that lost its value."""

    template_fields: Sequence[str]
    _templates: Mapping[str, Any] | None = None

    def _do_render_template_fields(
        self, parent: Any, template_fields: Iterable[str], context: Mapping[str, Any], jinja_env: Any, seen_oids: Any
    ) -> None:
        # Plain and mapped tasks both go through this method, before Airflow stores what was rendered.
        self._templates = {name: getattr(self, name) for name in self.template_fields}
        render = cast("Any", super())._do_render_template_fields  # noqa: SLF001 - the hook that both share
        render_fields(render, parent, template_fields, context, jinja_env, seen_oids)
        for name in self.template_fields:
            setattr(self, name, _defined(getattr(self, name)))
        mask_personal(getattr(self, "filters", None))

    def _check_rendered(self, expansion: Expansion | None) -> None:
        """Check each templated argument that was given.

        :param expansion: the arguments that the task is mapped over; None where there are none
        :raises KaptureSettingsError: one rendered to nothing, or the connection id to something else than text
        """
        mapped = set() if expansion is None else set(expansion.own)
        for name in self.template_fields:
            value = getattr(self, name)
            template = value if self._templates is None else self._templates[name]
            is_given = template is not None or name in mapped or name == "kapture_conn_id"
            for path, seen in _without_value(name, template, value) if is_given else ():
                raise KaptureSettingsError(_message(path, name, seen))
        conn_id = getattr(self, "kapture_conn_id", "")
        if not isinstance(conn_id, str):
            raise KaptureSettingsError(
                f"`kapture_conn_id` is {conn_id!r}, a {type(conn_id).__name__}: it must be text. With "
                "`render_template_as_native_obj=True` a template may render to a number"
            )


def _without_value(path: str, template: Any, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the parts of an argument that have no value, each with where it is."""
    if _is_nothing(value):
        yield path, value
    elif isinstance(value, Mapping) and isinstance(template, Mapping):
        for key in template.keys() & value.keys():
            yield from _without_value_inside(f"{path}[{key!r}]", template[key], value[key])
    elif isinstance(value, list | tuple) and isinstance(template, list | tuple) and len(value) == len(template):
        for at, pair in enumerate(zip(template, value, strict=True)):
            yield from _without_value_inside(f"{path}[{at}]", *pair)


def _without_value_inside(path: str, template: Any, value: Any) -> Iterator[tuple[str, Any]]:
    # An empty text or a null that the DAG's author wrote is meant: Kapture's own bodies have them. Native rendering
    # makes None of an empty text.
    if not (_is_nothing(value) and (template is None or (isinstance(template, str) and not template.strip()))):
        yield from _without_value(path, template, value)


def _is_nothing(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value.strip() in {"", "None"})


def _defined(value: Any) -> Any:
    """Return the value with None for what native rendering leaves undefined, which raises wherever it is looked at."""
    if isinstance(value, Undefined):
        return None
    if type(value) is dict:
        return {key: _defined(each) for key, each in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(_defined, value))
    return value


def _message(path: str, name: str, value: Any) -> str:
    remedy = "return `{}` to leave it out" if name in _MAPPINGS else "correct the template, or leave the argument out"
    return f"`{path}` rendered to {value!r}: the template or upstream task has no value in this run; {remedy}"
