import json
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred

from airflow_provider_kapture.emulator import Book, Emulator
from airflow_provider_kapture.sensors.kapture import KaptureOrdersSensor

WINDOW = {"window_start": "2024-05-08", "window_end": "2024-05-11"}


@pytest.fixture
def kapture(monkeypatch: pytest.MonkeyPatch):
    with Emulator(Book(orders=300, days=3)) as running:
        for name, value in running.connection_uri_env(retry_budget=1).items():
            monkeypatch.setenv(name, value)
        yield running


def sensor(**arguments: Any) -> KaptureOrdersSensor:
    return KaptureOrdersSensor(task_id="wait", **{**WINDOW, "poke_interval": 1, **arguments})


async def wait(waiting: KaptureOrdersSensor) -> Any:
    """Run a deferrable sensor to its end: worker, triggerer, worker."""
    with pytest.raises(TaskDeferred) as deferred:
        waiting.execute({})
    events = [event async for event in deferred.value.trigger.run()]
    return waiting.execute_complete({}, events[0].payload)


@pytest.mark.parametrize("deferrable", [False, True])
def test_enough_orders_take_one_request(kapture: Emulator, deferrable: bool) -> None:
    seen = sensor(deferrable=deferrable).execute({})
    assert seen["orders"] >= 1
    assert seen["window_start"] == "2024-05-08T00:00:00+05:30"
    assert kapture.stats()["requests"] == 1


def test_too_few_orders_are_not_enough(kapture: Emulator) -> None:
    assert not sensor(min_orders=301).poke({}).is_done


async def test_the_triggerer_sees_orders_that_come_later(kapture: Emulator) -> None:
    waiting = sensor(min_orders=301, deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        waiting.execute({})
    kapture.add_orders(1, day="2024-05-09")
    events = [event async for event in deferred.value.trigger.run()]
    assert waiting.execute_complete({}, events[0].payload)["orders"] == 301


async def test_wrong_credentials_end_the_wait_at_once_in_both_modes(
    kapture: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = sensor(min_orders=301, deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        waiting.execute({})
    wrong = json.loads(kapture.connection_json()) | {"password": "canary"}
    monkeypatch.setenv("AIRFLOW_CONN_KAPTURE_DEFAULT", json.dumps(wrong))
    with pytest.raises(AirflowFailException) as poked:
        sensor().poke({})
    kapture.reset()
    events = [event async for event in deferred.value.trigger.run()]
    with pytest.raises(AirflowFailException) as triggered:
        waiting.execute_complete({}, events[0].payload)
    assert kapture.stats()["requests"] == 1
    assert str(poked.value) == str(triggered.value)


@pytest.mark.parametrize("event", [None, {}, {"status": "odd"}])
def test_an_event_that_is_none_or_unknown_fails(kapture: Emulator, event: Any) -> None:
    with pytest.raises(AirflowFailException, match="event"):
        sensor().execute_complete({}, event)


def test_a_trigger_is_plain_data(kapture: Emulator) -> None:
    with pytest.raises(TaskDeferred) as deferred:
        sensor(min_orders=301, deferrable=True).execute({})
    path, arguments = deferred.value.trigger.serialize()
    assert path == "airflow_provider_kapture.triggers.kapture.KaptureOrdersTrigger"
    assert kapture.password not in json.dumps(arguments)


def test_min_orders_is_at_least_1(kapture: Emulator) -> None:
    with pytest.raises(AirflowFailException, match="min_orders"):
        sensor(min_orders=0).poke({})
