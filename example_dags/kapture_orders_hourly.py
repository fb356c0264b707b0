"""The orders of each hour in a Parquet file, and an asset event for each pull.

`kapture_orders_warehouse.py` has DAGs that this asset triggers. Read `create_date=*/*.parquet` in the folder.
"""

# [START howto_orders_hourly]
import pendulum
from airflow.providers.common.compat.sdk import DAG, Asset

from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator

with DAG(
    "kapture_orders_hourly",
    description="The orders of the last complete hour to Parquet, with an asset event",
    doc_md=__doc__,
    tags=["kapture", "example"],
    schedule="@hourly",
    start_date=pendulum.datetime(2024, 5, 1, tz="UTC"),
    catchup=False,
) as dag:
    KapturePullOrdersOperator(
        task_id="pull_orders",  # the window is the run's data interval, or the last complete hour
        destination="{{ var.value.get('kapture_orders', 'file:///tmp/kapture-orders') }}/hourly/",
        file_format="parquet",
        retries=3,
        outlets=[Asset("kapture_orders_hourly")],
    )
# [END howto_orders_hourly]
