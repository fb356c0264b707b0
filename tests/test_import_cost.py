"""Parsing a DAG costs little more than Airflow itself: what is heavy is imported where it is used."""

from __future__ import annotations

import subprocess
import sys

HEAVY = {"adlfs", "aiohttp", "azure", "boto3", "botocore", "gcsfs", "google.cloud", "pyarrow", "requests", "s3fs"}

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


def test_parsing_a_dag_imports_nothing_heavy():
    run = subprocess.run([sys.executable, "-c", PARSED], check=True, capture_output=True, text=True)
    added = set(run.stdout.splitlines()[-1].split())
    assert "airflow_provider_kapture.operators.kapture" in added
    assert added.isdisjoint(HEAVY)
