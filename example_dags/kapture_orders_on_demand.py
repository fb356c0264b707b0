"""The orders of some days, of all customers or one, in CSV files; the form behind "Trigger" sets the parameters.

Without dates, the orders of yesterday. Each customer has a folder: read `create_date=*/*.csv` in it.
"""

# [START howto_orders_on_demand]
from datetime import date, datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_kapture.hooks.kapture import KaptureHook
from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator

DAY: dict[str, Any] = {"type": ["null", "string"], "format": "date"}

with DAG(
    "kapture_orders_on_demand",
    description="The orders of some days and a customer to CSV",
    doc_md=__doc__,
    tags=["kapture", "example"],
    schedule=None,
    params={
        "first": Param(None, title="First day", description="Empty: yesterday", **DAY),
        "last": Param(None, title="Last day", description="Empty: the first day", **DAY),
        "customer": Param(None, type=["null", "integer"], title="Customer id", description="Empty: all of them"),
    },
) as dag:

    @task(multiple_outputs=True)
    def request_of(**context: Any) -> dict[str, Any]:
        """Return the window and the filters of the form; without a customer, no filter."""
        params = context["params"]
        yesterday = datetime.now(KaptureHook().get_account().zone).date() - timedelta(days=1)
        first = params["first"] or yesterday.isoformat()
        last = date.fromisoformat(params["last"] or first)
        return {
            "window_start": first,
            "window_end": (last + timedelta(days=1)).isoformat(),
            "filters": {"customerIds": params["customer"]} if params["customer"] else {},
        }

    request: Any = request_of()
    KapturePullOrdersOperator(
        task_id="pull_orders",
        window_start=request["window_start"],
        window_end=request["window_end"],
        filters=request["filters"],
        # A folder belongs to one query.
        destination=(
            "{{ var.value.get('kapture_orders', 'file:///tmp/kapture-orders') }}/on-demand/"
            "{{ 'customer-' ~ params.customer if params.customer else 'all' }}/"
        ),
        file_format="csv",
    )
# [END howto_orders_on_demand]
