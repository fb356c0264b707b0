"""Mapped tasks and their destinations."""

from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.mapped import check_own_destination
from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator
from airflow_provider_kapture.windows import plan_windows

WINDOWS = plan_windows("2024-05-08", "2024-05-10", "day")


def check(map_index=0, rendered=None, **partial):
    with DAG("mapped", schedule=None) as dag:
        KapturePullOrdersOperator.partial(task_id="pull", **partial).expand_kwargs(WINDOWS)
    rendered = rendered or partial.get("destination")
    check_own_destination({"dag": dag, "ti": SimpleNamespace(map_index=map_index)}, "pull", rendered)


@pytest.mark.parametrize(
    "destination", ["/data/orders.jsonl", "/data/{{ ds }}/task.csv", "/data/{{ params.title }}.csv"]
)
def test_one_file_for_all_is_an_error(destination):
    with pytest.raises(KaptureSettingsError, match="map_index"):
        check(destination=destination)


@pytest.mark.parametrize(
    "partial",
    [
        {},
        {"destination": "/data/"},
        {"destination": "{{ params.folder }}", "rendered": "/data/"},
        {"destination": "/data/{{ ti.map_index }}.csv"},
        {"destination": "/data/{{ task.window_start }}.csv"},
        {"destination": "/data/{% if ti.map_index %}a{% endif %}.csv"},
    ],
)
def test_a_destination_of_its_own_is_none(partial):
    check(**partial)


def test_a_task_that_is_not_mapped_has_its_own():
    with DAG("plain", schedule=None) as dag:
        KapturePullOrdersOperator(task_id="pull", destination="/data/orders.jsonl")
    check_own_destination({"dag": dag, "ti": SimpleNamespace(map_index=-1)}, "pull", "/data/orders.jsonl")
    check_own_destination({}, "pull", "/data/orders.jsonl")
