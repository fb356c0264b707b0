"""One retry policy for both transports: what is asked for again, after which wait, and for how long."""

from __future__ import annotations

import logging
from typing import Any

import tenacity

from airflow_provider_kapture.client.account import Account
from airflow_provider_kapture.client.errors import (
    KaptureAnswerError,
    KaptureBusyError,
    KaptureError,
    KaptureRefusedError,
    KaptureShapeError,
)
from airflow_provider_kapture.client.flow import BUSY

log = logging.getLogger(__name__)

_jitter = tenacity.wait_random(0, 0.5)
# Tries of a question that Kapture need not take, and does not.
_MOST_OPTIONAL = 3
_backoff = tenacity.wait_exponential(multiplier=0.5, max=60)


def policy(account: Account, *, is_optional: bool = False) -> tenacity.Retrying:
    """Try a page until it comes, fails for good, or ``retry_budget`` seconds have gone into trying it again.

    :param is_optional: that Kapture need not take this question; where :func:`is_not_taken`, a few tries will do
    """
    return tenacity.Retrying(**_arguments(account, is_optional=is_optional))


def async_policy(account: Account, *, is_optional: bool = False) -> tenacity.AsyncRetrying:
    """The same as :func:`policy`, on an event loop."""
    return tenacity.AsyncRetrying(**_arguments(account, is_optional=is_optional))


def is_not_taken(error: BaseException | None) -> bool:
    """Whether it may be the question that Kapture does not take: it is there, not busy, and knows the credentials."""
    kinds = (KaptureRefusedError, KaptureBusyError, KaptureShapeError)
    return isinstance(error, kinds) and error.status not in BUSY


def _arguments(account: Account, *, is_optional: bool) -> dict[str, Any]:
    patience = _Patience(account.dialect.retry_budget, _MOST_OPTIONAL if is_optional else None)
    return {
        "retry": tenacity.retry_if_exception(_is_transient),
        "wait": patience.wait,
        "stop": patience.is_spent,
        "reraise": True,
        "before_sleep": _tell,
    }


class _Patience:
    """How long one page is tried again: from its first failure on, however long it waited for its turn before that."""

    def __init__(self, budget: float, most: int | None) -> None:
        self._budget = budget
        self._most = most
        self._began: float | None = None

    def wait(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        seconds = float(_backoff(state))
        if isinstance(error, KaptureBusyError) and error.retry_after is not None:
            # Never at once, again and again. A server that asks for longer than the budget gets what is left of it,
            # and one last request.
            seconds = max(error.retry_after, min(seconds, 1.0))
        return min(seconds + float(_jitter(state)), self._left(state))

    def is_spent(self, state: tenacity.RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        is_in_vain = self._most is not None and state.attempt_number >= self._most and is_not_taken(error)
        return is_in_vain or self._left(state) <= 0

    def _left(self, state: tenacity.RetryCallState) -> float:
        now = state.outcome_timestamp or 0.0
        if self._began is None:
            self._began = now
        return max(self._budget - (now - self._began), 0.0)


def _is_transient(error: BaseException) -> bool:
    return isinstance(error, KaptureError) and error.transient


def _tell(state: tenacity.RetryCallState) -> None:
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
