"""What runs under a whole Airflow. The emulator's book has orders on three days of the account, from 2024-05-08."""

import os
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from airflow.providers.common.compat.sdk import DAG, Asset
from airflow.sdk import task

from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator
from airflow_provider_kapture.sensors.kapture import KaptureOrdersSensor

ORDERS = os.environ["ORDERS"]
INDIA = ZoneInfo("Asia/Kolkata")
BOOK = {"window_start": "2024-05-08", "window_end": "2024-05-11"}
# The midnights at which the days of the book are over.
MIDNIGHT = "0 0 * * *"
MIDNIGHTS = {
    "start_date": datetime(2024, 5, 9, tzinfo=INDIA),
    "end_date": datetime(2024, 5, 11, tzinfo=INDIA),
}
orders = Asset("kapture-orders", uri=f"{ORDERS}/produced")

with DAG("scheduled", schedule=MIDNIGHT, catchup=True, **MIDNIGHTS):
    KapturePullOrdersOperator(task_id="pull", destination=f"{ORDERS}/scheduled/")

with DAG("backfilled", schedule=MIDNIGHT, catchup=False, **MIDNIGHTS):
    KapturePullOrdersOperator(task_id="pull", destination=f"{ORDERS}/backfilled/", lookback=1)

with DAG(
    "kapture_orders_daily",
    schedule="0 3 * * *",
    start_date=datetime(2024, 1, 1, tzinfo=INDIA),
    end_date=datetime(2024, 5, 12, tzinfo=INDIA),
    catchup=False,
):
    KapturePullOrdersOperator(task_id="pull", window="day", destination=f"{ORDERS}/by_command/")

with DAG("crashing", schedule=None):
    KapturePullOrdersOperator(
        task_id="pull", destination=f"{ORDERS}/crashing/", retries=1, retry_delay=timedelta(seconds=1), **BOOK
    )

with DAG("stopped", schedule=None):
    KapturePullOrdersOperator(task_id="pull", destination=f"{ORDERS}/stopped/", **BOOK)

with DAG("refused", schedule=None):
    KapturePullOrdersOperator(
        task_id="pull", destination=f"{ORDERS}/refused/", kapture_conn_id="kapture_refused", retries=3, **BOOK
    )

with DAG("producing", schedule=None):
    KapturePullOrdersOperator(
        task_id="pull", destination=f"{ORDERS}/produced/", file_format="jsonl", outlets=[orders], **BOOK
    )

with DAG("lineage", schedule=None):
    KapturePullOrdersOperator(task_id="pull", destination=f"{ORDERS}/lineage/", **BOOK)

with DAG("consuming", schedule=[orders]):

    @task
    def count_lines(triggering_asset_events=None):
        events = [event for of_asset in triggering_asset_events.values() for event in of_asset]
        files = {file["uri"] for event in events for file in event.extra["files"]}
        return sum(Path(uri.removeprefix("file://")).read_bytes().count(b"\n") for uri in files)

    count_lines()

# Airflow fails a try whose trigger fires before the scheduler has heard of the deferral; the next try mends it.
with DAG("waiting", schedule=None, default_args={"retries": 2, "retry_delay": timedelta(seconds=1)}):
    wait = KaptureOrdersSensor(
        task_id="wait",
        window_start="2024-05-08",
        window_end="2024-05-09",
        min_orders=150,
        deferrable=True,
        poke_interval=1,
    )
    pull = KapturePullOrdersOperator(
        task_id="pull",
        window_start="2024-05-08",
        window_end="2024-05-09",
        destination=f"{ORDERS}/waited/day.jsonl",
    )
    wait >> pull
