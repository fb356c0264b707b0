"""Rendering of template fields, with errors that name the argument and the remedy.

Whether a rendered argument has a value is checked in ``arguments``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jinja2 import UndefinedError
from jinja2.runtime import Undefined

from airflow_provider_kapture.client.errors import KaptureSettingsError

# The context of a run without a logical date has none of these in Airflow 3.
_LOGICAL_DATE_VARIABLES = frozenset(
    (
        "logical_date",
        "ds",
        "ds_nodash",
        "ts",
        "ts_nodash",
        "ts_nodash_with_tz",
        "data_interval_start",
        "data_interval_end",
    )
)


def render_fields(
    operator: Any, render_one: Callable[[str], None], template_fields: Iterable[str], context: Mapping[str, Any]
) -> None:
    """Render the fields one by one, and set each undefined variable in them to None.

    Native rendering leaves an undefined variable as an object that raises wherever it is used.

    :param operator: its fields are replaced
    :param render_one: renders a field by its name
    :raises KaptureSettingsError: a template needs a logical date, and the run has none
    """
    for name in template_fields:
        undefined: list[str] = []
        try:
            render_one(name)
            value = _without_undefined(getattr(operator, name, None), undefined)
        except UndefinedError as error:
            variable = _variable(error)
            if not _lacks_logical_date(variable, context):
                raise
            raise KaptureSettingsError(_message(name, variable)) from error
        if undefined:
            if _lacks_logical_date(undefined[0], context):
                raise KaptureSettingsError(_message(name, undefined[0]))
            setattr(operator, name, value)


def _lacks_logical_date(variable: str, context: Mapping[str, Any]) -> bool:
    return variable in _LOGICAL_DATE_VARIABLES and context.get("logical_date") is None


def _message(name: str, variable: str) -> str:
    return (
        f"`{name}` cannot be rendered: this run has no logical date, so {variable!r} is undefined. "
        f"Trigger it with a logical date, or use `dag_run.run_after` or `triggering_asset_events` in the template"
        + ("; or omit `window_start` and `window_end` and set `window`" if name.startswith("window") else "")
    )


def _variable(error: UndefinedError) -> str:
    """Return the variable's name, which Jinja's message contains in quotation marks."""
    parts = str(error).split("'")
    return parts[1] if len(parts) > 2 else str(error)


def _without_undefined(value: Any, names: list[str]) -> Any:
    """Return a rendered value with None for each undefined variable, and add the variables' names to ``names``."""
    if isinstance(value, Undefined):
        names.append(str(value._undefined_name))  # noqa: SLF001 - Jinja has no public name for it
        return None
    if isinstance(value, dict):
        mapping = {key: _without_undefined(each, names) for key, each in value.items()}
        return mapping if type(value) is dict else value
    if isinstance(value, list | tuple | set):
        parts = [_without_undefined(each, names) for each in value]
        return type(value)(parts) if type(value) in {list, tuple, set} else value
    return value
