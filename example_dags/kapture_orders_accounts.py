"""Yesterday's orders of several accounts: a connection, a mapped task and a folder for each.

The Variable `kapture_accounts` lists the ids of the connections as JSON: `["kapture_india", "kapture_dubai"]`. An
account that fails does not stop the others. Each has its own time zone, and so its own yesterday. The pool `kapture`
limits concurrent pulls of all accounts together. Read `CONNECTION/create_date=*/*.parquet` in the folder.
"""

# [START howto_orders_accounts]
import json

import pendulum
from airflow.providers.common.compat.sdk import DAG, Variable, task

from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator

with DAG(
    "kapture_orders_accounts",
    description="Yesterday's orders of each account to a folder of its own",
    doc_md=__doc__,
    tags=["kapture", "example"],
    schedule="0 3 * * *",
    start_date=pendulum.datetime(2024, 5, 1, tz="UTC"),
    catchup=False,
) as dag:

    @task
    def connections() -> list[str]:
        """Return the ids of the accounts' connections."""
        ids: list[str] = json.loads(Variable.get("kapture_accounts", '["kapture_default"]'))
        return ids

    KapturePullOrdersOperator.partial(
        task_id="pull_orders",
        window="day",
        destination=(
            "{{ var.value.get('kapture_orders', 'file:///tmp/kapture-orders') }}/accounts/{{ task.kapture_conn_id }}/"
        ),
        file_format="parquet",
        pool="kapture",
        retries=3,
        map_index_template="{{ task.kapture_conn_id }}",
    ).expand(kapture_conn_id=connections())
# [END howto_orders_accounts]
