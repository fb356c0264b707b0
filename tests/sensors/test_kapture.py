import datetime as dt
import json
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    DAG,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    TaskDeferred,
)
from connected import connected

from airflow_provider_kapture.client.errors import KaptureBusyError, KaptureError
from airflow_provider_kapture.emulator import Book, Emulator
from airflow_provider_kapture.hooks.kapture import KaptureHook
from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator
from airflow_provider_kapture.sensors.kapture import KaptureOrdersSensor

WINDOW = {"window_start": "2024-05-08", "window_end": "2024-05-11"}


@pytest.fixture
def kapture(monkeypatch: pytest.MonkeyPatch):
    with connected(monkeypatch, 300, retry_budget=1) as running:
        yield running


def sensor(**arguments: Any) -> KaptureOrdersSensor:
    return KaptureOrdersSensor(task_id="wait", **{**WINDOW, "poke_interval": 1, **arguments})


@pytest.mark.parametrize("deferrable", [False, True])
def test_enough_orders_take_one_request(kapture: Emulator, deferrable: bool) -> None:
    seen = sensor(deferrable=deferrable).execute({})
    assert seen["orders"] >= 1
    assert seen["window_start"] == "2024-05-08T00:00:00+05:30"
    assert kapture.stats()["requests"] == 1


@pytest.mark.parametrize(("min_orders", "most"), [(1, 2), (10, 2), (11, 4)])
def test_no_more_pages_are_asked_for_than_may_be_needed(
    monkeypatch: pytest.MonkeyPatch, min_orders: int, most: int
) -> None:
    with Emulator(Book(orders=0, days=3)) as kapture:
        for name, value in kapture.connection_uri_env(page_size=10).items():
            monkeypatch.setenv(name, value)
        kapture.add_orders(50, day="2024-05-09")
        assert sensor(min_orders=min_orders).execute({})["orders"] >= min_orders
        assert kapture.stats()["requests"] <= most


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


def failed(name: str) -> dict[str, str]:
    return {"status": "failed", "error": name, "message": "what to do"}


@pytest.mark.parametrize("interval", [0, 0.2, dt.timedelta()])
def test_a_poke_interval_has_a_floor(interval: Any) -> None:
    assert sensor(poke_interval=interval).poke_interval == 1


@pytest.mark.parametrize("count", [0, -1, 1.5, True, "0", "3.0", "-3", "1_000", "three", "\u0663"])
def test_min_orders_is_a_whole_number(kapture: Emulator, count: Any) -> None:
    with pytest.raises(AirflowFailException, match="min_orders"):
        sensor(min_orders=count).poke({})
    assert kapture.stats()["requests"] == 0


def test_digits_are_a_number_of_orders(kapture: Emulator) -> None:
    assert sensor(min_orders="300").poke({}).is_done
    with pytest.raises(TaskDeferred) as deferred:
        sensor(min_orders="301", deferrable=True).execute({})
    assert deferred.value.trigger.serialize()[1]["min_orders"] == 301


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_window_beyond_the_timeout_is_an_error_and_no_wait(kapture: Emulator, deferrable: bool) -> None:
    far = {"window_start": "2999-01-01", "window_end": "2999-02-01", "timeout": 3600, "deferrable": deferrable}
    with pytest.raises(AirflowFailException, match="timeout"):
        sensor(**far).execute({})
    assert kapture.stats()["requests"] == 0


def test_a_date_that_is_planned_may_lie_in_the_future(kapture: Emulator) -> None:
    far = {"window_start": "2999-01-01", "window_end": "2999-01-02", "date_field": "expectedClosure"}
    assert not sensor(**far).poke({}).is_done


@pytest.mark.parametrize("arguments", [{"timeout": 0}, {"timeout": dt.timedelta()}])
def test_a_deferrable_sensor_without_time_left_times_out(kapture: Emulator, arguments: dict[str, Any]) -> None:
    with pytest.raises(AirflowSensorTimeout):
        sensor(min_orders=301, deferrable=True, **arguments).execute({})


def seconds(value: float) -> dt.timedelta:
    return dt.timedelta(seconds=value)


