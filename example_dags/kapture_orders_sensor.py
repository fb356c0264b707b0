"""The orders of a day, pulled once there are enough of them."""

# [START howto_orders_sensor]
from datetime import timedelta

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator
from airflow_provider_kapture.sensors.kapture import KaptureOrdersSensor

with DAG("kapture_orders_sensor", schedule=None, params={"start": "2024-05-08", "end": "2024-05-09"}) as dag:
    wait_for_orders = KaptureOrdersSensor(
        task_id="wait_for_orders",
        window_start="{{ params.start }}",
        window_end="{{ params.end }}",
        min_orders=10,
        deferrable=True,
        poke_interval=timedelta(minutes=5),
        timeout=timedelta(hours=12),
    )
    pull_orders = KapturePullOrdersOperator(
        task_id="pull_orders",
        window_start="{{ params.start }}",
        window_end="{{ params.end }}",
        destination="{{ var.value.get('kapture_orders', 'file:///tmp/kapture-orders') }}/sensor/",
    )
    wait_for_orders >> pull_orders
# [END howto_orders_sensor]
