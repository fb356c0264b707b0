"""The month-backfill example, and beside it, on the same pool, a sensor that waits in the triggerer."""

from datetime import date, timedelta

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator
from airflow_provider_kapture.sensors.kapture import KaptureOrdersSensor
from airflow_provider_kapture.windows import plan_windows

with DAG(
    "kapture_month",
    schedule=None,
    params={"first": "2024-05-01", "days": 31, "destination": "s3://store@orders/month/"},
    default_args={"retries": 5, "retry_delay": timedelta(seconds=2)},
):

    @task
    def days_of(first: str, days: str) -> list[dict[str, str]]:
        start = date.fromisoformat(first)
        return plan_windows(start, start + timedelta(days=int(days)), "day")

    KaptureOrdersSensor(
        task_id="next_month_has_begun",
        window_start="{{ macros.ds_add(params.first, params.days) }}",
        window_end="{{ macros.ds_add(params.first, params.days + 1) }}",
        deferrable=True,
        poke_interval=1,
        timeout=900,
        pool="kapture",
        priority_weight=100,
    )
    KapturePullOrdersOperator.partial(
        task_id="pull_orders", destination="{{ params.destination }}", pool="kapture"
    ).expand_kwargs(days_of("{{ params.first }}", "{{ params.days }}"))
