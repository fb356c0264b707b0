"""What a task's log holds of a pull: few lines at INFO, whatever its size, and of its failure one line at ERROR."""

import datetime as dt
import errno
import logging
import os
import traceback
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSensorTimeout, AirflowSkipException
from pytest_mock import MockerFixture

from airflow_provider_kapture.client.errors import KaptureError
from airflow_provider_kapture.emulator import Book, Emulator
from airflow_provider_kapture.operators.audit import KaptureAuditOperator
from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator
from airflow_provider_kapture.sensors.kapture import KaptureOrdersSensor


@pytest.fixture
def kapture(monkeypatch: pytest.MonkeyPatch):
    with Emulator(Book(orders=900, days=31, start=dt.date(2024, 5, 1))) as running:
        for name, value in running.connection_uri_env(page_size=20, max_concurrency=1).items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """The lines of this provider at INFO and above: of its modules, and of the operator, which logs as Airflow does."""
    for task in (KapturePullOrdersOperator, KaptureAuditOperator, KaptureOrdersSensor):
        monkeypatch.setattr(task, "log", logging.getLogger("airflow_provider_kapture.any"))
    caplog.set_level(logging.INFO, "airflow_provider_kapture")
    return caplog


def pull(context: dict[str, Any] | None = None, **arguments: Any) -> Any:
    edges = {"window_start": "2024-05-01", "window_end": "2024-06-01"}
    return KapturePullOrdersOperator(task_id="pull", **(edges | arguments)).execute(context or {})


def levels(log: pytest.LogCaptureFixture) -> list[str]:
    """The level of each line, none of which is more than a line."""
    # Airflow itself warns that it is not a task runner that calls.
    records = [each for each in log.records if "airflow_provider_kapture" in each.pathname]
    assert not [each for each in records if "\n" in each.getMessage() or each.exc_info]
    return [each.levelname for each in records]


@pytest.mark.usefixtures("kapture")
@pytest.mark.parametrize("name", ["orders/", "orders.parquet"])
def test_a_good_pull_is_a_few_lines(log: pytest.LogCaptureFixture, tmp_path: Path, name: str) -> None:
    pull(destination=f"{tmp_path}/{name}")
    assert levels(log) == ["INFO"] * 3


