"""Run Airflow's UI with the example DAGs and the emulator that they pull from, until Ctrl-C."""

from __future__ import annotations

import signal
import tempfile
from pathlib import Path

from airflow_standalone import USER, Standalone

from airflow_provider_kapture.emulator import Book, Emulator

HERE = Path(__file__).resolve().parent.parent
OUTPUT = HERE / "ui-output"
DAYS = 30
ORDERS = 9_000


def configure(airflow: Standalone, kapture: Emulator) -> None:
    """Create the connection and the pool that the examples need."""
    connection = {
        "connection_id": "kapture_default",
        "conn_type": "kapture",
        "host": kapture.origin,
        "login": kapture.user,
        "password": kapture.password,
        "extra": f'{{"cm_id": {kapture.cm_id}}}',
    }
    airflow.call("POST", "connections", connection)
    airflow.call("POST", "pools", {"name": "kapture", "slots": 4, "description": "Concurrent pulls from Kapture"})


def main() -> None:
    """Serve until Ctrl-C or SIGTERM, and stop every process at the end."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print("Starting Airflow; it takes half a minute", flush=True)
    settings = {
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW_VAR_KAPTURE_ORDERS": OUTPUT.as_uri(),
    }
    with (
        tempfile.TemporaryDirectory(prefix="kapture-ui-") as home,
        Emulator(Book.until_now(ORDERS, DAYS, "Asia/Kolkata")) as kapture,
        Standalone(Path(home) / "airflow", HERE / "example_dags", settings) as airflow,
    ):
        configure(airflow, kapture)
        print(f"\n  Airflow    {airflow.url}\n  user       {USER}\n  password   {airflow.password}")
        print(f"  Kapture    {kapture.origin}\n  orders     {OUTPUT}\n\nPress Ctrl-C to stop", flush=True)
        airflow.run_until_stopped()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("Stopped; no process is left running")
