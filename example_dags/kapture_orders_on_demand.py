"""The orders of some days, of all customers or one, in a CSV file; the form behind "Trigger" sets the parameters."""

# [START howto_orders_on_demand]
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator

with DAG(
    "kapture_orders_on_demand",
    schedule=None,
    params={
        "start": Param("2024-05-08", type="string", format="date", title="First day"),
        "end": Param("2024-05-09", type="string", format="date", title="First day that is left out"),
        "customer": Param(None, type=["null", "integer"], title="Customer id", description="Empty: all of them"),
    },
) as dag:

    @task
    def filters_of(**context: Any) -> dict[str, Any]:
        """Return a filter by the customer of the form; without a customer, no filter."""
        customer = context["params"]["customer"]
        return {} if customer is None else {"customerIds": customer}

    KapturePullOrdersOperator(
        task_id="pull_orders",
        window_start="{{ params.start }}",
        window_end="{{ params.end }}",
        filters=filters_of(),
        destination=(
            "{{ var.value.get('kapture_orders', 'file:///tmp/kapture-orders') }}/on-demand/"
            "orders_{{ params.start }}_{{ params.end }}_{{ 'all' if params.customer is none else params.customer }}.csv"
        ),
    )
# [END howto_orders_on_demand]
