"""The orders of each day in a Parquet file, and an e-mail when a pull fails.

Each run also pulls the two days before again, for orders that are entered late. The Variable `kapture_orders` is the
folder of all examples: a path or URL such as `s3://aws_default@lake/kapture`. Read `create_date=*/*.parquet` in it.
"""

# [START howto_orders_daily]
from datetime import timedelta

import pendulum
from airflow.providers.common.compat.sdk import DAG
from airflow.providers.smtp.notifications.smtp import SmtpNotifier

from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator

# Sent when the last try has failed, with the connection `smtp_default`.
email = SmtpNotifier(
    from_email="airflow@example.com",
    to="data-team@example.com",
    subject="{{ dag.dag_id }}: the orders of {{ run_id }} are missing",
    html_content="{{ ti.task_id }} failed: {{ exception | e }}",
)

with DAG(
    "kapture_orders_daily",
    description="Yesterday's orders to Parquet, and those of the two days before",
    doc_md=__doc__,
    tags=["kapture", "example"],
    schedule="0 3 * * *",
    start_date=pendulum.datetime(2024, 5, 1, tz="Asia/Kolkata"),
    catchup=False,
    max_active_runs=1,
) as dag:
    KapturePullOrdersOperator(
        task_id="pull_orders",
        window="day",  # the last complete day of the account
        lookback=2,
        destination="{{ var.value.get('kapture_orders', 'file:///tmp/kapture-orders') }}/daily/",
        file_format="parquet",
        retries=3,
        retry_delay=timedelta(minutes=5),
        on_failure_callback=email,
    )
# [END howto_orders_daily]
