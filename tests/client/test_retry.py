"""What is asked for again, after which wait, and for how long: against a clock that only the waits move."""

from __future__ import annotations

import logging

import pytest

from airflow_provider_kapture.client.account import Account
from airflow_provider_kapture.client.errors import (
    KaptureAuthError,
    KaptureBusyError,
    KaptureError,
    KaptureShapeError,
    KaptureTransportError,
)
from airflow_provider_kapture.client.retry import policy


class Asking:
    """A page that fails, and the waits between the tries."""

    def __init__(self, mocker, budget: float, takes: float = 0.0) -> None:
        self.now = 1000.0
        self.waits: list[float] = []
        self._takes = takes
        mocker.patch("time.monotonic", side_effect=lambda: self.now)
        self._policy = policy(Account.of("acme", "u", "hush-hush", {"cm_id": 1, "retry_budget": budget}))

    def __call__(self, *errors: KaptureError | None) -> None:
        """Ask until the errors are at their end; the last one lasts."""
        left = list(errors)

        def ask() -> None:
            self.now += self._takes
            error = left.pop(0) if len(left) > 1 else left[0]
            if error is not None:
                raise error

        self._policy.copy(sleep=self._sleep)(ask)

    def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


def busy(retry_after: float | None = None, status: int = 429) -> KaptureBusyError:
    return KaptureBusyError('Kapture answered 429: "what it said"', status=status, retry_after=retry_after)


def test_waits_grow_and_end_with_the_budget(mocker) -> None:
    asking = Asking(mocker, budget=600)
    with pytest.raises(KaptureTransportError):
        asking(KaptureTransportError("broken"))
    assert sum(asking.waits) == pytest.approx(600)
    assert asking.waits[0] <= 1
    assert max(asking.waits) <= 60.5
    assert all(later > earlier for earlier, later in zip(asking.waits[:5], asking.waits[1:6], strict=True))


@pytest.mark.parametrize(
    ("retry_after", "least", "most"), [(7, 7, 7.5), (0, 0.5, 1.5), (0.001, 0.5, 1.5), (90, 90, 90.5)]
)
def test_a_retry_after_is_kept_and_never_makes_a_loop_without_a_wait(mocker, retry_after, least, most) -> None:
    asking = Asking(mocker, budget=600)
    asking(busy(retry_after), busy(retry_after), busy(retry_after), None)
    assert len(asking.waits) == 3
    assert all(least <= each <= most for each in asking.waits)


@pytest.mark.parametrize("absurd", [601, 1e9, 1e300])
def test_a_retry_after_beyond_the_budget_is_cut_to_it(mocker, absurd: float) -> None:
    asking = Asking(mocker, budget=600)
    with pytest.raises(KaptureBusyError):
        asking(busy(absurd))
    assert asking.waits == [600]


def test_the_budget_is_of_retrying_so_the_first_try_may_take_any_time(mocker) -> None:
    asking = Asking(mocker, budget=60, takes=50)
    asking(KaptureTransportError("timeout"), None)
    assert len(asking.waits) == 1


@pytest.mark.parametrize(
    ("reason", "is_retried"),
    [("name", True), ("tls", False), ("stopped", False)]
    + [(reason, True) for reason in ("resolver", "refused", "proxy", "timeout", "broken")],
)
def test_what_may_mend_is_asked_again(mocker, reason: str, is_retried: bool) -> None:
    asking = Asking(mocker, budget=60)
    if is_retried:
        asking(KaptureTransportError("what", reason=reason), None)
    else:
        with pytest.raises(KaptureTransportError):
            asking(KaptureTransportError("what", reason=reason), None)
    assert len(asking.waits) == is_retried


def test_credentials_that_are_refused_are_not_asked_again(mocker) -> None:
    asking = Asking(mocker, budget=60)
    with pytest.raises(KaptureAuthError):
        asking(KaptureAuthError("no"))
    assert asking.waits == []


def test_each_retry_is_told_once_and_nothing_of_the_answer(mocker, caplog: pytest.LogCaptureFixture) -> None:
    asking = Asking(mocker, budget=60)
    with caplog.at_level(logging.DEBUG):
        asking(busy(), KaptureShapeError('says "what it said"'), KaptureTransportError("acme did not answer"), None)
    assert len(caplog.records) == 3
    assert "what it said" not in caplog.text