@pytest.mark.parametrize(
    ("limits", "least"),
    [
        ({"timeout": 100}, 100),
        ({"timeout": 100, "execution_timeout": seconds(50)}, 50),
        ({"timeout": 100, "execution_timeout": seconds(500)}, 100),
        ({"timeout": 1e12}, 3.2e9),
    ],
)
def test_the_trigger_ends_the_wait_before_airflow_does(kapture: Emulator, limits: dict[str, Any], least: float) -> None:
    began = dt.datetime.now(dt.UTC)
    with pytest.raises(TaskDeferred) as deferred:
        sensor(min_orders=301, deferrable=True, **limits).execute({})
    deadline = dt.datetime.fromisoformat(deferred.value.trigger.serialize()[1]["deadline"])
    assert deadline <= began + seconds(least) + (dt.datetime.now(dt.UTC) - began)
    assert deferred.value.timeout is not None
    assert began + deferred.value.timeout > deadline


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({}, AirflowSensorTimeout, r"after 60 s \(`timeout`\). The last poke saw 200 of 1,000 orders so far"),
        ({"soft_fail": True}, AirflowSkipException, "200 of 1,000 orders so far"),
        ({"execution_timeout": seconds(90)}, AirflowSensorTimeout, "`timeout`"),
        ({"execution_timeout": seconds(30)}, AirflowTaskTimeout, r"30 s \(`execution_timeout`\).*saw 200 of 1,000"),
        ({"execution_timeout": seconds(30), "soft_fail": True}, AirflowTaskTimeout, "`execution_timeout`"),
        ({"execution_timeout": seconds(30), "never_fail": True}, AirflowTaskTimeout, "`execution_timeout`"),
    ],
)
@pytest.mark.parametrize("event", [{"status": "timed_out", "orders": 200}, None], ids=["trigger", "no triggerer"])
def test_a_deferral_that_took_too_long_ends_as_in_poke_mode(
    arguments: dict[str, Any], error: type[BaseException], text: str, event: Any
) -> None:
    waiting = sensor(min_orders="1000", timeout=60, deferrable=True, **arguments)
    resumed = ("execute_complete", {"event": event}) if event else ("__fail__", {"error": "Trigger timeout"})
    with pytest.raises(error, match=text if event else "The last poke saw no response"):
        waiting.resume_execution(*resumed, {})


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_poke_that_takes_too_long_is_never_skipped(
    kapture: Emulator, monkeypatch: pytest.MonkeyPatch, deferrable: bool
) -> None:
    """As if Airflow's alarm rang during a poke."""

    def rings(*_: Any, **__: Any) -> Any:
        raise AirflowTaskTimeout("Timeout")

    monkeypatch.setattr(KaptureHook, "get_conn", rings)
    with pytest.raises(AirflowTaskTimeout):
        sensor(soft_fail=True, deferrable=deferrable).execute({})


def test_silent_fail_waits_on_in_the_triggerer(kapture: Emulator) -> None:
    kapture.set(status_every=1, status=503)
    with pytest.raises(TaskDeferred) as deferred:
        sensor(deferrable=True, silent_fail=True, min_orders=301).execute({})
    assert deferred.value.trigger.serialize()[1]["silent_fail"]
    kapture.set(status=401)
    with pytest.raises(AirflowFailException):
        sensor(deferrable=True, silent_fail=True, min_orders=301).execute({})


def test_exponential_backoff_reaches_the_trigger(kapture: Emulator) -> None:
    with pytest.raises(TaskDeferred) as deferred:
        sensor(min_orders=301, deferrable=True, exponential_backoff=True, max_wait=dt.timedelta(minutes=5)).execute({})
    _, arguments = deferred.value.trigger.serialize()
    assert (arguments["exponential_backoff"], arguments["max_wait"]) == (True, 300)


@pytest.mark.parametrize("mode", ["poke", "reschedule"])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_exponential_backoff_never_pokes_faster_than_the_interval(mode: str, count: int) -> None:
    waiting = sensor(poke_interval=60, exponential_backoff=True, mode=mode)
    assert waiting._get_next_poke_interval(dt.datetime.now(dt.UTC), lambda: 5.0, count) >= 60


def test_filters_reach_the_trigger_as_plain_strings(kapture: Emulator) -> None:
    filters = {"statusStr": {"AP"}, "orderIds": [3, 4]}
    with pytest.raises(TaskDeferred) as deferred:
        sensor(min_orders=301, deferrable=True, filters=filters).execute({})
    assert deferred.value.trigger.serialize()[1]["filters"] == {"statusStr": "AP", "orderIds": "3,4"}


