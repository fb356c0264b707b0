"""The names of Airflow that it does not promise to keep are those of this Airflow: a rename fails here."""

from __future__ import annotations

import datetime as dt
import inspect
from typing import Any

import airflow
import pytest
from airflow.providers.common.compat.sdk import DAG, redact
from airflow.timetables import trigger
from connected import connected
from dag_runs import run_dag

from airflow_provider_kapture.airflow_internals import is_deferral_timeout, timetable_field
from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator
from airflow_provider_kapture.sensors.kapture import KaptureOrdersSensor
from airflow_provider_kapture.timetables import timetable_of

DAY = {"window_start": "2024-05-08", "window_end": "2024-05-09"}
IS_2 = airflow.__version__.startswith("2.")


@pytest.mark.filterwarnings("ignore")  # Airflow's own, of its test client and database layers
def test_airflow_renders_plain_and_mapped_tasks_where_personal_filters_are_masked(
    airflow_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asha, kiran = ({"email": f"{{{{ '{name}'.lower() }}}}@example.org"} for name in ("ASHA", "KIRAN"))

    def build() -> None:
        KaptureOrdersSensor(task_id="plain", **DAY, filters=asha)
        KapturePullOrdersOperator.partial(task_id="mapped", **DAY).expand(filters=[kiran])

    with connected(monkeypatch, 0, retry_budget=0.1) as kapture:
        kapture.set(status_every=1, status=401)
        run_dag(build)
    assert redact("asha@example.org kiran@example.org") == "*** ***"


@pytest.mark.parametrize("mode", ["poke", "reschedule"])
def test_airflow_asks_the_sensor_for_its_next_pause(monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    """Airflow's backoff begins with half the interval, and the sensor's with the whole."""
    paused: list[float] = []
    monkeypatch.setattr("time.sleep", paused.append)
    with connected(monkeypatch, 0, retry_budget=0.1):
        sensor = KaptureOrdersSensor(
            task_id="wait", **DAY, poke_interval=60, timeout=3600, exponential_backoff=True, mode=mode
        )
        monkeypatch.setattr(sensor, "poke", lambda _: bool(paused))
        if mode == "poke":
            sensor.execute({})
        else:
            paused.append(_reschedule_pause(sensor))
    assert paused[0] >= 60


def _reschedule_pause(sensor: Any) -> float:
    from types import SimpleNamespace

    from airflow.exceptions import AirflowRescheduleException

    if IS_2:
        pytest.skip("Airflow 2 reads when a task began from its database")
    task_instance = SimpleNamespace(get_first_reschedule_date=lambda _: None)
    began = dt.datetime.now(dt.UTC)
    with pytest.raises(AirflowRescheduleException) as rescheduled:
        sensor.execute({"ti": task_instance})
    pause: float = (rescheduled.value.reschedule_date - began).total_seconds()
    return pause


def test_airflow_names_a_deferral_that_took_too_long() -> None:
    if IS_2:
        from airflow.jobs.scheduler_job_runner import SchedulerJobRunner

        source = inspect.getsource(SchedulerJobRunner.check_trigger_timeouts)
        assert '"__fail__"' in source
        assert '"Trigger/execution timeout"' in source
        return
    from airflow.models.trigger import TRIGGER_FAIL_REPR, TriggerFailureReason

    error = TriggerFailureReason.TRIGGER_TIMEOUT
    assert is_deferral_timeout(TRIGGER_FAIL_REPR, {"error": error.value})
    assert not is_deferral_timeout(TRIGGER_FAIL_REPR, {"error": TriggerFailureReason.TRIGGER_FAILURE.value})
    assert not is_deferral_timeout("execute_complete", {"event": {}})


def timetables() -> dict[str, Any]:
    cron = trigger.CronTriggerTimetable("0 3 * * *", timezone="Asia/Kolkata")
    found = {"expression": cron, "timezone": cron, "delta": dt.timedelta(hours=6)}
    if hasattr(trigger, "MultipleCronTriggerTimetable"):
        found["timetables"] = trigger.MultipleCronTriggerTimetable("0 3 * * *", "0 4 * * *", timezone="UTC")
    if hasattr(trigger, "CronPartitionTimetable"):
        from airflow.sdk.definitions.timetables.trigger import CronPartitionTimetable

        found["key_format"] = CronPartitionTimetable("0 3 * * *", timezone="UTC")
    return found


@pytest.mark.parametrize("name", timetables())
def test_airflows_timetables_have_the_fields_that_windows_are_inferred_from(name: str) -> None:
    start = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    dag = DAG("fields", schedule=timetables()[name], start_date=start)
    assert timetable_field(timetable_of({"dag": dag}), name) is not None
    if name != "delta":  # the scheduler's own timetable, whose fields are private
        assert timetable_field(trigger.CronTriggerTimetable("0 3 * * *", timezone="UTC"), "expression") == "0 3 * * *"
