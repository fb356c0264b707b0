"""Producers and consumers of asset events: of whole pulls, and of days. Airflow 3.2 and later."""

import os
from datetime import datetime
from zoneinfo import ZoneInfo

from airflow.providers.common.compat.sdk import DAG, Asset
from airflow.sdk import CronPartitionTimetable, PartitionedAssetTimetable, task

from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator

ORDERS = os.environ["ORDERS"]
# The first two midnights at which a day of the book is over.
INDIA = ZoneInfo("Asia/Kolkata")
MIDNIGHTS = {"start_date": datetime(2024, 5, 9, tzinfo=INDIA), "end_date": datetime(2024, 5, 10, tzinfo=INDIA)}
UTC_MIDNIGHTS = {name: moment.replace(tzinfo=ZoneInfo("UTC")) for name, moment in MIDNIGHTS.items()}
plain_orders = Asset("plain-orders", uri=f"{ORDERS}/plain")
month_orders = Asset("month-orders", uri=f"{ORDERS}/month")

with DAG("plain_producer", schedule="0 0 * * *", catchup=True, max_active_runs=1, **MIDNIGHTS):
    KapturePullOrdersOperator(
        task_id="pull", destination=f"{ORDERS}/plain/", file_format="jsonl", lookback=1, outlets=[plain_orders]
    )

with DAG("plain_consumer", schedule=[plain_orders]):

    @task
    def files_of_events(triggering_asset_events=None):
        """Return the files of each event that the run was handed."""
        return [[file["uri"] for file in event.extra["files"]] for event in triggering_asset_events[plain_orders]]

    files_of_events()

# [START howto_partitions]
daily_orders = Asset("daily-orders", uri=f"{ORDERS}/daily")

with DAG(
    "orders_by_day",
    schedule=CronPartitionTimetable("0 0 * * *", timezone="UTC", run_offset=-1, key_format="%Y-%m-%d"),
    catchup=True,
    **UTC_MIDNIGHTS,
):
    KapturePullOrdersOperator(
        task_id="pull",  # the window: the account's day of the partition key
        destination=f"{ORDERS}/daily/",
        file_format="jsonl",
        outlets=[daily_orders],
    )

with DAG("each_day_once", schedule=PartitionedAssetTimetable(assets=daily_orders)):

    @task
    def files_of_day(dag_run=None, triggering_asset_events=None):
        """Return the file of the run's day."""
        events = triggering_asset_events[daily_orders]
        return [event.extra["files_by_day"][dag_run.partition_key]["uri"] for event in events]

    files_of_day()
# [END howto_partitions]

with DAG("not_by_day", schedule=[daily_orders, month_orders]):
    files_of_events()

with DAG("month_by_day", schedule=None):
    KapturePullOrdersOperator(
        task_id="pull",
        window_start="2024-05-08",
        window_end="2024-05-11",
        destination=f"{ORDERS}/month/",
        partition_events=True,
        retries=3,
        outlets=[month_orders],
    )

with DAG("each_day_of_the_month", schedule=PartitionedAssetTimetable(assets=month_orders)):

    @task
    def file_of_key(dag_run=None, triggering_asset_events=None):
        """Return the file of the run's day."""
        events = triggering_asset_events[month_orders]
        return [event.extra["files_by_day"][dag_run.partition_key]["uri"] for event in events]

    file_of_key()
