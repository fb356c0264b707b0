"""The orders of a period, such as a year: a mapped task for each day, and a limit on concurrent pulls.

The pool `kapture` is shared by all DAGs that pull from this account. Create it once:

    airflow pools set kapture 4 "Concurrent pulls from Kapture, over all DAGs" --include-deferred

A failed day does not stop the others; clear its task to pull it again. Read `create_date=*/*.parquet` in the folder.
"""

# [START howto_orders_backfill]
from datetime import date, datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_kapture.hooks.kapture import KaptureHook
from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator
from airflow_provider_kapture.windows import plan_windows

DAY: dict[str, Any] = {"type": ["null", "string"], "format": "date"}

with DAG(
    "kapture_orders_backfill",
    description="A mapped pull for each day of a period, such as a year",
    doc_md=__doc__,
    tags=["kapture", "example"],
    schedule=None,
    params={
        "first": Param(None, title="First day", description="Empty: 30 days before the last", **DAY),
        "last": Param(None, title="Last day", description="Empty: yesterday", **DAY),
    },
) as dag:

    @task
    def days_of(**context: Any) -> list[dict[str, str]]:
        """Return a window for each day of the account in the period."""
        params = context["params"]
        zone = KaptureHook().get_account().zone
        yesterday = datetime.now(zone).date() - timedelta(days=1)
        last = date.fromisoformat(params["last"]) if params["last"] else yesterday
        first = date.fromisoformat(params["first"]) if params["first"] else last - timedelta(days=29)
        return plan_windows(first, last + timedelta(days=1), "day", timezone=str(zone))

    KapturePullOrdersOperator.partial(
        task_id="pull_orders",
        destination="{{ var.value.get('kapture_orders', 'file:///tmp/kapture-orders') }}/backfill/",
        file_format="parquet",
        pool="kapture",
        retries=3,
        map_index_template="{{ task.window_start[:10] }}",
    ).expand_kwargs(days_of())
# [END howto_orders_backfill]
