import asyncio
import datetime as dt
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_provider_kapture.client.async_client import AsyncKaptureClient
from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.client.orders import PERSONAL_FILTERS
from airflow_provider_kapture.emulator import Book, Emulator
from airflow_provider_kapture.hooks.kapture import KaptureHook
from airflow_provider_kapture.sensors.kapture import KaptureOrdersSensor
from airflow_provider_kapture.triggers.events import from_payload
from airflow_provider_kapture.triggers.kapture import KaptureOrdersEventTrigger, KaptureOrdersTrigger

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
def request_times(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> asyncio.Queue[float]:
    """When each request was sent, in seconds of the clock."""
    found: asyncio.Queue[float] = asyncio.Queue()
    send = AsyncKaptureClient.send

    async def noted(client: AsyncKaptureClient, body: bytes, *options: Any) -> Any:
        found.put_nowait(round(clock.now - clock.began, 3))
        return await send(client, body, *options)

    monkeypatch.setattr(AsyncKaptureClient, "send", noted)
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
    kapture: Emulator, request_times: asyncio.Queue[float]
) -> None:
    waiting = trigger(min_orders=301)
    running = asyncio.create_task(outcome(waiting))
    await request_times.get()
    running.cancel()
    await asyncio.wait([running])
    kapture.add_orders(1, day="2024-05-09")
    assert await outcome(again(waiting)) == [{"status": "enough", "orders": 301, **WINDOW}]


@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 429, "retry_after": "0"}, {"status": 500}])
async def test_failures_are_never_asked_about_sooner_than_the_interval(
    kapture: Emulator,
    clock: Clock,
    request_times: asyncio.Queue[float],
    monkeypatch: pytest.MonkeyPatch,
    fault: dict[str, Any],
) -> None:
    connect(monkeypatch, kapture, retry_budget=600)
    kapture.set(status_every=1, **fault)
    [payload] = await outcome(trigger(poll_interval=45))
    assert payload["error"] == "KaptureBusyError"
    instants = [request_times.get_nowait() for _ in range(request_times.qsize())]
    assert shortest_pause(instants) >= 45
    assert 600 <= instants[-1] <= 720


async def test_a_retry_after_beyond_the_interval_is_kept(
    kapture: Emulator, clock: Clock, request_times: asyncio.Queue[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, kapture, retry_budget=600)
    kapture.set(status_every=1, status=429, retry_after="250")
    await outcome(trigger(poll_interval=30, **ONE_DAY))
    instants = [request_times.get_nowait() for _ in range(3)]
    # A moment later than asked, so that those who were told the same do not come all at once.
    assert [round(instant - expected, 3) for instant, expected in zip(instants, (0, 250, 500), strict=True)] == [
        pytest.approx(0.5 * number, abs=0.5 * number + 0.01) for number in range(3)
    ]


def deadline(after: float) -> str:
    return (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=after)).isoformat()


@pytest.mark.parametrize("after", [-5, 150])
async def test_the_wait_ends_at_its_deadline_with_the_number_of_orders(
    kapture: Emulator, clock: Clock, request_times: asyncio.Queue[float], after: float
) -> None:
    waiting = again(trigger(poll_interval=60, min_orders=1000, orders=7, deadline=deadline(after)))
    assert await outcome(waiting) == [{"status": "timed_out", "orders": 300 if after > 0 else 7}]
    # The clock moves by whole pauses.
    assert max((request_times.get_nowait() for _ in range(request_times.qsize())), default=0) <= max(after, 0) + 60


async def test_the_wait_ends_at_its_deadline_although_nothing_is_answered(
    kapture: Emulator, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, kapture, retry_budget=600)
    kapture.set(status_every=1, status=503)
    waiting = trigger(poll_interval=60, deadline=deadline(100))
    assert await outcome(waiting) == [{"status": "timed_out", "orders": None}]
    assert clock.now - clock.began <= 130


