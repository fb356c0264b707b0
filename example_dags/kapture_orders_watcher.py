"""New orders, an asset event, and the days that they were created on pulled again. Airflow 3 has watchers, 2 has not.

An event says when the first and the last of its new orders were created. A day is one object, so that pulling it again
repeats nothing; it takes in what came since, what came late, and what an event told that got lost with its triggerer.
Events that come while a run is busy are one run together.
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
            """From the first day that has new orders to the last, a window for each day of the account."""
            told = [event.extra["payload"] for events in triggering_asset_events.values() for event in events]
            if not told:
                raise AirflowSkipException("This run was started by hand, and not by an event that tells of new orders")
            first = min(datetime.fromisoformat(each["first_create_date"]) for each in told)
            last = max(datetime.fromisoformat(each["last_create_date"]) for each in told)
            return plan_windows(first.date(), last.date() + timedelta(days=1), "day", timezone="Asia/Kolkata")

        KapturePullOrdersOperator.partial(
            task_id="pull_orders",
            destination="{{ var.value.get('kapture_orders', 'file:///tmp/kapture-orders') }}/",
        ).expand_kwargs(days_with_new_orders())
    # [END howto_orders_watcher]
