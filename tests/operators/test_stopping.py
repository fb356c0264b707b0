"""SIGTERM (a worker shuts down, a task is marked failed) and execution_timeout, in task runs of a real Airflow."""

import datetime as dt
import json
import os
import runpy
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import airflow
import pull_threads
import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowTaskTimeout

from airflow_provider_kapture.emulator import Book, Emulator
from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator

EXAMPLE = Path(__file__).parents[2] / "example_dags" / "kapture_orders_on_demand.py"

# Airflow 3 logs an exit without a traceback, and Airflow 2 an error of its own.
KILLED = AirflowException if airflow.__version__.startswith("2.") else SystemExit

# Airflow's own, of its own test client and database layers
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(120)]


@pytest.fixture
def kapture(airflow_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """A Kapture that has too much to do for an hour, once the first day is read."""
    with Emulator(Book(orders=300, days=3)) as running:
        for name, value in running.connection_uri_env(max_concurrency=1).items():
            monkeypatch.setenv(name, value)
        running.set(status_every=3, status=503, retry_after="3600")
        yield running


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Airflow leaves its handler of a task's signals in place."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGALRM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@contextmanager
def once(happened: Callable[[], bool], act: Callable[[], None]) -> Iterator[None]:
    """Act in another thread, once something has happened."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            if happened():
                act()
                return

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def run(folder: Path, execution_timeout: dt.timedelta | None = None) -> Any:
    dag = runpy.run_path(str(EXAMPLE))["dag"]
    pull = dag.get_task("pull_orders")
    pull.destination = f"{folder}/"
    pull.execution_timeout = execution_timeout
    return dag.test(run_conf={"first": "2024-05-08", "last": "2024-05-10"})


def check_stopped(folder: Path) -> None:
    owner = folder / "_kapture.json"
    [receipt] = folder.glob("_receipts/*/*")
    [left] = (path for path in folder.rglob("*") if path.is_file() and path not in {receipt, owner})
    assert left.parent.name == "create_date=2024-05-08"
    assert list(json.loads(receipt.read_text())["days"]) == [str(left.relative_to(folder))]
    for thread in threading.enumerate():
        if thread.name in pull_threads.NAMES:
            thread.join()


def test_sigterm_ends_a_pull_that_waits_for_kapture(kapture: Emulator, tmp_path: Path) -> None:
    with once(lambda: "503" in map(str, kapture.stats()["statuses"]), lambda: os.kill(os.getpid(), signal.SIGTERM)):
        assert run(tmp_path).state == "failed"
    check_stopped(tmp_path)


def test_a_task_that_takes_too_long_ends_so_too(kapture: Emulator, tmp_path: Path) -> None:
    with suppress(AirflowTaskTimeout):  # Airflow 2's dag.test() lets it through
        assert run(tmp_path, execution_timeout=dt.timedelta(seconds=3)).state == "failed"
    check_stopped(tmp_path)


def test_a_task_that_was_stopped_before_it_began_asks_nothing(kapture: Emulator, tmp_path: Path) -> None:
    pull = KapturePullOrdersOperator(
        task_id="pull", window_start="2024-05-08", window_end="2024-05-11", destination=f"{tmp_path}/"
    )
    pull.on_kill()
    with pytest.raises(KILLED, match="killed"):
        pull.execute({})
    assert kapture.stats()["requests"] == 0


def test_a_stop_that_something_swallowed_is_not_forgotten(kapture: Emulator, tmp_path: Path) -> None:
    pull = KapturePullOrdersOperator(
        task_id="pull", window_start="2024-05-08", window_end="2024-05-11", destination=f"{tmp_path}/"
    )
    with once(lambda: kapture.stats()["requests"] > 0, lambda: setattr(pull, "_is_killed", True)):
        kapture.set(status_every=None, latency=0.2)
        with pytest.raises(KILLED, match="killed"):
            pull.execute({})
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_threads_of_a_pull_have_the_names_that_tests_look_for(kapture: Emulator, tmp_path: Path) -> None:
    kapture.set(status_every=None, latency=0.2)
    pull = KapturePullOrdersOperator(
        task_id="pull", window_start="2024-05-08", window_end="2024-05-11", destination=f"{tmp_path}/"
    )
    with (
        once(lambda: pull_threads.running() == pull_threads.NAMES, lambda: setattr(pull, "_is_killed", True)),
        pytest.raises(KILLED, match="killed"),
    ):
        pull.execute({})
    assert not pull_threads.running()
