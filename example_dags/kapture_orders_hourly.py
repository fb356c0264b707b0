"""The orders of each hour in a JSONL file, and a DAG that reads each new file."""

# [START howto_orders_hourly]
import gzip
import json
from collections import Counter
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, Asset, ObjectStoragePath, task

from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator

kapture_orders = Asset("kapture_orders")

with DAG(
    "kapture_orders_hourly",
    schedule="@hourly",
    start_date=pendulum.datetime(2024, 5, 1, tz="UTC"),
    catchup=False,
) as dag:
    KapturePullOrdersOperator(
        task_id="pull_orders",  # the window is the run's data interval, or the last complete hour
        destination="{{ var.value.get('kapture_orders', 'file:///tmp/kapture-orders') }}/hourly/",
        file_format="jsonl.gz",
        outlets=[kapture_orders],
    )
# [END howto_orders_hourly]

# [START howto_orders_consumer]
with DAG(
    "kapture_orders_consumer",
    schedule=[kapture_orders],
    start_date=pendulum.datetime(2024, 5, 1, tz="UTC"),
) as consumer:

    @task
    def count_by_status(**context: Any) -> dict[str, int]:
        """Count the orders of each status in the files of the pulls since the last run."""
        # The second name is Airflow 2's. Each pull fires one event, whose extra is the receipt.
        events = context.get("triggering_asset_events") or context["triggering_dataset_events"]
        receipts = [event.extra for of_asset in events.values() for event in of_asset]
        statuses: Counter[str] = Counter()
        # If a pull was repeated, two receipts contain the same file: read it once.
        for uri in sorted({file["uri"] for receipt in receipts for file in receipt["files"]}):
            lines = gzip.decompress(ObjectStoragePath(uri).read_bytes()).splitlines()
            statuses.update(json.loads(line)["deliveryStatus"] for line in lines)
        return dict(statuses)

    count_by_status()
# [END howto_orders_consumer]
