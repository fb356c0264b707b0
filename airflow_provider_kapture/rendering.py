"""Errors of templates that a run has no value for; Airflow's own name the variable, and not what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from airflow.providers.common.compat.sdk import AirflowFailException
from jinja2 import UndefinedError
from jinja2.runtime import Undefined

# What Airflow 3 leaves out of the context of a run without a logical date.
_OF_LOGICAL_DATE = frozenset(
    ("logical_date", "ds", "ds_nodash", "ts", "ts_nodash", "ts_nodash_with_tz", "data_interval_start")
) | {"data_interval_end"}


def render_fields(
    render: Callable[..., None],
    parent: Any,
    template_fields: Iterable[str],
    context: Mapping[str, Any],
    *more: Any,
) -> None:
    """Render one field after the other with Airflow's own method, so that an error can name the argument.

    :param render: Airflow's ``_do_render_template_fields``
    :raises AirflowFailException: a template needs a logical date, and the run has none
    """
    for name in template_fields:
        try:
            render(parent, (name,), context, *more)
            # Native rendering leaves an undefined variable as an object; `arguments` refuses the other ones.
            missing = _undefined(getattr(parent, name, None))
        except UndefinedError as error:
            missing = _named(error)
            if not _lacks_logical_date(missing, context):
                raise
        if missing is not None and _lacks_logical_date(missing, context):
            raise AirflowFailException(_message(name, missing))


def _lacks_logical_date(missing: str, context: Mapping[str, Any]) -> bool:
    return missing in _OF_LOGICAL_DATE and context.get("logical_date") is None


def _message(name: str, missing: str) -> str:
    return (
        f"{name} cannot be rendered: this run has no logical date, so {missing!r} is not defined in it. "
        f"Trigger it with a logical date, or use `dag_run.run_after` or `triggering_asset_events` in the template"
        + ("; or leave window_start and window_end out and set window" if name.startswith("window") else "")
    )


def _named(error: UndefinedError) -> str:
    """The variable that Jinja's message begins with, in quotation marks."""
    parts = str(error).split("'")
    return parts[1] if len(parts) > 2 else str(error)


def _undefined(value: Any) -> str | None:
    """The name of the first variable in a rendered value that is not defined."""
    if isinstance(value, Undefined):
        return str(value._undefined_name)  # noqa: SLF001 - Jinja has no public name for it
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple, set)) else ()
    return next((found for part in parts if (found := _undefined(part)) is not None), None)
