"""A watcher fires an asset event for new orders, and a DAG pulls the days on which they were created. Needs Airflow 3.

An event contains the creation times of the oldest and newest of its new orders. Each day is one object, so pulling it
again duplicates nothing, and includes late orders and those of an event that was lost with its triggerer. Events that
arrive during a run are handled by the next run together.
"""

from importlib.util import find_spec

if find_spec("airflow.sdk") is not None:
    # [START howto_orders_watcher]
    from datetime import datetime, timedelta
    from typing import Any

    from airflow.providers.common.compat.sdk import AirflowSkipException
    from airflow.sdk import DAG, Asset, AssetWatcher, task

    from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator
    from airflow_provider_kapture.triggers.kapture import KaptureOrdersEventTrigger
    from airflow_provider_kapture.windows import plan_windows

    new_orders = Asset(
        "kapture_new_orders",
        watchers=[AssetWatcher(name="kapture", trigger=KaptureOrdersEventTrigger(poll_interval=300))],
    )

    with DAG("kapture_orders_watcher", schedule=[new_orders], catchup=False, max_active_runs=1) as dag:

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
        ).expand_kwargs(days_with_new_orders())
    # [END howto_orders_watcher]
