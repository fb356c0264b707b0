"""The DAGs of `soak.py`: a sensor and two pulls of each hour, and as many tasks that do nothing."""

import os
from datetime import datetime

from airflow.providers.common.compat.sdk import DAG, BaseOperator

from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator
from airflow_provider_kapture.sensors.kapture import KaptureOrdersSensor


class Nothing(BaseOperator):
    """Operator without work, to measure Airflow itself."""

    def execute(self, context):
        """Do nothing."""
        return context["run_id"]


def dag_of(name):
    """Return an hourly DAG."""
    return DAG(name, schedule="@hourly", start_date=datetime.fromisoformat("2024-01-01T00:00:00+00:00"), catchup=False)


with dag_of("kapture_soak") as soak:
    there_are_orders = KaptureOrdersSensor(task_id="there_are_orders", poke_interval=1)
    for file_format in ("jsonl.gz", "parquet"):
        there_are_orders >> KapturePullOrdersOperator(
            task_id=f"pull_{file_format.partition('.')[0]}",
            destination=os.environ.get("ORDERS", "file:///tmp/orders") + f"/{file_format}/",
            file_format=file_format,
        )

with dag_of("kapture_soak_of_nothing") as nothing:
    Nothing(task_id="first") >> [Nothing(task_id="second"), Nothing(task_id="third")]
