"""One Airflow for every test here, and a Kapture that it pulls from."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from airflow_standalone import Standalone

from airflow_provider_kapture.emulator import Book, Emulator

HERE = Path(__file__).parent


class Runs:
    """Runs of DAGs under an Airflow, from outside: through its REST API."""

    def __init__(self, airflow: Standalone) -> None:
        self.airflow = airflow

    def unpause(self, dag_id: str) -> None:
        self.airflow.call("PATCH", f"dags/{dag_id}", {"is_paused": False})

    def trigger(self, dag_id: str, **body) -> str:
        self.unpause(dag_id)
        return self.airflow.call("POST", f"dags/{dag_id}/dagRuns", {"logical_date": None, **body})["dag_run_id"]

    def backfill(self, dag_id: str, **body) -> dict:
        def ask() -> dict | None:
            try:
                return self.airflow.call("POST", "backfills", {"dag_id": dag_id, **body})
            except requests.HTTPError as error:
                if error.response.status_code != 503:  # SQLite is busy
                    raise
                return None

        return self.airflow.wait_for("a backfill", ask)

    def command(self, arguments: list[str]) -> None:
        """Run an ``airflow`` command; again while another component writes to SQLite, which Airflow undoes then."""

        def run() -> bool:
            airflow = Path(sys.executable).with_name("airflow")
            done = subprocess.run(
                [airflow, *arguments], env=self.airflow.environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0 or "database is locked" in done.stderr, done.stderr
            return done.returncode == 0

        self.airflow.wait_for(f"airflow {' '.join(arguments[:2])}", run)

    def of(self, dag_id: str) -> list[dict]:
        return self.airflow.call("GET", f"dags/{dag_id}/dagRuns", order_by="run_after")["dag_runs"]

    def finished(self, dag_id: str, count: int = 1) -> list[dict]:
        """So many runs of a DAG, each of which has ended."""

        def ask() -> list[dict] | None:
            runs = self.of(dag_id)
            return runs if len(runs) == count and {run["state"] for run in runs} <= {"success", "failed"} else None

        return self.airflow.wait_for(f"{count} finished runs of {dag_id}", ask)

    def task(self, dag_id: str, run_id: str, task_id: str = "pull") -> dict:
        return self.airflow.call("GET", f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}")

    def task_in(self, state: str, dag_id: str, run_id: str, task_id: str = "pull") -> dict:
        """A task that has come to a state."""

        def ask() -> dict | None:
            found = self.task(dag_id, run_id, task_id)
            return found if found["state"] == state else None

        return self.airflow.wait_for(f"{dag_id}.{task_id} in state {state}", ask)

    def xcom(self, dag_id: str, run_id: str, key: str = "receipt", task_id: str = "pull"):
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        return self.airflow.call("GET", path, deserialize=True)["value"]

    def log(self, dag_id: str, run_id: str, task_id: str = "pull", try_number: int = 1) -> str:
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{try_number}"
        return json.dumps(self.airflow.call("GET", path, full_content=True)["content"])


@pytest.fixture(scope="session")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the DAGs write to."""
    return tmp_path_factory.mktemp("orders")


@pytest.fixture(scope="session")
def account():
    """A Kapture for the whole session; its orders are the same ones before each test."""
    with Emulator(Book(orders=300, days=3)) as running:
        yield running


@pytest.fixture(scope="session")
def lineage_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where OpenLineage writes its events to, one a line."""
    return tmp_path_factory.mktemp("lineage") / "events.json"


@pytest.fixture(scope="session")
def airflow(account: Emulator, orders: Path, lineage_file: Path, tmp_path_factory: pytest.TempPathFactory):
    refused = json.loads(account.connection_json()) | {"password": "canary-password"}
    environment = {
        **account.connection_uri_env(page_size=20, max_concurrency=1),
        "AIRFLOW_CONN_KAPTURE_REFUSED": json.dumps(refused),
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(
            {"type": "file", "log_file_path": str(lineage_file), "append": True}
        ),
        "ORDERS": orders.as_uri(),
    }
    with Standalone(tmp_path_factory.mktemp("airflow"), HERE / "dags", environment) as running:
        running.wait_for("the DAGs", lambda: running.call("GET", "dags")["total_entries"] >= 17)
        yield running


@pytest.fixture(scope="session")
def runs(airflow: Standalone) -> Runs:
    return Runs(airflow)


@pytest.fixture
def kapture(account: Emulator):
    account.reset()
    yield account
    account.reset()
