"""The orders of each day in a Parquet file; the files of the two days before are updated.

The Airflow Variable `kapture_orders` is the destination: a path or URL such as `s3://aws_default@lake/kapture`.
"""

# [START howto_orders_daily]
import pendulum
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator

with DAG(
    "kapture_orders_daily",
    schedule="0 3 * * *",
    start_date=pendulum.datetime(2024, 5, 1, tz="Asia/Kolkata"),
    catchup=False,
) as dag:
    KapturePullOrdersOperator(
        task_id="pull_orders",
        window="day",  # the last complete day of the account
        lookback=2,
        destination="{{ var.value.get('kapture_orders', 'file:///tmp/kapture-orders') }}/daily/",
        file_format="parquet",
        retries=3,
    )
# [END howto_orders_daily]
