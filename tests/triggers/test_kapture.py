import asyncio
import json
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_kapture.client.aio import AsyncKaptureClient
from airflow_provider_kapture.emulator import Book, Emulator
from airflow_provider_kapture.sensors.kapture import KaptureOrdersSensor
from airflow_provider_kapture.triggers.kapture import KaptureOrdersTrigger, pause

WINDOW = {"window_start": "2024-05-08T00:00:00+05:30", "window_end": "2024-05-11T00:00:00+05:30"}
ONE_DAY = {"window_start": "2024-05-08T00:00:00+05:30", "window_end": "2024-05-09T00:00:00+05:30"}


@pytest.fixture
def kapture(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    with Emulator(Book(orders=300, days=3)) as running:
        connect(monkeypatch, running, retry_budget=1)
        yield running


def connect(monkeypatch: pytest.MonkeyPatch, kapture: Emulator, **extra: Any) -> None:
    for name, value in kapture.connection_uri_env(**extra).items():
        monkeypatch.setenv(name, value)


def trigger(**arguments: Any) -> KaptureOrdersTrigger:
    return KaptureOrdersTrigger(kapture_conn_id="kapture_default", **{**WINDOW, **arguments})


def again(made: Any) -> Any:
    """What another triggerer makes of a trigger."""
    _, arguments = made.serialize()
    return type(made)(**json.loads(json.dumps(arguments)))


def shortest_pause(instants: list[float]) -> float:
    return min(round(later - sooner, 3) for sooner, later in pairwise(instants))


async def outcome(waiting: KaptureOrdersTrigger) -> Any:
    return [event.payload async for event in waiting.run()]


class Clock:
    """What this thread takes for the time: only its own sleeping moves it on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._thread = threading.get_ident()
        self._real = (asyncio.sleep, time.monotonic)
        self.began = self.now = time.monotonic()
        monkeypatch.setattr(asyncio, "sleep", self._sleep)
        monkeypatch.setattr(time, "monotonic", self._monotonic)

    def _monotonic(self) -> float:
        return self.now if threading.get_ident() == self._thread else self._real[1]()

    async def _sleep(self, seconds: float, result: Any = None) -> Any:
        if threading.get_ident() != self._thread:
            return await self._real[0](seconds, result)
        self.now += max(seconds, 0)
        return await self._real[0](0, result)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, kapture: Emulator) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def asked_at(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> asyncio.Queue[float]:
    """When each request was sent, in seconds of the clock."""
    found: asyncio.Queue[float] = asyncio.Queue()
    send = AsyncKaptureClient._send

    async def noted(client: AsyncKaptureClient, body: bytes) -> Any:
        found.put_nowait(round(clock.now - clock.began, 3))
        return await send(client, body)

    monkeypatch.setattr(AsyncKaptureClient, "_send", noted)
    return found


async def test_a_401_after_deferral_takes_one_request(kapture: Emulator) -> None:
    with pytest.raises(TaskDeferred) as deferred:
        KaptureOrdersSensor(
            task_id="wait", window_start="2024-05-08", window_end="2024-05-11", min_orders=301, deferrable=True
        ).execute({})
    kapture.set(status_every=1, status=401)
    before = kapture.stats()["requests"]
    [payload] = await outcome(again(deferred.value.trigger))
    assert (payload["status"], payload["error"]) == ("failed", "KaptureAuthError")
    assert kapture.stats()["requests"] - before == 1


def test_a_trigger_is_plain_data_and_makes_itself_again() -> None:
    waiting = trigger(filters={"statusStr": "AP"}, min_orders=3, poll_interval=0)
    assert again(waiting).serialize() == waiting.serialize()
    assert waiting.serialize()[1]["poll_interval"] == 1


async def test_a_restarted_trigger_goes_on_with_the_same_window(
    kapture: Emulator, asked_at: asyncio.Queue[float]
) -> None:
    waiting = trigger(min_orders=301)
    running = asyncio.create_task(outcome(waiting))
    await asked_at.get()
    running.cancel()
    await asyncio.wait([running])
    kapture.add_orders(1, day="2024-05-09")
    assert await outcome(again(waiting)) == [{"status": "enough", "orders": 301, **WINDOW}]


@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 429, "retry_after": "0"}, {"status": 500}])
async def test_failures_are_never_asked_about_sooner_than_the_interval(
    kapture: Emulator,
    clock: Clock,
    asked_at: asyncio.Queue[float],
    monkeypatch: pytest.MonkeyPatch,
    fault: dict[str, Any],
) -> None:
    connect(monkeypatch, kapture, retry_budget=600)
    kapture.set(status_every=1, **fault)
    [payload] = await outcome(trigger(poll_interval=45))
    assert payload["error"] == "KaptureBusyError"
    instants = [asked_at.get_nowait() for _ in range(asked_at.qsize())]
    assert shortest_pause(instants) >= 45
    assert 600 <= instants[-1] <= 720


async def test_a_retry_after_beyond_the_interval_is_kept(
    kapture: Emulator, clock: Clock, asked_at: asyncio.Queue[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, kapture, retry_budget=600)
    kapture.set(status_every=1, status=429, retry_after="250")
    await outcome(trigger(poll_interval=30, **ONE_DAY))
    assert [round(asked_at.get_nowait()) for _ in range(3)] == [0, 250, 500]


async def test_polls_keep_to_the_interval(kapture: Emulator, clock: Clock, asked_at: asyncio.Queue[float]) -> None:
    day = trigger(poll_interval=60, min_orders=1000, **ONE_DAY)
    running = asyncio.create_task(outcome(day))
    polls = sorted({round(await asked_at.get()) for _ in range(10)})
    running.cancel()
    assert polls == [60 * number for number in range(len(polls))]


async def test_silent_fail_outlasts_the_budget(
    kapture: Emulator, clock: Clock, asked_at: asyncio.Queue[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, kapture, retry_budget=60)
    kapture.set(status_every=1, status=500)
    running = asyncio.create_task(outcome(trigger(poll_interval=30, silent_fail=True, **ONE_DAY)))
    instants = [await asked_at.get() for _ in range(20)]
    assert shortest_pause(instants) >= 30
    kapture.set(status_every=None)
    assert (await running)[0]["status"] == "enough"


@given(st.integers(0, 10_000))
def test_a_watcher_pauses_for_longer_as_failures_go_on(failures: int) -> None:
    assert 60 <= pause(60, failures) <= pause(60, failures + 1) <= 3600
    assert pause(7200, failures) == 7200
