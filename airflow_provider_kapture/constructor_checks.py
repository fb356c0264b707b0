"""Checks in the constructors of the operators and the sensor, so that a typo is an error of the DAG file.

Values that contain a template or come from another task are checked once they are rendered, and so is what depends on
the machine, such as installed packages: DAG processors lack what workers have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from os import PathLike
from typing import Any, get_args

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_kapture import argument_types
from airflow_provider_kapture.client.api.request import build_query
from airflow_provider_kapture.client.config.checks import did_you_mean
from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.storage.destinations.urls import check_url
from airflow_provider_kapture.storage.encoders.formats import choose_format
from airflow_provider_kapture.windows import check_edges, window_width

_CHOICES = {
    "on_empty": get_args(argument_types.OnEmpty),
    "on_misfit": get_args(argument_types.OnMisfit),
    "on_overlap": get_args(argument_types.OnOverlap),
    "on_findings": get_args(argument_types.OnFindings),
    "file_format": (None, *get_args(argument_types.FileFormat)),
}
_TEMPLATE_MARKS = ("{{", "{%")
# Takes the place of a value that is not known yet: every filter accepts it.
_ANY_VALUE = "1"


class KaptureArgumentError(KaptureSettingsError, AirflowFailException):
    """An argument is wrong. Airflow does not retry a mapped task, whose constructor runs on the worker."""


def check_constructor(task: Any, *checks: Callable[[Any], None]) -> None:
    """Check the arguments of an operator or sensor that are known before a run.

    :param task: the operator or sensor, with its arguments as attributes
    :param checks: further checks of that kind of task
    :raises KaptureArgumentError: an argument is wrong
    """
    run_checks(task, check_choices, _check_templated, _check_window, _check_query, *checks)


def run_checks(task: Any, *checks: Callable[[Any], None]) -> None:
    """Run checks of a task's arguments in its constructor.

    :raises KaptureArgumentError: an argument is wrong
    """
    try:
        for check in checks:
            check(task)
    except KaptureSettingsError as error:
        raise KaptureArgumentError(f"Task {task.task_id!r}: {error}") from None


def is_known(value: Any) -> bool:
    """Return whether an argument has no template in it and no output of another task."""
    if isinstance(value, str):
        return not any(mark in value for mark in _TEMPLATE_MARKS)
    if isinstance(value, Mapping):
        return all(map(is_known, value.values()))
    if isinstance(value, list | tuple | set | frozenset):
        return all(map(is_known, value))
    # Airflow resolves objects with this method when it renders the fields; a path's method does something else.
    return not hasattr(value, "resolve") or isinstance(value, PathLike)


def check_choices(task: Any) -> None:
    """Check the arguments that are one of a few words.

    :raises KaptureSettingsError: one of them is another word
    """
    for name, choices in _CHOICES.items():
        if hasattr(task, name) and getattr(task, name) not in choices:
            known = [each for each in choices if each is not None]
            value = getattr(task, name)
            raise KaptureSettingsError(
                f"`{name}` is {value!r}: it must be one of {', '.join(known)}{did_you_mean(str(value), known)}"
            )


def _check_templated(task: Any) -> None:
    for name in task.template_fields:
        value = getattr(task, name)
        if isinstance(value, str) and value.strip() in {"", "None"}:
            raise KaptureSettingsError(f"`{name}` is {value!r}: give it a value, or omit the argument")
    if is_known(task.kapture_conn_id) and not isinstance(task.kapture_conn_id, str):
        raise KaptureSettingsError(f"`kapture_conn_id` is {task.kapture_conn_id!r}: it must be text")


def _check_window(task: Any) -> None:
    if task.window is not None and is_known(task.window):
        window_width(task.window)
    edges = (task.window_start, task.window_end)
    if edges != (None, None) and all(map(is_known, edges)):
        check_edges(*edges)


def _check_query(task: Any) -> None:
    given = {name: getattr(task, name, None) for name in ("filters", "extra_body")}
    build_query(task.date_field, **{name: _known_parts(value) for name, value in given.items()})


def _known_parts(value: Any) -> Any:
    """Return a mapping with a valid value for each that is not known yet; None for a mapping that is not known."""
    if isinstance(value, Mapping):
        return {name: each if is_known(each) else _ANY_VALUE for name, each in value.items()}
    return value if is_known(value) else None


def check_pull(task: Any) -> None:
    """Check the arguments that only the operator has.

    :raises KaptureSettingsError: one of them is wrong
    """
    if type(task.max_xcom_bytes) is not int or task.max_xcom_bytes < 2:
        raise KaptureSettingsError(
            f"`max_xcom_bytes` is {task.max_xcom_bytes!r}: it must be a whole number of bytes, 2 or more"
        )
    if type(task.lookback) is not int or task.lookback < 0:
        raise KaptureSettingsError(f"`lookback` is {task.lookback!r}: it must be a whole number of days, 0 or more")
    if type(task.partition_events) is not bool:
        raise KaptureSettingsError(f"`partition_events` is {task.partition_events!r}: it must be True or False")
    if isinstance(task.destination, str) and is_known(task.destination):
        check_url(task.destination)
        choose_format(task.destination, task.file_format)
    elif task.destination is not None:
        return
    check_needs_destination(task, task.destination, task.changes if is_known(task.changes) else None)


def check_needs_destination(task: Any, destination: str | None, changes: str | None) -> None:
    """Check that there is a destination for the arguments that need one.

    :param task: the operator
    :param destination: its destination, as it is known
    :param changes: its folder of changes, if it is known
    :raises KaptureSettingsError: there is none, or one of another kind
    """
    if changes is not None and not changes.endswith("/"):
        raise KaptureSettingsError(f"`changes` is {changes!r}: it must be a folder of its own, which ends in '/'")
    if changes is not None and (task.date_field != "create" or not (destination or "").endswith("/")):
        raise KaptureSettingsError(
            "`changes` needs `date_field` 'create' and a `destination` that ends in '/', but they are "
            f"{task.date_field!r} and {destination!r}"
        )
    if task.upload_options and destination is None:
        raise KaptureSettingsError("`upload_options` needs a `destination` in an object store")
    if task.lookback and not (destination or "").endswith("/"):
        raise KaptureSettingsError(
            f"`lookback` needs one object per day, but `destination` is {destination!r}; end it in '/'"
        )
