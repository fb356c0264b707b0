"""One retry policy for both transports: what is asked for again, after which wait, and for how long."""

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

log = logging.getLogger(__name__)

_jitter = tenacity.wait_random(0, 0.5)
# Malformed responses to one request: the same JSON twice is what the server has.
_MAX_MALFORMED = 2
# Tries of a question that Kapture need not take, and does not.
_MAX_OPTIONAL_ATTEMPTS = 3
_backoff = tenacity.wait_exponential(multiplier=0.5, max=60)


def retrying(account: Account, *, optional: bool = False, is_single: bool = False) -> tenacity.Retrying:
    """Return the policy that tries a page until it comes, fails for good, or ``retry_budget`` seconds are used up.

    :param optional: whether Kapture may not take the query; where :func:`is_unsupported_query`, a few tries will do
    :param is_single: whether to try once only
    """
    return tenacity.Retrying(**_arguments(account, optional=optional, is_single=is_single))


def async_retrying(account: Account, *, optional: bool = False, is_single: bool = False) -> tenacity.AsyncRetrying:
    """Return the same policy as :func:`retrying`, for an event loop."""
    return tenacity.AsyncRetrying(**_arguments(account, optional=optional, is_single=is_single))


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
    """How long one page is tried again: from its first failure on, however long it waited for its turn before that."""

    def __init__(self, budget: float, max_attempts: int | None) -> None:
        self._budget = budget
        self._max_attempts = max_attempts
        self._started: float | None = None
        self._malformed = 0

    def wait(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        seconds = float(_backoff(state))
        if isinstance(error, KaptureBusyError) and error.retry_after is not None:
            # Never at once, again and again. A server that asks for longer than the budget gets what is left of it,
            # and one last request.
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
    """Return why a page is requested again, without a word of the vendor's message."""
    if isinstance(error, KaptureBusyError):
        return f"HTTP {error.status}"
    if isinstance(error, KaptureAnswerError):
        return f"HTTP {error.status} with an unexpected body"
    return str(error)
