"""Pull three days of orders from the emulator into files with a real Airflow, and compare the number of orders."""

from __future__ import annotations

import csv
import datetime as dt
import os
import shutil
import subprocess
import sys
import tempfile
from itertools import islice
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent.parent
OUTPUT = HERE / "demo-output"
DAYS = [dt.date(2024, 5, 8) + dt.timedelta(days=number) for number in range(3)]
SHOWN = ("id", "createDate", "customerId", "deliveryStatus", "productValue", "sellingPrice")


def prepare(home: str) -> None:
    """Set up a temporary Airflow that contains only the example DAGs."""
    os.environ |= {
        "AIRFLOW_HOME": home,
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(HERE / "example_dags"),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "AIRFLOW_VAR_KAPTURE_ORDERS": OUTPUT.as_uri(),
    }
    airflow = str(Path(sys.executable).with_name("airflow"))
    subprocess.run([airflow, "db", "migrate"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def pull(day: dt.date) -> dict[str, Any]:
    """Run the example DAG for a day, and return its receipt."""
    sys.path.insert(0, str(HERE / "example_dags"))
    from kapture_orders_on_demand import dag

    conf = {"start": day.isoformat(), "end": (day + dt.timedelta(days=1)).isoformat()}
    run = dag.test(run_conf=conf)
    task = run.get_task_instance("pull_orders")
    if task is None or task.state != "success":
        sys.exit(f"The run for {day} did not succeed")
    receipt: dict[str, Any] = task.xcom_pull(task_ids="pull_orders", key="receipt")
    return receipt


def main() -> int:
    """Run the demo, and return the exit status: 0 if every order is in the files."""
    from airflow_provider_kapture.emulator import Book, Emulator

    shutil.rmtree(OUTPUT, ignore_errors=True)
    OUTPUT.mkdir()
    with tempfile.TemporaryDirectory(prefix="kapture-demo-") as home, Emulator(Book(orders=3600, days=3)) as kapture:
        prepare(home)
        os.environ |= kapture.connection_uri_env()
        receipts = [pull(day) for day in DAYS]
        expected = kapture.count(DAYS[0], DAYS[-1])
        requests = kapture.stats()["requests"]
    for receipt in receipts:
        [file] = receipt["files"]
        print(f"[{receipt['window_start']}, {receipt['window_end']})  {receipt['rows']:>5} orders  {file['uri']}")
    print()
    show(first_rows(receipts[0]["files"][0]["uri"], 5))
    rows = sum(receipt["rows"] for receipt in receipts)
    verdict = "all of them" if rows == expected else "NOT THE SAME"
    print(f"\n{rows} orders in the files, {expected} in Kapture: {verdict}; {requests} requests")
    return int(rows != expected)


def first_rows(uri: str, count: int) -> list[dict[str, Any]]:
    """Return the first rows of a CSV file."""
    with Path(uri.removeprefix("file://")).open(encoding="utf-8", newline="") as rows:
        return list(islice(csv.DictReader(rows), count))


def show(orders: list[dict[str, Any]]) -> None:
    """Print orders as a table."""
    rows = [SHOWN, *(tuple(str(order.get(name)) for name in SHOWN) for order in orders)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("Stopped; no process is left running")