async def test_the_number_of_orders_is_logged_when_it_changes_but_at_most_once_a_minute(
    kapture: Emulator, clock: Clock, request_times: asyncio.Queue[float]
) -> None:
    told: list[tuple[float, str]] = []

    class Log:
        def info(self, text: str) -> None:
            told.append((round(clock.now - clock.began), text))

    waiting = trigger(poll_interval=20, min_orders=1000, orders=300)
    running = asyncio.create_task(waiting._wait.outcome(Log()))
    for added in (0, 1, 1, 1, 0, 0, 0):
        kapture.add_orders(added, day="2024-05-09") if added else None
        reached = clock.now - clock.began
        while await request_times.get() < reached + 20:
            pass
    running.cancel()
    assert [text for _, text in told] == sorted({text for _, text in told})
    assert told[-1][1] == "303 of 1,000 orders so far"
    assert shortest_pause([at for at, _ in told]) >= 60


async def test_polls_keep_to_the_interval(kapture: Emulator, clock: Clock, request_times: asyncio.Queue[float]) -> None:
    day = trigger(poll_interval=60, min_orders=1000, **ONE_DAY)
    running = asyncio.create_task(outcome(day))
    polls = sorted({round(await request_times.get()) for _ in range(10)})
    running.cancel()
    assert polls == [60 * number for number in range(len(polls))]


async def test_a_connection_that_is_gone_ends_the_wait() -> None:
    waiting = KaptureOrdersTrigger(kapture_conn_id="gone", **WINDOW)
    [payload] = await outcome(waiting)
    error = from_payload(payload).exception()
    with pytest.raises(type(error), match=re.escape(str(error))):
        KaptureHook("gone").get_conn()


