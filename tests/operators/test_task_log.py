"""What a task's log holds of a pull: few lines at INFO, whatever its size."""

import datetime as dt
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_kapture.emulator import Book, Emulator
from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator


@pytest.fixture
def kapture(monkeypatch: pytest.MonkeyPatch):
    with Emulator(Book(orders=900, days=31, start=dt.date(2024, 5, 1))) as running:
        for name, value in running.connection_uri_env(page_size=20, max_concurrency=1).items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """The lines of this provider at INFO and above: of its modules, and of the operator, which logs as Airflow does."""
    monkeypatch.setattr(KapturePullOrdersOperator, "log", logging.getLogger("airflow_provider_kapture.any"))
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
