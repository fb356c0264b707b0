"""A month of orders, with one mapped task per day and a limit on concurrent pulls.

The pool `kapture` is shared by all DAGs that pull from this account. Create it once::

    airflow pools set kapture 4 "Concurrent pulls from Kapture, over all DAGs"
"""

# [START howto_orders_backfill_month]
from datetime import date, timedelta

from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator
from airflow_provider_kapture.windows import plan_windows

with DAG(
    "kapture_orders_backfill_month",
    schedule=None,
    params={"month": Param("2024-05", type="string", pattern=r"^\d{4}-\d{2}$", title="Month (YYYY-MM)")},
) as dag:

    @task
    def days_of(month: str) -> list[dict[str, str]]:
        """Return a window for each day of the month, in the account's time zone."""
        first = date.fromisoformat(f"{month}-01")
        after = (first + timedelta(days=31)).replace(day=1)
        return plan_windows(first, after, "day", timezone="Asia/Kolkata")

    KapturePullOrdersOperator.partial(
        task_id="pull_orders",
        destination="{{ var.value.get('kapture_orders', 'file:///tmp/kapture-orders') }}/month/",
        file_format="parquet",
        pool="kapture",
        max_active_tis_per_dag=4,
    ).expand_kwargs(days_of("{{ params.month }}"))
# [END howto_orders_backfill_month]
