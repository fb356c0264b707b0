"""Parsing a DAG costs little more than Airflow itself, and imports what each pull needs, without optional libraries."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys

from airflow_provider_kapture.emulator import Book, Emulator

OPTIONAL = {
    *("adlfs", "azure", "boto3", "botocore", "gcsfs", "google.cloud", "s3fs"),
    *("pandas", "pyarrow", "zstandard"),
    "aiohttp",  # for triggers
}
# Airflow's tables. Airflow 2 imports them itself.
ORM = {f"airflow.models.{name}" for name in ("connection", "dagrun", "taskinstance", "xcom")}

PARSED = """
import sys
from airflow.providers.common.compat.sdk import BaseHook, BaseOperator, BaseSensorOperator
from airflow.providers.common.compat.triggers import BaseEventTrigger
from airflow.triggers.base import BaseTrigger
BaseSensorOperator(task_id="airflow_itself", mode="poke")
airflow = set(sys.modules)
from airflow_provider_kapture.hooks.kapture import KaptureHook
from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator
from airflow_provider_kapture.sensors.kapture import KaptureOrdersSensor
from airflow_provider_kapture.triggers.kapture import KaptureOrdersEventTrigger
from airflow_provider_kapture.windows import plan_windows
KaptureHook()
KapturePullOrdersOperator(task_id="pull", destination="s3://aws@bucket/orders/", file_format="parquet")
KaptureOrdersSensor(task_id="wait", deferrable=True)
plan_windows("2026-01-01", "2026-01-03", "day")
print(*set(sys.modules) - airflow)
"""


# The process of a task has parsed its DAG file.
PULLED = """
import sys
from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator
pull = KapturePullOrdersOperator(
    task_id="pull", window_start="2024-05-08", window_end="2024-05-09", destination=sys.argv[1]
)
parsed = set(sys.modules)
pull.execute({})
print(*set(sys.modules) - parsed)
"""


def test_parsing_a_dag_imports_nothing_optional():
    run = subprocess.run([sys.executable, "-c", PARSED], check=True, capture_output=True, text=True)
    added = set(run.stdout.splitlines()[-1].split())
    assert "airflow_provider_kapture.operators.kapture" in added
    assert added.isdisjoint(OPTIONAL)
    assert added.isdisjoint(ORM)


def test_a_pull_imports_nothing_that_parsing_its_dag_could_have_imported(tmp_path):
    command = [sys.executable, "-c", PULLED, tmp_path / "orders.jsonl"]
    with Emulator(Book(orders=3, days=1, start=dt.date(2024, 5, 8))) as running:
        env = os.environ | running.connection_uri_env()
        run = subprocess.run(command, check=True, capture_output=True, text=True, env=env)
    added = {name.partition(".")[0] for name in run.stdout.splitlines()[-1].split()}
    assert added.isdisjoint({"airflow_provider_kapture", "requests", "urllib3", *OPTIONAL})
