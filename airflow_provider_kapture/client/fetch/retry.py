"""The retry policy of both worker pools: which errors are retried, after which wait, and for how long.

Which errors are transient is decided where they are made, in :mod:`~airflow_provider_kapture.client.api.failures`; how
many requests may be in flight, in :mod:`~airflow_provider_kapture.client.fetch.throttle`.
"""

from __future__ import annotations

import logging
from typing import Any

import tenacity

from airflow_provider_kapture.client.api.failures import is_unsupported_query
from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.errors import (
    KaptureAnswerError,
    KaptureBusyError,
    KaptureError,
    KaptureMalformedError,
)
from airflow_provider_kapture.client.pull.steps import CheckPage

log = logging.getLogger(__name__)

_jitter = tenacity.wait_random(0, 0.5)
# Malformed responses to one request: malformed twice, it is not a transient fault.
_MAX_MALFORMED = 2
# Attempts at a query that Kapture may not support.
_MAX_OPTIONAL_ATTEMPTS = 3
_backoff = tenacity.wait_exponential(multiplier=0.5, max=60)


def retrying(account: Account, *, optional: bool = False, is_single: bool = False) -> tenacity.Retrying:
    """Return the policy that retries a page until it arrives, fails for good, or ``retry_budget`` is used up.

    :param optional: whether Kapture may not support the query: then a few attempts will do
    :param is_single: whether to make one attempt only
    """
    return tenacity.Retrying(**_arguments(account, optional=optional, is_single=is_single))


def async_retrying(account: Account, *, optional: bool = False, is_single: bool = False) -> tenacity.AsyncRetrying:
    """Return the same policy as :func:`retrying`, for an event loop."""
    return tenacity.AsyncRetrying(**_arguments(account, optional=optional, is_single=is_single))


def check_options(step: CheckPage) -> dict[str, bool]:
    """Return the arguments of the policy for the page of a check."""
    return {"optional": step.optional, "is_single": step.days is None}


def _arguments(account: Account, *, optional: bool, is_single: bool) -> dict[str, Any]:
    budget = _RetryBudget(account.dialect.retry_budget, _MAX_OPTIONAL_ATTEMPTS if optional else None)
    return {
        "retry": tenacity.retry_if_exception(_is_transient),
        "wait": budget.wait,
        "stop": tenacity.stop_after_attempt(1) if is_single else budget.is_exhausted,
        "reraise": True,
        "before_sleep": _log_retry,
    }


class _RetryBudget:
    """The time that one page may be retried: from its first failure on, without the wait for its turn."""

    def __init__(self, budget: float, max_attempts: int | None) -> None:
        self._budget = budget
        self._max_attempts = max_attempts
        self._started: float | None = None
        self._malformed = 0

    def wait(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        seconds = float(_backoff(state))
        if isinstance(error, KaptureBusyError) and error.retry_after is not None:
            # A Retry-After of 0 must not lead to a busy loop. One beyond the budget is cut to what is left of it, for
            # a last attempt.
            seconds = max(error.retry_after, min(seconds, 1.0))
        return min(seconds + float(_jitter(state)), self._left(state))

    def is_exhausted(self, state: tenacity.RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        self._malformed += isinstance(error, KaptureMalformedError)
        is_used_up = self._malformed >= _MAX_MALFORMED or (
            self._max_attempts is not None
            and state.attempt_number >= self._max_attempts
            and is_unsupported_query(error)
        )
        return is_used_up or self._left(state) <= 0

    def _left(self, state: tenacity.RetryCallState) -> float:
        now = state.outcome_timestamp or 0.0
        if self._started is None:
            self._started = now
        return max(self._budget - (now - self._started), 0.0)


def _is_transient(error: BaseException) -> bool:
    return isinstance(error, KaptureError) and error.transient


def _log_retry(state: tenacity.RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    log.warning(
        "Attempt %d failed (%s); retrying in %.1f s", state.attempt_number, _reason(error), state.upcoming_sleep
    )


def _reason(error: BaseException | None) -> str:
    """Return why a page is retried, without the text of the response, which may hold customer data."""
    if isinstance(error, KaptureBusyError):
        return f"HTTP {error.status}"
    if isinstance(error, KaptureAnswerError):
        return f"HTTP {error.status} with an unexpected body"
    return str(error)
