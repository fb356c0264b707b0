"""One table of scenarios through poke, reschedule and the triggerer: the same answer, the same error, the same XCom.

To print the table, with the requests that each took::

    AIRFLOW_HOME=$(mktemp -d) python tests/sensors/test_modes.py
"""

from __future__ import annotations

import asyncio
import datetime as dt
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import airflow
import pytest
from airflow.exceptions import AirflowRescheduleException
from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)
from task_instances import task_rescheduled

from airflow_provider_kapture.client.errors import (
    KaptureAuthError,
    KaptureBusyError,
    KaptureDialectError,
    KaptureError,
    KaptureForbiddenError,
    KaptureRefusedError,
    KaptureTransportError,
)
from airflow_provider_kapture.emulator import Book, Emulator
from airflow_provider_kapture.sensors.kapture import KaptureOrdersSensor

WINDOW = {"window_start": "2024-05-08", "window_end": "2024-05-11"}
XCOM_WINDOW = {"window_start": "2024-05-08T00:00:00+05:30", "window_end": "2024-05-11T00:00:00+05:30"}
ORDERS = 300
NO_ORDERS = '{"success": "true", "order_details": []}'
STILL_WAITING = "still waiting"


@dataclass(frozen=True)
class Scenario:
    """How the server behaves, and what a sensor makes of it.

    :param expected: the error, the XCom's orders at the least, or that it waits on
    """

    name: str
    expected: type[KaptureError] | int | str
    switches: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    min_orders: int = 60


SHORT_RETRIES = {"retry_budget": 0.05}

SCENARIOS = [
    Scenario("enough", 60),
    Scenario("exactly enough", ORDERS, min_orders=ORDERS),
    Scenario("too few", STILL_WAITING, min_orders=ORDERS + 1),
    Scenario("none", STILL_WAITING, {"verbatim": NO_ORDERS}),
    Scenario("wrong credentials", KaptureAuthError, {"status_every": 1, "status": 401}),
    Scenario("wrong credentials under 200", KaptureAuthError, {"verbatim": '{"message": "Invalid Auth Key"}'}),
    Scenario("forbidden", KaptureForbiddenError, {"status_every": 1, "status": 403}),
    Scenario("bad request", KaptureRefusedError, {"status_every": 1, "status": 400}),
    Scenario("not found", KaptureRefusedError, {"status_every": 1, "status": 404}),
    Scenario("too many requests, then fine", 60, {"status_every": 2, "status": 429, "retry_after": "1"}),
    Scenario(
        "too many requests", KaptureBusyError, {"status_every": 1, "status": 429, "retry_after": "1"}, SHORT_RETRIES
    ),
    Scenario("500, then fine", 60, {"status_every": 2, "status": 500}),
    Scenario("500", KaptureBusyError, {"status_every": 1, "status": 500}, SHORT_RETRIES),
    Scenario("HTML, then fine", 60, {"html_every": 2}),
    Scenario("HTML", KaptureRefusedError, {"html_every": 1}, SHORT_RETRIES),
    Scenario("wrong zone", KaptureDialectError, {"timezone": "America/New_York"}),
    Scenario("time-out", KaptureTransportError, {"latency": 1.0}, {**SHORT_RETRIES, "read_timeout": 0.1}),
]


@dataclass(frozen=True)
class Outcome:
    """What came of a wait, as a task shows it.

    :param requests: how many it took; where it was deferred, since then
    """

    orders: int | None = None
    error: tuple[type[BaseException], str] | None = None
    is_waiting: bool = False
    requests: int = field(default=0, compare=False)

    def __str__(self) -> str:
        what = f"{self.orders} orders"
        if self.is_waiting:
            what = STILL_WAITING
        elif self.error is not None:
            what = self.error[0].__name__
        return f"{what}, {self.requests} requests"


def outcome_of(attempt: Callable[[], Any]) -> Outcome:
    try:
        seen = attempt()
    except (AirflowSensorTimeout, AirflowRescheduleException):
        return Outcome(is_waiting=True)
    except (AirflowFailException, KaptureError) as error:
        return Outcome(error=(type(error), str(error)))
    assert seen == {"orders": seen["orders"], **XCOM_WINDOW}
    return Outcome(seen["orders"])


def sensor(scenario: Scenario, **arguments: Any) -> KaptureOrdersSensor:
    return KaptureOrdersSensor(task_id="wait", **WINDOW, min_orders=scenario.min_orders, **arguments)