async def test_a_password_that_is_changed_meanwhile_does_not_end_the_wait(
    kapture: Emulator, clock: Clock, request_times: asyncio.Queue[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    right = kapture.connection_json()
    monkeypatch.setenv("AIRFLOW_CONN_KAPTURE_DEFAULT", json.dumps(json.loads(right) | {"password": "former"}))
    running = asyncio.create_task(outcome(trigger(poll_interval=60)))
    refused = await request_times.get()
    monkeypatch.setenv("AIRFLOW_CONN_KAPTURE_DEFAULT", right)
    assert (await running)[0]["status"] == "enough"
    assert await request_times.get() - refused >= 60


async def test_min_orders_is_checked_in_the_triggerer_too(kapture: Emulator) -> None:
    [payload] = await outcome(trigger(min_orders=0))
    assert payload["error"] == "KaptureSettingsError"
    assert kapture.stats()["requests"] == 0


async def test_silent_fail_outlasts_the_budget(
    kapture: Emulator, clock: Clock, request_times: asyncio.Queue[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, kapture, retry_budget=60)
    kapture.set(status_every=1, status=500)
    running = asyncio.create_task(outcome(trigger(poll_interval=30, silent_fail=True, **ONE_DAY)))
    instants = [await request_times.get() for _ in range(20)]
    assert shortest_pause(instants) >= 30
    kapture.set(status_every=None)
    assert (await running)[0]["status"] == "enough"


async def test_exponential_backoff_doubles_the_pauses_up_to_max_wait(
    kapture: Emulator, clock: Clock, request_times: asyncio.Queue[float]
) -> None:
    kapture.set(verbatim='{"success": "true", "order_details": []}')
    running = asyncio.create_task(outcome(trigger(poll_interval=30, exponential_backoff=True, max_wait=200, **ONE_DAY)))
    polls = sorted({round(await request_times.get()) for _ in range(15)})
    running.cancel()
    assert polls == [0, 30, 90, 210, 410, 610]


class State:
    """What Airflow keeps for an asset."""

    def __init__(self, *, several_assets: bool = False) -> None:
        self.kept: dict[str, Any] = {}
        self._several_assets = several_assets

    async def aget(self, key: str) -> Any:
        self._check()
        return self.kept.get(key)

    async def aset(self, key: str, value: Any) -> None:
        self._check()
        self.kept[key] = value

    def _check(self) -> None:
        if self._several_assets:
            raise ValueError("Task has 2 concrete inlets")


class Watch:
    """A watcher at work, on a clock of its own.

    :param state: what Airflow keeps for its asset; none where it offers that not
    """

    def __init__(self, request_times: asyncio.Queue[float], state: State | None = None, **arguments: Any) -> None:
        self.trigger = KaptureOrdersEventTrigger(poll_interval=60, **arguments)
        self.trigger.asset_state_store = state
        self.events: asyncio.Queue[Any] = asyncio.Queue()
        self._request_times = request_times
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        async for event in self.trigger.run():
            self.events.put_nowait(event.payload)

    async def polls(self, count: int) -> None:
        """Let so many polls begin, of which all but the last have then ended."""
        while not self._request_times.empty():
            self._request_times.get_nowait()
        for _ in range(count):
            await self._request_times.get()

    async def stop(self) -> list[Any]:
        self._task.cancel()
        await asyncio.wait([self._task])
        return [self.events.get_nowait() for _ in range(self.events.qsize())]


def now_ms(seconds_ago: float = 0) -> int:
    return int((time.time() - seconds_ago) * 1000)


def expected(count: int, newest_ms: int, oldest_ms: int | None = None) -> dict[str, Any]:
    oldest, newest = (
        dt.datetime.fromtimestamp(ms / 1000, ZoneInfo("Asia/Kolkata")).isoformat()
        for ms in (newest_ms if oldest_ms is None else oldest_ms, newest_ms)
    )
    return {"orders": count, "first_create_date": oldest, "last_create_date": newest}


async def test_a_watcher_tells_of_each_new_order_once(kapture: Emulator, request_times: asyncio.Queue[float]) -> None:
    kapture.add_orders(3, create_ms=now_ms(30))
    watch = Watch(request_times)
    await watch.polls(8)
    assert watch.events.empty()
    sooner, later = now_ms(20), now_ms(10)
    kapture.add_orders(2, create_ms=later)
    assert await watch.events.get() == expected(2, later)
    kapture.add_orders(1, create_ms=sooner)
    assert await watch.events.get() == expected(1, sooner)
    await watch.polls(8)
    assert await watch.stop() == []


async def test_a_watcher_that_is_restarted_goes_on_where_airflow_keeps_its_place(
    kapture: Emulator, request_times: asyncio.Queue[float]
) -> None:
    state = State()
    watch = Watch(request_times, state)
    await watch.polls(8)
    kapture.add_orders(2, create_ms=(told := now_ms()))
    assert await watch.events.get() == expected(2, told)
    await watch.stop()
    kapture.add_orders(3, create_ms=told + 1)
    watch = Watch(request_times, state)
    assert await watch.events.get() == expected(3, told + 1)
    await watch.polls(8)
    assert await watch.stop() == []


async def test_a_watcher_that_was_away_for_long_tells_of_all_that_came_meanwhile(
    kapture: Emulator, request_times: asyncio.Queue[float]
) -> None:
    state = State()
    watch = Watch(request_times, state, lookback=60)
    await watch.polls(8)
    await watch.stop()
    [key] = state.kept
    state.kept[key] |= {"since": now_ms(3 * 86_400)}
    kapture.add_orders(2, create_ms=(old := now_ms(2 * 86_400)))
    kapture.add_orders(1, create_ms=(new := now_ms()))
    watch = Watch(request_times, state, lookback=60)
    assert await watch.events.get() == expected(3, new, old)
    await watch.polls(8)
    assert await watch.stop() == []


async def test_a_watcher_outlasts_a_state_that_can_not_be_kept(
    kapture: Emulator, request_times: asyncio.Queue[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    state = State()
    watch = Watch(request_times, state)
    await watch.polls(8)
    with monkeypatch.context() as broken:
        broken.setattr(State, "aset", None)
        kapture.add_orders(1, create_ms=(created := now_ms()))
        await watch.polls(8)
        assert watch.events.empty()
    assert await watch.events.get() == expected(1, created)
    await watch.polls(8)
    assert await watch.stop() == []


async def test_a_state_that_only_blocks_is_asked_in_a_thread(
    kapture: Emulator, request_times: asyncio.Queue[float], clock: Clock
) -> None:
    loop = threading.get_ident()

    class Blocking:
        kept: dict[str, Any] = {}  # noqa: RUF012 - a test's own

        def get(self, key: str) -> Any:
            assert threading.get_ident() != loop
            return self.kept.get(key)

        def set(self, key: str, value: Any) -> None:
            assert threading.get_ident() != loop
            self.kept[key] = value

    for _ in range(2):
        watch = Watch(request_times, Blocking())  # type: ignore[arg-type]
        await watch.polls(8)
        kapture.add_orders(1, create_ms=(created := now_ms()))
        assert await watch.events.get() == expected(1, created)
        await watch.stop()


async def test_watchers_that_ask_the_same_share_their_polls(
    kapture: Emulator, request_times: asyncio.Queue[float]
) -> None:
    streams = pytest.importorskip("airflow.triggers.shared_stream")
    manager = streams.SharedStreamManager(log=streams.log)
    told: asyncio.Queue[Any] = asyncio.Queue()
    alone = Watch(request_times, filters={"statusStr": "AP"})
    requests_of_a_poll = Counter([await request_times.get() for _ in range(12)]).most_common(1)[0][1]
    await alone.stop()
    while not request_times.empty():
        request_times.get_nowait()

    async def watch(number: int) -> None:
        watching = KaptureOrdersEventTrigger(poll_interval=60, filters={"statusStr": "AP"})
        key = watching.shared_stream_key()
        try:
            stream = manager.subscribe(trigger_id=number, trigger=watching, key=key)
            async for event in watching.filter_shared_stream(stream):
                told.put_nowait((number, event.payload["orders"]))
        finally:
            await manager.unsubscribe(number, key)

    watchers = [asyncio.create_task(watch(number)) for number in range(2)]
    instants = Counter([await request_times.get() for _ in range(12)])
    kapture.add_orders(1, create_ms=now_ms())
    assert {await told.get(), await told.get()} == {(0, 1), (1, 1)}
    for each in watchers:
        each.cancel()
    await asyncio.wait(watchers)
    assert instants.most_common(1)[0][1] == requests_of_a_poll
    other = KaptureOrdersEventTrigger(poll_interval=30, filters={"statusStr": "AP"})
    assert other.shared_stream_key() != KaptureOrdersEventTrigger(poll_interval=60).shared_stream_key()


@pytest.mark.parametrize("state", [None, State(several_assets=True)], ids=["no state", "state of several assets"])
async def test_a_watcher_without_a_place_to_keep_tells_nothing_twice(
    kapture: Emulator, request_times: asyncio.Queue[float], state: State | None
) -> None:
    kapture.add_orders(2, create_ms=now_ms())
    for _ in range(2):
        watch = Watch(request_times, state)
        await watch.polls(8)
        assert await watch.stop() == []


@pytest.mark.parametrize("fault", [{"status": 401}, {"status": 403}, {"status": 503}])
async def test_a_watcher_outlasts_what_fails_with_growing_pauses(
    kapture: Emulator, request_times: asyncio.Queue[float], fault: dict[str, Any]
) -> None:
    watch = Watch(request_times)
    await watch.polls(8)
    kapture.set(status_every=1, **fault)
    await watch.polls(1)
    instants = [await request_times.get() for _ in range(12)]
    assert shortest_pause(instants) >= 60
    assert max(later - sooner for sooner, later in pairwise(instants)) >= 1200
    kapture.set(status_every=None)
    kapture.add_orders(1, create_ms=(created := now_ms()))
    assert await watch.events.get() == expected(1, created)
    assert await watch.stop() == []


async def test_a_watcher_outlasts_a_connection_that_is_missing(
    kapture: Emulator, request_times: asyncio.Queue[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch(request_times, kapture_conn_id="elsewhere")
    for name, value in kapture.connection_uri_env("elsewhere").items():
        monkeypatch.setenv(name, value)
    await watch.polls(2)
    assert await watch.stop() == []


EMPTY_DAY = {"window_start": "2024-06-08T00:00:00+05:30", "window_end": "2024-06-09T00:00:00+05:30"}


def proofs(kapture: Emulator) -> int:
    """How often orders of any date were requested, which shows that dates are understood."""
    return sum(not each.body["createStartDate"] for each in kapture.requests_seen)


async def test_the_first_poll_proves_that_a_window_is_empty_and_no_later_one_does(
    kapture: Emulator, clock: Clock, request_times: asyncio.Queue[float]
) -> None:
    running = asyncio.create_task(outcome(trigger(poll_interval=30, **EMPTY_DAY)))
    while round(await request_times.get()) < 120:
        pass
    assert proofs(kapture) == 1
    kapture.add_orders(1, day="2024-06-08")
    assert (await running)[0]["status"] == "enough"


async def test_a_poll_that_failed_has_proven_nothing(
    kapture: Emulator, clock: Clock, request_times: asyncio.Queue[float]
) -> None:
    kapture.set(status_every=1, status=503)
    running = asyncio.create_task(outcome(trigger(poll_interval=30, silent_fail=True, **EMPTY_DAY)))
    for _ in range(3):
        await request_times.get()
    assert proofs(kapture) == 0
    kapture.set(status_every=None)
    reached = clock.now - clock.began
    while await request_times.get() < reached + 120:
        pass
    running.cancel()
    assert proofs(kapture) == 1


async def test_a_window_that_cannot_be_empty_ends_the_wait(kapture: Emulator, clock: Clock) -> None:
    kapture.set(date_format="%d-%m-%Y", lenient_dates=True)
    [payload] = await outcome(trigger(**EMPTY_DAY))
    assert (payload["status"], payload["error"]) == ("failed", "KaptureDialectError")
    assert "`kapture doctor CONN_ID`" in payload["message"]


async def test_a_watcher_says_nothing_of_emptiness_and_proves_none(
    kapture: Emulator, request_times: asyncio.Queue[float]
) -> None:
    kapture.set(date_format="%d-%m-%Y", lenient_dates=True)
    watch = Watch(request_times)
    await watch.polls(8)
    assert await watch.stop() == []
    assert proofs(kapture) == 0


def test_a_watcher_is_plain_data() -> None:
    watching = KaptureOrdersEventTrigger(filters={"statusStr": "AP"}, poll_interval=0)
    assert again(watching).serialize() == watching.serialize()
    assert watching.serialize()[1]["poll_interval"] == 1


def test_a_filter_that_will_not_do_is_told_where_the_dag_is_read() -> None:
    watching = KaptureOrdersEventTrigger(filters={"statusSt": "AP"})
    with pytest.raises(KaptureSettingsError, match="statusStr"):
        watching.serialize()
    assert KaptureOrdersEventTrigger(filters={"statusStr": {"PE", "AP"}}).serialize()[1]["filters"] == {
        "statusStr": "AP,PE"
    }


@pytest.mark.parametrize("name", PERSONAL_FILTERS)
def test_a_watcher_refuses_filters_that_tell_who_a_customer_is(name: str) -> None:
    with pytest.raises(KaptureSettingsError, match=rf"\({name}\).*`default_body`") as caught:
        KaptureOrdersEventTrigger(filters={"statusStr": "AP", name: "9812345678"})
    assert "9812345678" not in str(caught.value)
    assert isinstance(caught.value, TypeError), "any other would end the triggerer that reads it"


def test_watchers_of_one_asset_have_places_of_their_own() -> None:
    keys = {KaptureOrdersEventTrigger(filters=each)._key() for each in (None, {"statusStr": "AP"}, {"statusStr": "PE"})}
    assert len(keys) == 3


def test_airflow_takes_it_for_a_watcher() -> None:
    sdk = pytest.importorskip("airflow.sdk")
    watching = KaptureOrdersEventTrigger(filters={"statusStr": "AP"})
    asset = sdk.Asset("kapture_orders", watchers=[sdk.AssetWatcher(name="kapture", trigger=watching)])
    assert asset.watchers[0].trigger is watching
    assert watching.hash(*watching.serialize()) == watching.hash(*again(watching).serialize())
