"""Names that Airflow does not promise to keep. They are used here and nowhere else.

``tests/test_airflow_internals.py`` runs on each supported Airflow, and fails if one of them is renamed: without the
error, personal filter values would appear in the UI, or a sensor would poll more often than it may.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import Any, cast

# Airflow resumes a deferred task with this method if the trigger failed or its time is over.
_FAILED_DEFERRAL = "__fail__"
# The error that it passes then if the time is over: Airflow 3, and 2.
_DEFERRAL_TIMEOUTS = ("Trigger timeout", "Trigger/execution timeout")


class RenderedFields:
    """Mixin for operators that render their template fields in :meth:`render_all`, in plain and mapped tasks alike.

    Airflow calls the public ``render_template_fields`` for plain tasks only. Both ways end here, before Airflow stores
    the rendered fields.
    """

    def _do_render_template_fields(
        self, parent: Any, template_fields: Iterable[str], context: Mapping[str, Any], *more: Any, **options: Any
    ) -> None:
        render = super()._do_render_template_fields  # type: ignore[misc] # a method of Airflow's operators

        def render_one(name: str) -> None:
            render(parent, (name,), context, *more, **options)

        # Airflow passes the dict that it takes a mapped task's label from afterwards.
        self.render_all(render_one, template_fields, cast("MutableMapping[str, Any]", context))

    def render_all(
        self, render_one: Callable[[str], None], template_fields: Iterable[str], context: MutableMapping[str, Any]
    ) -> None:
        """Render the fields.

        :param render_one: renders a field by its name, and replaces it
        """
        raise NotImplementedError


class MinimumPokeInterval:
    """Mixin for sensors whose pauses are never shorter than ``poke_interval``.

    Airflow's exponential backoff starts with half the interval.
    """

    poke_interval: float

    def _get_next_poke_interval(self, *args: Any, **kwargs: Any) -> float:
        pause: float = super()._get_next_poke_interval(*args, **kwargs)  # type: ignore[misc] # a method of sensors
        return max(self.poke_interval, pause)


def is_deferral_timeout(next_method: str, next_kwargs: Mapping[str, Any] | None) -> bool:
    """Return whether Airflow resumes a deferred task because the time of its deferral is over."""
    return next_method == _FAILED_DEFERRAL and (next_kwargs or {}).get("error") in _DEFERRAL_TIMEOUTS


def timetable_field(timetable: Any, name: str) -> Any:
    """Return a setting of a timetable, which is public on the Task SDK's timetables and private on the scheduler's."""
    return getattr(timetable, name, None) or getattr(timetable, f"_{name}", None)