async def test_filters_that_tell_who_a_customer_is_reach_the_trigger_sealed(
    kapture: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    filters = {"statusStr": "AP", "phone": "+91 98450 12345", "attr3": ["rare", "rarer"]}
    waiting = sensor(min_orders=301, deferrable=True, filters=filters)
    with pytest.raises(TaskDeferred) as deferred:
        waiting.execute({})
    trigger = deferred.value.trigger
    shown = json.dumps(trigger.serialize()) + repr(trigger)
    assert not any(secret in shown for secret in ("98450", "rare", kapture.password))
    sent = {name: kapture.requests_seen[-1].body[name] for name in filters}
    assert sent == {"statusStr": "AP", "phone": "+91 98450 12345", "attr3": "rare,rarer"}
    kapture.set(verbatim='{"message": "Invalid Auth Key"}')
    assert [event.payload["error"] async for event in trigger.run()] == ["KaptureAuthError"]
    assert sent.items() <= kapture.requests_seen[-1].body.items()
    other = json.loads(kapture.connection_json()) | {"password": "rotated"}
    monkeypatch.setenv("AIRFLOW_CONN_KAPTURE_DEFAULT", json.dumps(other))
    events = [event.payload async for event in trigger.run()]
    with pytest.raises(KaptureError, match="run the task again"):
        waiting.execute_complete({}, events[0])


@pytest.mark.parametrize("kind", [KaptureOrdersSensor, KapturePullOrdersOperator])
def test_filters_that_tell_who_a_customer_is_are_masked(kapture: Emulator, kind: Any) -> None:
    from airflow.providers.common.compat.sdk import redact

    waiting = kind(
        task_id="wait",
        filters={"phone": "{{ '04' * 2 }}-98450", "email": ["kiran@example.org"], "statusStr": "APPROVED"},
    )
    waiting.render_template_fields({})
    assert waiting.filters["phone"] == "0404-98450"
    assert redact("0404-98450 kiran@example.org APPROVED") == "*** *** APPROVED"


def test_filters_of_mapped_tasks_are_masked(kapture: Emulator) -> None:
    from airflow.providers.common.compat.sdk import redact

    with DAG("mapped", schedule=None):
        mapped = KaptureOrdersSensor.partial(task_id="wait", **WINDOW).expand(filters=[{"email": "asha@example.org"}])
    waiting = mapped.unmap({"filters": {"email": "asha@example.org"}})
    waiting._do_render_template_fields(waiting, waiting.template_fields, {}, waiting.get_template_env(), set())
    assert redact("to asha@example.org") == "to ***"


def test_a_failure_that_may_mend_is_left_to_airflow_to_retry() -> None:
    with pytest.raises(KaptureBusyError, match="what to do"):
        sensor().execute_complete({}, failed("KaptureBusyError"))


@pytest.mark.parametrize("error", ["KaptureBusyError", "KaptureAuthError"])
@pytest.mark.parametrize("deferrable", [False, True])
def test_never_fail_skips_in_both_modes(kapture: Emulator, deferrable: bool, error: str) -> None:
    kapture.set(status_every=1, status=503 if error == "KaptureBusyError" else 401)
    waiting = sensor(never_fail=True, deferrable=deferrable)
    with pytest.raises(AirflowSkipException):
        waiting.execute({})
    with pytest.raises(AirflowSkipException):
        waiting.resume_execution("execute_complete", {"event": failed(error)}, {})


@pytest.mark.parametrize("deferrable", [False, True])
def test_soft_fail_skips_what_a_retry_can_not_mend(kapture: Emulator, deferrable: bool) -> None:
    kapture.set(status_every=1, status=401)
    waiting = sensor(soft_fail=True, deferrable=deferrable)
    with pytest.raises(AirflowSkipException):
        waiting.execute({})
    with pytest.raises(AirflowSkipException):
        waiting.resume_execution("execute_complete", {"event": failed("KaptureAuthError")}, {})
    with pytest.raises(KaptureBusyError):
        waiting.resume_execution("execute_complete", {"event": failed("KaptureBusyError")}, {})


def test_the_answer_of_the_triggerer_needs_no_connection() -> None:
    event = {"status": "enough", "orders": 4, "window_start": "from", "window_end": "to"}
    assert sensor(kapture_conn_id="gone").execute_complete({}, event) == {
        "orders": 4,
        "window_start": "from",
        "window_end": "to",
    }
