"""The orders of some days, of all customers or of one, into a CSV file: asked for in the form behind "Trigger"."""

# [START howto_orders_on_demand]
from airflow.providers.common.compat.sdk import DAG, Param

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
    KapturePullOrdersOperator(
        task_id="pull_orders",
        window_start="{{ params.start }}",
        window_end="{{ params.end }}",
        filters={"customerIds": "{{ params.customer or '' }}"},  # an empty filter is none
        destination=(
            "{{ var.value.get('kapture_orders', 'file:///tmp/kapture-orders') }}/on-demand/"
            "orders_{{ params.start }}_{{ params.end }}{{ '_%s' % params.customer if params.customer else '' }}.csv"
        ),
    )
# [END howto_orders_on_demand]
