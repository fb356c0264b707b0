"""Two ways to wait for orders: a sensor until a day has enough of them, and a watcher until new ones appear.

The watcher needs Airflow 3. Its event contains the creation times of the oldest and newest of its new orders. Each day
is one object, so pulling it again duplicates nothing, and includes late orders and those of an event that was lost
with its triggerer. Events that arrive during a run are handled by the next run together.
"""

import importlib.util

# [START howto_orders_sensor]
from datetime import timedelta

import pendulum
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator
from airflow_provider_kapture.sensors.kapture import KaptureOrdersSensor

with DAG(
    "kapture_orders_sensor",
    description="Yesterday's orders, pulled once there are ten of them",
    doc_md=__doc__,
    tags=["kapture", "example"],
    schedule="0 1 * * *",
    start_date=pendulum.datetime(2024, 5, 1, tz="Asia/Kolkata"),
    catchup=False,
) as dag:
    wait_for_orders = KaptureOrdersSensor(
        task_id="wait_for_orders",
        window="day",
        min_orders=10,
        deferrable=True,
        poke_interval=timedelta(minutes=5),
        timeout=timedelta(hours=12),
    )
    pull_orders = KapturePullOrdersOperator(
        task_id="pull_orders",
        window="day",
        destination="{{ var.value.get('kapture_orders', 'file:///tmp/kapture-orders') }}/sensor/",
        file_format="parquet",
    )
    wait_for_orders >> pull_orders
# [END howto_orders_sensor]

if importlib.util.find_spec("airflow.sdk"):
    # [START howto_orders_watcher]
    from datetime import datetime
    from typing import Any

    from airflow.providers.common.compat.sdk import AirflowSkipException
    from airflow.sdk import Asset, AssetWatcher, task

    from airflow_provider_kapture.triggers.kapture import KaptureOrdersEventTrigger
    from airflow_provider_kapture.windows import plan_windows

    new_orders = Asset(
        "kapture_new_orders",
        watchers=[AssetWatcher(name="kapture", trigger=KaptureOrdersEventTrigger(poll_interval=300))],
    )

    with DAG(
        "kapture_orders_watcher",
        description="The days of new orders, pulled as they appear",
        doc_md=__doc__,
        tags=["kapture", "example"],
        schedule=[new_orders],
        catchup=False,
        max_active_runs=1,
    ) as watcher_dag:

        @task
        def days_with_new_orders(triggering_asset_events: Any = None) -> list[dict[str, str]]:
            """Return a window for each day of the account, from the first to the last with new orders."""
            payloads = [event.extra["payload"] for events in triggering_asset_events.values() for event in events]
            if not payloads:
                raise AirflowSkipException("This run was triggered manually, so there is no event with new orders")
            first = min(datetime.fromisoformat(each["first_create_date"]) for each in payloads)
            last = max(datetime.fromisoformat(each["last_create_date"]) for each in payloads)
            return plan_windows(first.date(), last.date() + timedelta(days=1), "day", timezone="Asia/Kolkata")

        KapturePullOrdersOperator.partial(
            task_id="pull_orders",
            destination="{{ var.value.get('kapture_orders', 'file:///tmp/kapture-orders') }}/watcher/",
            file_format="parquet",
            map_index_template="{{ task.window_start[:10] }}",
        ).expand_kwargs(days_with_new_orders())
    # [END howto_orders_watcher]
