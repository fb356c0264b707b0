"""Every switch of the emulator, alone and in pairs: every order, or an error that names what is wrong."""

from __future__ import annotations

from itertools import combinations

import pytest
import tenacity
from scenarios import DAYS, SINGLES, Scenario, run

from airflow_provider_kapture.client.fetch import retry

ORDERS = 2_500
CONCURRENCY = 4
PAIRS = [each & other for each, other in combinations(SINGLES[1:], 2) if each.is_compatible_with(other)]


@pytest.fixture(autouse=True)
def fast_retries(mocker) -> None:
    """Ask again soon: how long the waits are is another test's matter."""
    mocker.patch.object(retry, "_backoff", tenacity.wait_fixed(0.01))
    mocker.patch.object(retry, "_jitter", tenacity.wait_none())


def check(scenario: Scenario) -> None:
    got = run(scenario, ORDERS, retry_budget=1, max_concurrency=CONCURRENCY)
    assert got.is_complete or type(got.error).__name__ in scenario.fails, got.describe
    if got.error is not None:
        return
    if not scenario.is_still:
        assert got.requests <= 2_000
    else:
        # Of many small pages, the end is looked for once.
        looks = 16 if scenario.switches.get("page_cap", 250) <= 16 else 0
        # Of listings of unlike length, how far the second may be read ahead is a guess by the first.
        ahead = 2 if "max_days_per_request" in scenario.extra else 1
        # For each day its end, and one look at its top.
        assert got.requests <= got.pages + ahead * CONCURRENCY + (2 + looks) * DAYS


@pytest.mark.parametrize("scenario", SINGLES, ids=lambda each: each.name)
def test_a_switch(scenario: Scenario) -> None:
    check(scenario)


@pytest.mark.slow
@pytest.mark.parametrize("scenario", PAIRS, ids=lambda each: each.name)
def test_two_switches(scenario: Scenario) -> None:
    check(scenario)
