"""Retries and reruns by a real Airflow: the state that it keeps for a task where it does, its Variables elsewhere."""

import datetime as dt
import inspect
import runpy
from pathlib import Path

import pytest

from airflow_provider_kapture.emulator import Book, Emulator
from airflow_provider_kapture.storage.checkpoint import Checkpoint

# Airflow's own, of its test client and database layers.
pytestmark = pytest.mark.filterwarnings("ignore")

EXAMPLE = Path(__file__).parents[2] / "example_dags" / "kapture_orders_on_demand.py"


@pytest.fixture
def kapture(monkeypatch):
    with Emulator(Book(orders=300, days=30)) as running:
        for name, value in running.connection_uri_env().items():
            monkeypatch.setenv(name, value)
        yield running


def published(folder):
    return {path.parent.name.removeprefix("create_date=") for path in folder.rglob("orders_*") if path.is_file()}


def requested_days(kapture):
    return {each.body["createStartDate"] for each in kapture.requests_seen}


def logical_date(dag):
    return "logical_date" if "logical_date" in inspect.signature(dag.test).parameters else "execution_date"


def variables():
    from airflow.models import Variable
    from airflow.utils.session import create_session

    with create_session() as session:
        return [each.key for each in session.query(Variable)]  # noqa: AIR311 - the table itself


def test_a_retry_goes_on_at_the_day_that_failed_and_a_rerun_pulls_all(airflow_db, kapture, tmp_path):
    others = variables()  # of runs that failed elsewhere in this session
    # The 17th of 30 days can't be put in place.
    in_the_way = tmp_path / "create_date=2024-05-24" / "orders_20240523T183000Z_20240524T183000Z.csv"
    in_the_way.mkdir(parents=True)
    before = set()

    def mend(_):
        before.update(published(tmp_path))
        in_the_way.rmdir()
        kapture.reset()

    dag = runpy.run_path(str(EXAMPLE))["dag"]
    pull = dag.get_task("pull_orders")
    pull.destination, pull.file_format = f"{tmp_path}/", "csv"
    pull.retries, pull.retry_delay, pull.on_retry_callback = 1, dt.timedelta(0), [mend]
    # Airflow takes the same logical date for the same run.
    arguments = {
        "run_conf": {"start": "2024-05-08", "end": "2024-06-07"},
        logical_date(dag): dt.datetime(2026, 1, 5, tzinfo=dt.UTC),
    }
    assert dag.test(**arguments).state == "success"
    assert sorted(before) == [f"2024-05-{day:02d}" for day in range(8, 24)]
    every_day = published(tmp_path)
    assert len(every_day) == 30
    assert requested_days(kapture) == every_day - before
    assert variables() == others
    kapture.reset()
    assert dag.test(**arguments).state == "success"
    assert requested_days(kapture) == every_day


class Store(dict):
    delete = dict.__delitem__

    def set(self, key, value):
        self[key] = value


def test_other_work_starts_afresh_and_leaves_nothing():
    store = Store()
    Checkpoint(store, "key", {"filters": 1}).save("day", {"rows": 1})
    assert Checkpoint(store, "key", {"filters": 1}).get("day") == {"rows": 1}
    other = Checkpoint(store, "key", {"filters": 2})
    assert other.get("day") is None
    other.clear()
    assert not store


def test_a_store_that_takes_nothing_fails_no_pull(mocker):
    store = Store()
    mocker.patch.object(Store, "set", side_effect=PermissionError)
    progress = Checkpoint(store, "key", {})
    progress.save("day", {"rows": 1})
    assert Checkpoint(store, "key", {}).get("day") is None
