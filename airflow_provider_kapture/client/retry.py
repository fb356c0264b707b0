"""One retry policy for both transports: what is asked for again, after which wait, and for how long."""

from __future__ import annotations

import logging
from typing import Any

import tenacity

from airflow_provider_kapture.client.account import Account
from airflow_provider_kapture.client.errors import KaptureBusyError, KaptureError

log = logging.getLogger(__name__)

_backoff = tenacity.wait_exponential(multiplier=0.5, max=60) + tenacity.wait_random(0, 0.5)


def policy(account: Account) -> tenacity.Retrying:
    """Try a page until it comes, fails for good, or ``retry_budget`` seconds have gone into it."""
    return tenacity.Retrying(**_arguments(account))


def async_policy(account: Account) -> tenacity.AsyncRetrying:
    """The same as :func:`policy`, on an event loop."""
    return tenacity.AsyncRetrying(**_arguments(account))


def _arguments(account: Account) -> dict[str, Any]:
    budget = account.dialect.retry_budget

    def left(state: tenacity.RetryCallState) -> float:
        return max(budget - (state.seconds_since_start or 0.0), 0.0)

    def wait(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        seconds = float(_backoff(state))
        if isinstance(error, KaptureBusyError) and error.retry_after is not None:
            # A server that asks for longer than the budget gets what is left of it, and one last request.
            seconds = max(error.retry_after, min(seconds, 1.0))
        return min(seconds, left(state))

    def spent(state: tenacity.RetryCallState) -> bool:
        return left(state) <= 0

    return {
        "retry": tenacity.retry_if_exception(_is_transient),
        "wait": wait,
        "stop": spent,
        "reraise": True,
        "before_sleep": _tell,
    }


def _is_transient(error: BaseException) -> bool:
    return isinstance(error, KaptureError) and error.transient


def _tell(state: tenacity.RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    log.warning("Try %d: %s. Asking again in %.1f s", state.attempt_number, error, state.upcoming_sleep)
