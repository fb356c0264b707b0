"""Each day's orders into a file of their own."""

# [START howto_orders_daily]
import os

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator

with DAG("kapture_orders_daily", schedule=None, params={"start": "2024-05-08", "end": "2024-05-09"}) as dag:
    KapturePullOrdersOperator(
        task_id="pull_orders",
        window_start="{{ params.start }}",
        window_end="{{ params.end }}",
        destination=os.environ.get("ORDERS", "file:///tmp/orders") + "/",
    )
# [END howto_orders_daily]
