"""How an error ends a task: one line in its log, and an exception without the frames of other threads and retries.

The texts of errors are where they are found. Which errors a retry cannot resolve is in ``client.errors``.
"""

from __future__ import annotations

import os
from typing import Any

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowNotFoundException

from airflow_provider_kapture.client.errors import KaptureError
from airflow_provider_kapture.hooks.kapture import missing_connection


def task_error(
    error: KaptureError | AirflowNotFoundException | OSError, kapture_conn_id: str | None, log: Any
) -> AirflowFailException | KaptureError | OSError:
    """Log an error in one line, and return the exception that the task raises ``from None`` instead.

    :param kapture_conn_id: the task's connection, which the line and the exception's message name; None without one
    :param log: the task's logger, of any version of Airflow
    :return: AirflowFailException for an error that a retry cannot resolve; otherwise the error, without the frames in
        which it was raised
    """
    if isinstance(error, AirflowNotFoundException):
        return task_failure(missing_connection(str(kapture_conn_id)), kapture_conn_id, log)
    if isinstance(error, OSError):
        return _system_error(error, log_error(str(_with_remedy(error)), kapture_conn_id, log))
    if error.permanent:
        return task_failure(str(error), kapture_conn_id, log)
    error.args = (log_error(str(error), kapture_conn_id, log),)
    return error.with_traceback(None)


def _with_remedy(error: OSError) -> OSError:
    """Return an error, or one that adds what to do if its text is only the operating system's."""
    is_bare = error.errno is not None and error.strerror == os.strerror(error.errno)
    return OSError(f"{error}; check the disks and limits of the worker") if is_bare else error


def _system_error(error: OSError, message: str) -> OSError:
    """Return an error of Python's own class and the same errno, with another message.

    The text of the error itself cannot be set: it consists of other attributes than ``args``.
    """
    kind = next(each for each in type(error).__mro__ if each.__module__ == "builtins")
    other: OSError = kind(message)
    other.errno = error.errno
    return other


def task_failure(message: str, kapture_conn_id: str | None, log: Any) -> AirflowFailException:
    """Log a message in one line, and return the exception that fails the task without a retry."""
    return AirflowFailException(log_error(message, kapture_conn_id, log))


def log_error(message: str, kapture_conn_id: str | None, log: Any) -> str:
    """Log a message with the connection that the task uses, and return what was logged."""
    if kapture_conn_id is not None:
        if repr(kapture_conn_id) not in message:
            message = f"{message} (connection {kapture_conn_id!r})"
        message = message.replace("kapture doctor CONN_ID", f"kapture doctor {kapture_conn_id}")
    log.error("%s", message)
    return message
