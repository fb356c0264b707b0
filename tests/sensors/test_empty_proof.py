"""A sensor proves at the first poke of a try that it waits for orders that it would see, and not again."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any

import airflow
import pytest
from airflow.exceptions import AirflowRescheduleException
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred
from connected import connected
from task_instances import task_rescheduled

from airflow_provider_kapture.emulator import Emulator
from airflow_provider_kapture.sensors.kapture import KaptureOrdersSensor

EMPTY = {"window_start": "2024-06-08", "window_end": "2024-06-09"}
CONTRADICTED = {"date_format": "%d-%m-%Y", "lenient_dates": True}


@pytest.fixture
def kapture(monkeypatch: pytest.MonkeyPatch):
    with connected(monkeypatch, 60, retry_budget=0.1) as running:
        yield running


def sensor(**arguments: Any) -> KaptureOrdersSensor:
    return KaptureOrdersSensor(task_id="wait", **{**EMPTY, "poke_interval": 1, **arguments})


def proofs(kapture: Emulator) -> int:
    """How often orders of any date were requested."""
    return sum(not each.body["createStartDate"] for each in kapture.requests_seen)


def test_the_first_poke_proves_and_no_later_one_does(kapture: Emulator) -> None:
    waiting = sensor()
    for _ in range(3):
        assert not waiting.poke({}).is_done
        assert proofs(kapture) == 1


def test_a_new_try_proves_again(kapture: Emulator) -> None:
    for number in (1, 2):
        assert not sensor().poke({}).is_done
        assert proofs(kapture) == number


def test_a_poke_that_failed_is_not_the_first(kapture: Emulator) -> None:
    waiting = sensor()
    kapture.set(status_every=1, status=503)
    with pytest.raises(Exception, match="503"):
        waiting.poke({})
    kapture.set(status_every=None)
    assert not waiting.poke({}).is_done
    assert proofs(kapture) == 1


@pytest.mark.skipif(airflow.__version__.startswith("2."), reason="Airflow 2 does not say that a task was rescheduled")
def test_a_rescheduled_poke_does_not_prove_again(kapture: Emulator) -> None:
    for rescheduled in (None, dt.datetime.now(dt.UTC), dt.datetime.now(dt.UTC)):
        # Each poke is a process of its own.
        task_instance = task_rescheduled(rescheduled)
        with pytest.raises(AirflowRescheduleException):
            sensor(mode="reschedule", timeout=60).execute({"ti": task_instance})
        assert proofs(kapture) == 1


def test_a_window_that_cannot_be_empty_fails_in_every_mode(kapture: Emulator) -> None:
    kapture.set(**CONTRADICTED)
    task_instance = task_rescheduled(None)
    for arguments in ({}, {"deferrable": True}, {"mode": "reschedule"}, {"silent_fail": True}):
        with pytest.raises(AirflowFailException, match="`kapture doctor kapture_default`"):
            sensor(**arguments).execute({"ti": task_instance})


def test_the_trigger_proves_too_and_ends_alike(kapture: Emulator) -> None:
    waiting = sensor(deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        waiting.execute({})
    assert proofs(kapture) == 1
    kapture.set(**CONTRADICTED)
    payload = asyncio.run(anext(deferred.value.trigger.run())).payload
    assert proofs(kapture) == 2
    with pytest.raises(AirflowFailException, match="`kapture doctor kapture_default`"):
        waiting.execute_complete({}, payload)


def test_enough_orders_need_no_proof(kapture: Emulator) -> None:
    assert sensor(window_start="2024-05-08").poke({}).is_done
    assert not sensor(window_start="2024-05-08", min_orders=61).poke({}).is_done
    assert proofs(kapture) == 0


def test_no_control_order_waits_on(kapture: Emulator) -> None:
    kapture.set(dates_required=True)
    waiting = sensor()
    assert not waiting.poke({}).is_done
    kapture.add_orders(1, day="2024-06-08")
    assert waiting.poke({}).is_done
