"""Pull three days of orders from the emulator into files with a real Airflow, compare the numbers, and audit a folder.

What it prints around the runs is in ``airflow_provider_kapture.demo``, which does the same without a metadata database.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_kapture import demo

if TYPE_CHECKING:
    from airflow_provider_kapture.emulator import Emulator

HERE = Path(__file__).resolve().parent.parent
OUTPUT = HERE / "demo-output"
DAG = HERE / "example_dags" / "kapture_orders_on_demand.py"
DAILY = HERE / "example_dags" / "kapture_orders_daily.py"


def prepare(home: str) -> None:
    """Set up a temporary Airflow that contains only the example DAGs."""
    for name in [name for name in os.environ if name.startswith("AIRFLOW_")]:
        del os.environ[name]
    os.environ |= {
        "AIRFLOW_HOME": home,
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(HERE / "example_dags"),
        # The window of the last run ends today, which is a warning.
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        "AIRFLOW_VAR_KAPTURE_ORDERS": OUTPUT.as_uri(),
    }
    airflow = str(Path(sys.executable).with_name("airflow"))
    subprocess.run([airflow, "db", "migrate"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def pull(day: dt.date) -> dict[str, Any]:
    """Run the example DAG for a day, and return its receipt."""
    sys.path.insert(0, str(DAG.parent))
    from kapture_orders_on_demand import dag

    run = dag.test(run_conf={"first": day.isoformat()})
    task = run.get_task_instance("pull_orders")
    if task is None or task.state != "success":
        sys.exit(f"The run for {day} did not succeed")
    receipt: dict[str, Any] = task.xcom_pull(task_ids="pull_orders", key="receipt")
    return receipt


def pull_complete_days(kapture: Emulator) -> str:
    """Run the daily example DAG for each day of the emulator that is over, and return the folder of its files."""
    from kapture_orders_daily import dag

    for number in range(1, demo.DAYS):
        at = dt.datetime.combine(kapture.book.start + dt.timedelta(days=number), dt.time(3), dag.timezone)
        if dag.test(logical_date=at).state != "success":
            sys.exit(f"The daily run of {at} did not succeed")
    return f"{OUTPUT}/daily/"


def main() -> int:
    """Run the demo, and return the exit status: 0 if every order is in the files."""
    from airflow_provider_kapture.emulator import Emulator

    shutil.rmtree(OUTPUT, ignore_errors=True)
    OUTPUT.mkdir()
    with tempfile.TemporaryDirectory(prefix="kapture-demo-") as home, Emulator(demo.demo_book()) as kapture:
        how = f"A real Airflow runs {DAG.relative_to(HERE)} once for each day."
        print(demo.introduction(kapture, how, OUTPUT), flush=True)
        prepare(home)
        os.environ |= kapture.connection_uri_env()
        started = time.monotonic()
        receipts = [pull(kapture.book.start + dt.timedelta(days=number)) for number in range(demo.DAYS)]
        text, is_complete = demo.report(kapture, receipts, time.monotonic() - started)
        print(text)
        print(f"{DAILY.relative_to(HERE)} pulls the days that are over into a folder of days.", flush=True)
        print(demo.audited_changes(kapture, pull_complete_days(kapture)))
    print(next_steps())
    return int(not is_complete)


def next_steps() -> str:
    """Return what to try after the demo."""
    return f"""\
The files are in {OUTPUT}. Try next:

  .venv/bin/{demo.query_command(f"{OUTPUT}/on-demand/all/create_date=*/*.csv")}
      count the orders by status
  make ui
      open Airflow's UI with the example DAGs and a local Kapture
  .venv/bin/kapture emulator
      run such a Kapture until Ctrl-C; it prints a connection for your DAGs
  .venv/bin/kapture doctor CONN_ID
      check the connection to your own account, and see its settings

README.md says how to install the provider into your Airflow."""


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("Stopped; no process is left running")
