"""What is asked for again, after which wait, and for how long: against a clock that only the waits move."""

from __future__ import annotations

import logging

import pytest

from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.errors import (
    KaptureAuthError,
    KaptureBusyError,
    KaptureError,
    KaptureShapeError,
    KaptureTransportError,
)
from airflow_provider_kapture.client.fetch.retry import retrying


class RetriedPage:
    """A page that fails, and the waits between the tries."""

    def __init__(self, mocker, budget: float, duration: float = 0.0) -> None:
        self.now = 1000.0
        self.waits: list[float] = []
        self._duration = duration
        mocker.patch("time.monotonic", side_effect=lambda: self.now)
        self._policy = retrying(Account.from_connection("acme", "u", "hush-hush", {"cm_id": 1, "retry_budget": budget}))

    def __call__(self, *errors: KaptureError | None) -> None:
        """Ask until the errors are at their end; the last one lasts."""
        left = list(errors)

        def fetch() -> None:
            self.now += self._duration
            error = left.pop(0) if len(left) > 1 else left[0]
            if error is not None:
                raise error

        self._policy.copy(sleep=self._sleep)(fetch)

    def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


def busy(retry_after: float | None = None, status: int = 429) -> KaptureBusyError:
    return KaptureBusyError('Kapture answered 429: "what it said"', status=status, retry_after=retry_after)


def test_waits_grow_and_end_with_the_budget(mocker) -> None:
    page = RetriedPage(mocker, budget=600)
    with pytest.raises(KaptureTransportError):
        page(KaptureTransportError("broken"))
    assert sum(page.waits) == pytest.approx(600)
    assert page.waits[0] <= 1
    assert max(page.waits) <= 60.5
    assert all(later > earlier for earlier, later in zip(page.waits[:5], page.waits[1:6], strict=True))


@pytest.mark.parametrize(
    ("retry_after", "least", "most"), [(7, 7, 7.5), (0, 0.5, 1.5), (0.001, 0.5, 1.5), (90, 90, 90.5)]
)
def test_a_retry_after_is_kept_and_never_makes_a_loop_without_a_wait(mocker, retry_after, least, most) -> None:
    page = RetriedPage(mocker, budget=600)
    page(busy(retry_after), busy(retry_after), busy(retry_after), None)
    assert len(page.waits) == 3
    assert all(least <= each <= most for each in page.waits)


@pytest.mark.parametrize("absurd", [601, 1e9, 1e300])
def test_a_retry_after_beyond_the_budget_is_cut_to_it(mocker, absurd: float) -> None:
    page = RetriedPage(mocker, budget=600)
    with pytest.raises(KaptureBusyError):
        page(busy(absurd))
    assert page.waits == [600]


def test_the_budget_is_of_retrying_so_the_first_try_may_take_any_time(mocker) -> None:
    page = RetriedPage(mocker, budget=60, duration=50)
    page(KaptureTransportError("timeout"), None)
    assert len(page.waits) == 1


@pytest.mark.parametrize(
    ("reason", "is_retried"),
    [("name", True), ("tls", False), ("cancelled", False)]
    + [(reason, True) for reason in ("resolver", "refused", "proxy", "timeout", "broken")],
)
def test_what_may_mend_is_asked_again(mocker, reason: str, is_retried: bool) -> None:
    page = RetriedPage(mocker, budget=60)
    if is_retried:
        page(KaptureTransportError("what", reason=reason), None)
    else:
        with pytest.raises(KaptureTransportError):
            page(KaptureTransportError("what", reason=reason), None)
    assert len(page.waits) == is_retried


def test_credentials_that_are_refused_are_not_asked_again(mocker) -> None:
    page = RetriedPage(mocker, budget=60)
    with pytest.raises(KaptureAuthError):
        page(KaptureAuthError("no"))
    assert page.waits == []


def test_each_retry_is_told_once_and_nothing_of_the_answer(mocker, caplog: pytest.LogCaptureFixture) -> None:
    page = RetriedPage(mocker, budget=60)
    with caplog.at_level(logging.DEBUG):
        page(busy(), KaptureShapeError('says "what it said"'), KaptureTransportError("acme did not answer"), None)
    assert len(caplog.records) == 3
    assert "what it said" not in caplog.text
