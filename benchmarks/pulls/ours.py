"""This provider's operator, as a task runs it."""

import json
import os
from pathlib import Path

import measure

os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "ERROR"
import airflow.sdk.execution_time.supervisor  # noqa: F401 - Airflow forks the process of a task from one that has it
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator

# The process of a task has parsed its DAG file.
with DAG("benchmark", schedule=None):
    KapturePullOrdersOperator(task_id="pull", window="day", destination="orders.jsonl")


def pull(job: measure.Job) -> int:
    os.environ["AIRFLOW_CONN_KAPTURE_DEFAULT"] = json.dumps(
        {
            "conn_type": "kapture",
            "host": job.origin,
            "login": measure.USER,
            "password": measure.PASSWORD,
            "extra": {"cm_id": measure.CM_ID, "page_size": job.page_size, "max_concurrency": job.in_flight},
        }
    )
    operator = KapturePullOrdersOperator(
        task_id="pull",
        window_start=job.first_day,
        window_end=job.day_after,
        destination=f"{job.folder}/orders.{job.file_format}",
    )
    return operator.execute({})["rows"]


def ids(job: measure.Job) -> list[int]:
    return [json.loads(line)["id"] for line in Path(job.folder, "orders.jsonl").open()]


measure.main(pull, ids)
