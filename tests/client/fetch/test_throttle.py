"""How hard Kapture is asked: the flow alone, and what a server sees of it."""

from __future__ import annotations

import asyncio
import json
import math
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_kapture.client import Account, KaptureClient
from airflow_provider_kapture.client.async_client import AsyncKaptureClient
from airflow_provider_kapture.client.errors import KaptureBusyError, KaptureError, KaptureTransportError
from airflow_provider_kapture.client.fetch.throttle import ConcurrencyLimiter
from airflow_provider_kapture.emulator import Book, Emulator, Switches

outcomes = st.sampled_from(
    [
        None,
        None,
        KaptureBusyError("busy", status=429, retry_after=3.0, reduces_concurrency=True),
        KaptureBusyError("busy", status=503, reduces_concurrency=True),
        KaptureBusyError("busy", status=500, retry_after=3.0),
        KaptureTransportError("broken"),
    ]
)
steps = st.lists(st.tuples(st.floats(0, 2), st.booleans(), outcomes), max_size=60)


@given(st.integers(1, 32), st.none() | st.floats(0.5, 100), steps)
def test_a_flow_keeps_to_its_ceilings(most: int, per_second: float | None, events: list[tuple[float, bool, object]]):
    limiter, now, starts = ConcurrencyLimiter(most, per_second, max_pause=2.0), 0.0, []
    held_until, good = 0.0, 0
    for passed, is_start, error in events:
        now += passed
        delay = limiter.delay(now)
        if is_start:
            assert (delay == math.inf) == (limiter.in_flight >= limiter.limit)
            if delay == 0:
                assert now >= held_until
                limiter.acquire(now)
                starts.append(now)
        elif limiter.in_flight:
            before = limiter.limit
            limiter.release(now, error if isinstance(error, KaptureError) else None)
            if error is None:
                good += 1
                assert limiter.limit == (min(before + 1, most) if good >= before else before)
                good = 0 if good >= before else good
            elif isinstance(error, KaptureBusyError) and error.reduces_concurrency:
                assert limiter.limit == max(before // 2, 1)
                good = 0
                held_until = max(held_until, now + min(error.retry_after or 0.0, 2.0))
            else:
                assert limiter.limit == before
        assert 0 <= limiter.in_flight <= most
        assert 1 <= limiter.limit <= most
    if per_second is not None:
        assert all(later - earlier >= 1 / per_second for earlier, later in pairwise(starts))


def make_account(kapture: Emulator, **extra: object) -> Account:
    connection = json.loads(kapture.connection_json(page_size=20, **extra))
    return Account.from_connection(connection["host"], connection["login"], connection["password"], connection["extra"])


def count_sync(account: Account) -> int:
    with KaptureClient(account) as client:
        # Two pulls of one client, as an operator makes one for each day: they share its ceilings.
        return client.count_orders("2024-05-08", "2024-05-10") + client.count_orders("2024-05-10", "2024-05-11")


def count_async(account: Account) -> int:
    async def count() -> int:
        async with AsyncKaptureClient(account) as client:
            return sum(
                await asyncio.gather(
                    client.count_orders("2024-05-08", "2024-05-10"), client.count_orders("2024-05-10", "2024-05-11")
                )
            )

    return asyncio.run(count())


both = pytest.mark.parametrize("count", [count_sync, count_async])


@both
def test_a_server_never_sees_more_pages_at_once_than_allowed(count) -> None:
    with Emulator(Book(orders=600, days=3), Switches(latency=0.01)) as kapture:
        assert count(make_account(kapture, max_concurrency=3)) == 600
        assert 1 < kapture.stats()["max_in_flight"] <= 3


@both
@pytest.mark.slow
def test_a_server_that_takes_two_at_once_gets_fewer(count) -> None:
    with Emulator(Book(orders=600, days=3), Switches(latency=0.01, max_in_flight=2, retry_after="0")) as kapture:
        assert count(make_account(kapture, max_concurrency=8, retry_budget=30)) == 600
        assert kapture.stats()["statuses"].get("429", 0) < 24


@both
@pytest.mark.slow
def test_requests_keep_their_distance_over_threads_retries_and_pulls(count) -> None:
    with Emulator(Book(orders=300, days=3), Switches(max_per_second=30, html_every=9)) as kapture:
        began = time.monotonic()
        assert count(make_account(kapture, requests_per_second=20, max_concurrency=8)) == 300
        requests = kapture.stats()["requests"]
        assert "429" not in kapture.stats()["statuses"]
        assert time.monotonic() - began >= (requests - 1) / 20