def poke(kapture: Emulator, scenario: Scenario) -> Outcome:
    kapture.set(**scenario.switches)
    found = outcome_of(lambda: sensor(scenario, timeout=0).execute({}))
    return replace(found, requests=kapture.stats()["requests"])


def reschedule(kapture: Emulator, scenario: Scenario) -> Outcome:
    kapture.set(**scenario.switches)
    found = outcome_of(lambda: sensor(scenario, mode="reschedule").execute({"ti": task_rescheduled(None)}))
    return replace(found, requests=kapture.stats()["requests"])


def defer(kapture: Emulator, scenario: Scenario) -> Outcome:
    kapture.set(verbatim=NO_ORDERS)
    waiting = sensor(scenario, deferrable=True, poke_interval=0)
    with pytest.raises(TaskDeferred) as deferred:
        waiting.execute({})
    kapture.set(**{"verbatim": None, **scenario.switches})
    before = kapture.stats()["requests"]

    async def event() -> Any:
        async with asyncio.timeout(0.5 if scenario.expected == STILL_WAITING else None):
            return await anext(deferred.value.trigger.run())

    try:
        fired = asyncio.run(event())
    except TimeoutError:
        found = Outcome(is_waiting=True)
    else:
        found = outcome_of(lambda: waiting.execute_complete({}, fired.payload))
    return replace(found, requests=kapture.stats()["requests"] - before)


MODES: Mapping[str, Callable[[Emulator, Scenario], Outcome]] = {
    "poke": poke,
    "reschedule": reschedule,
    "deferrable": defer,
}


def outcomes(scenario: Scenario) -> dict[str, Outcome]:
    """What comes of a scenario in each mode."""
    extra = {"page_size": 40, "max_concurrency": 1, "retry_budget": 5, **scenario.extra}
    found = {}
    with Emulator(Book(orders=ORDERS, days=3)) as kapture, pytest.MonkeyPatch.context() as patch:
        for name, value in kapture.connection_uri_env(**extra).items():
            patch.setenv(name, value)
        for mode, wait in MODES.items():
            kapture.reset()
            found[mode] = wait(kapture, scenario)
    return found


@pytest.mark.filterwarnings("ignore")  # Airflow's own, of its database layer
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_the_same_in_every_mode(airflow_db: None, scenario: Scenario) -> None:
    found = outcomes(scenario)
    first = found["poke"]
    assert found == dict.fromkeys(MODES, first)
    assert first.is_waiting == (scenario.expected == STILL_WAITING)
    if isinstance(scenario.expected, type):
        assert first.error is not None
        assert first.error[0] is (AirflowFailException if scenario.expected.permanent else scenario.expected)
    elif isinstance(scenario.expected, int):
        assert first.orders is not None
        assert first.orders >= scenario.expected


def times_out(mode: str, **arguments: Any) -> None:
    """A wait for which Airflow finds that its time is over, as it does in each mode."""
    waiting = sensor(Scenario("too few", STILL_WAITING, min_orders=ORDERS + 1), timeout=60, **arguments)
    if mode == "poke":
        waiting.timeout = 0
        waiting.execute({})
    elif mode == "reschedule":
        long_ago = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=2)
        waiting.mode = mode
        waiting.execute({"ti": task_rescheduled(long_ago)})
    else:
        waiting.resume_execution("__fail__", {"error": "Trigger timeout"}, {})


@pytest.mark.filterwarnings("ignore")  # Airflow's own, of its database layer
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({}, AirflowSensorTimeout),
        ({"soft_fail": True}, AirflowSkipException),
        ({"silent_fail": True}, AirflowSensorTimeout),
    ],
)
def test_a_wait_that_takes_too_long_ends_alike_in_every_mode(
    airflow_db: None,
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
    arguments: dict[str, Any],
    error: type[BaseException],
) -> None:
    if mode == "reschedule" and airflow.__version__.startswith("2."):
        pytest.skip("Airflow 2 reads when a task began from its database")
    with Emulator(Book(orders=ORDERS, days=3)) as kapture:
        for name, value in kapture.connection_uri_env().items():
            monkeypatch.setenv(name, value)
        with pytest.raises(error):
            times_out(mode, **arguments)


if __name__ == "__main__":
    from airflow.utils.db import initdb

    initdb()
    for each in SCENARIOS:
        sys.stdout.write(
            " | ".join([each.name.ljust(29), *(f"{found!s:<38}" for found in outcomes(each).values())]) + "\n"
        )