@pytest.mark.usefixtures("kapture")
def test_an_empty_window_is_a_line_more(log: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    receipt = pull(window_start="2023-01-01", window_end="2023-01-02", destination=f"{tmp_path}/")
    assert levels(log) == ["INFO"] * 4
    assert receipt["files"][0]["uri"] in log.records[-1].getMessage()


@pytest.mark.usefixtures("kapture")
def test_a_pull_into_xcom_is_a_few_lines(log: pytest.LogCaptureFixture) -> None:
    pull(window_end="2024-05-02")
    assert levels(log) == ["INFO"] * 3


def test_a_retry_is_one_line(kapture: Emulator, log: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    kapture.set(status_every=40, status=503)
    receipt = pull(destination=f"{tmp_path}/")
    assert receipt["retries"] > 0
    assert sorted(levels(log)) == ["INFO"] * 3 + ["WARNING"] * receipt["retries"]


def test_days_of_an_earlier_try_are_one_line(kapture: Emulator, log: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    kept: dict[str, Any] = {}
    store = SimpleNamespace(get=kept.get, set=kept.__setitem__, delete=kept.pop)
    context = {"ti": SimpleNamespace(xcom_push=lambda **_: None), "task_state_store": store}
    kapture.set(status_every=25, status=401)
    with pytest.raises(AirflowFailException):
        pull(context, destination=f"{tmp_path}/")
    assert len(list(tmp_path.rglob("orders_*"))) > 2
    kapture.set(status_every=None)
    log.clear()
    pull(context, destination=f"{tmp_path}/")
    assert levels(log) == ["INFO"] * 4


class Failed:
    """The end of a task that failed.

    :ivar error: what it has raised
    """

    def __init__(self, error: BaseException, log: pytest.LogCaptureFixture) -> None:
        self.error = error
        self.lines = [each.getMessage() for each in log.records if each.levelname == "ERROR"]

    def check(self) -> None:
        """One line has the whole message and the connection, and no frame is of a thread or a retry."""
        assert self.lines == [str(self.error)]
        assert "'kapture_default'" in self.lines[0]
        assert "\n" not in self.lines[0]
        assert self.error.__cause__ is None
        assert self.error.__suppress_context__ or self.error.__context__ is None
        ours = [
            Path(frame.filename).parent.name
            for frame in traceback.extract_tb(self.error.__traceback__)
            if "airflow_provider_kapture" in frame.filename
        ]
        assert set(ours) <= {"operators", "sensors", "airflow_provider_kapture"}


FAILURES = {
    "wrong credentials": ({"status_every": 1, "status": 401}, {}, True),
    "in the middle of a pull": ({"status_every": 9, "status": 401}, {}, True),
    "a busy server": ({"status_every": 1, "status": 503}, {"retry_budget": 0.05}, False),
    "a broken connection": ({"drop_every": 1}, {"retry_budget": 0.05}, False),
    "a wrong setting": ({}, {"page_size": 1}, True),
    "a time zone that is not the account's": ({"timezone": "America/New_York"}, {}, True),
}


@pytest.mark.parametrize("task", [KapturePullOrdersOperator, KaptureOrdersSensor])
@pytest.mark.parametrize("case", FAILURES.values(), ids=FAILURES)
def test_a_failure_is_one_line(
    kapture: Emulator,
    log: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    task: Any,
    case: tuple[dict[str, Any], dict[str, Any], bool],
) -> None:
    switches, extra, is_permanent = case
    if extra:
        monkeypatch.setenv("AIRFLOW_CONN_KAPTURE_DEFAULT", kapture.connection_json(**extra))
    kapture.set(**switches)
    more = {"min_orders": 1000} if task is KaptureOrdersSensor else {"max_xcom_bytes": 10**9}
    with pytest.raises(AirflowFailException if is_permanent else KaptureError) as caught:
        task(task_id="task", window_start="2024-05-01", window_end="2024-06-01", **more).execute({})
    Failed(caught.value, log).check()


@pytest.mark.usefixtures("kapture")
@pytest.mark.parametrize("destination", ["orders/", "orders.parquet"])
@pytest.mark.parametrize(
    "case",
    [
        (("os.fsync", errno.ENOSPC), OSError, "No space left on device while orders were spooled in .*; free space"),
        (("os.fsync", errno.EIO), OSError, "Input/output error; check the disks|Could not write"),
        (("pathlib.Path.replace", errno.EIO), OSError, "Could not (put|write) .*orders.*"),
        (("pathlib.Path.replace", errno.EACCES), AirflowFailException, "cannot be put in place|lacks a permission"),
    ],
)
def test_an_error_of_the_operating_system_is_one_line(
    log: pytest.LogCaptureFixture,
    tmp_path: Path,
    mocker: MockerFixture,
    destination: str,
    case: tuple[tuple[str, int], type[Exception], str],
) -> None:
    (call, number), error, message = case
    mocker.patch(call, side_effect=OSError(number, os.strerror(number)))
    with pytest.raises(error, match=message) as caught:
        pull(destination=f"{tmp_path}/{destination}")
    Failed(caught.value, log).check()
    assert getattr(caught.value, "errno", number) == number


@pytest.mark.usefixtures("kapture")
def test_an_audit_that_cannot_write_its_report_is_one_line(
    log: pytest.LogCaptureFixture, tmp_path: Path, mocker: MockerFixture
) -> None:
    pull(window_end="2024-05-02", destination=f"{tmp_path}/")
    mocker.patch("pathlib.Path.replace", side_effect=OSError(errno.EIO, os.strerror(errno.EIO)))
    with pytest.raises(OSError, match=r"Could not write .*_audit") as caught:
        KaptureAuditOperator(task_id="audit", destination=f"{tmp_path}/", kapture_conn_id="kapture_default").execute({})
    Failed(caught.value, log).check()


@pytest.mark.usefixtures("kapture")
def test_a_destination_that_cannot_be_written_to_is_one_line(log: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(AirflowFailException, match=r"`destination` .* cannot be written to") as caught:
        pull(destination=f"{tmp_path}/file/orders/")
    Failed(caught.value, log).check()


@pytest.mark.usefixtures("airflow_db")
@pytest.mark.filterwarnings("ignore")  # Airflow's own, of its database layers
@pytest.mark.parametrize("task", [KapturePullOrdersOperator, KaptureOrdersSensor])
def test_a_missing_connection_is_one_line(log: pytest.LogCaptureFixture, task: Any) -> None:
    with pytest.raises(AirflowFailException) as caught:
        task(task_id="task", window="day").execute({})
    Failed(caught.value, log).check()


@pytest.mark.usefixtures("kapture")
def test_a_window_that_must_not_be_empty_is_one_line(log: pytest.LogCaptureFixture) -> None:
    with pytest.raises(AirflowFailException) as caught:
        pull(window_start="2023-01-01", window_end="2023-01-02", on_empty="fail")
    Failed(caught.value, log).check()


def test_the_triggers_error_is_one_line(log: pytest.LogCaptureFixture) -> None:
    for name in ("KaptureAuthError", "KaptureBusyError", "AirflowNotFoundException"):
        log.clear()
        with pytest.raises((AirflowFailException, KaptureError)) as caught:
            KaptureOrdersSensor(task_id="wait").execute_complete({}, failed(name))
        Failed(caught.value, log).check()


@pytest.mark.parametrize("soft_fail", [False, True])
def test_a_sensor_that_times_out_says_how_many_orders_there_are(
    kapture: Emulator, log: pytest.LogCaptureFixture, soft_fail: bool
) -> None:
    waiting = KaptureOrdersSensor(
        task_id="wait", window_start="2024-05-01", window_end="2024-06-01", min_orders=1_000, timeout=0
    )
    waiting.soft_fail = soft_fail
    with pytest.raises(AirflowSkipException if soft_fail else AirflowSensorTimeout, match="900 of 1,000 orders so far"):
        waiting.execute({})
    assert [each.getMessage() for each in log.records if each.levelname == "INFO"][-1] == "900 of 1,000 orders so far"
    assert levels(log).count("ERROR") == (not soft_fail)


def failed(name: str) -> dict[str, str]:
    return {"status": "failed", "error": name, "message": "what to do"}


def test_a_message_names_the_command_for_this_connection(kapture: Emulator) -> None:
    kapture.set(status_every=1, status=400)
    with pytest.raises(AirflowFailException, match="`kapture doctor kapture_default`"):
        pull()
