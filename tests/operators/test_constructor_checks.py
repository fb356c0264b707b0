"""What is wrong with an argument is found when the DAG is parsed, as far as it is known then."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, ObjectStoragePath, task

from airflow_provider_kapture import argument_types
from airflow_provider_kapture.client import orders
from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator
from airflow_provider_kapture.sensors.kapture import KaptureOrdersSensor
from airflow_provider_kapture.storage.encoders.formats import ENCODERS

TEMPLATE = "{{ params.anything }}"

# Wrong arguments of both kinds of task, and words of the error.
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"date_field": "created"}, "`date_field` is 'created'; did you mean 'create'?"),
    ({"window": "dya"}, "`window` is 'dya'"),
    ({"window": dt.timedelta()}, "`window` is"),
    ({"window_start": "8.5.2024", "window_end": "2024-05-09"}, "`window_start` is '8.5.2024'"),
    ({"window_start": "2024-05-08", "window_end": "2024-05-08"}, "must be before"),
    ({"window_start": "2024-05-08"}, "`window_end` is None"),
    ({"window_start": "2024-05-08", "window_end": ""}, "`window_end` is ''"),
    ({"filters": {"customerId": 1}}, "did you mean 'customerIds'?"),
    ({"filters": {"customerId": TEMPLATE}}, "did you mean 'customerIds'?"),
    ({"filters": {"phone": 919876543201}}, "'phone' contains a number"),
    ({"filters": {"customerIds": [TEMPLATE, 1], "statusStr": []}}, "'statusStr' is an empty list"),
    ({"filters": "bookingStatus=AP"}, "`filters` is a str"),
    ({"filters": {"limit": 7}}, "'limit', which the pull sets itself"),
    ({"kapture_conn_id": 7}, "`kapture_conn_id` is 7"),
    ({"kapture_conn_id": " "}, "`kapture_conn_id` is ' '"),
]
WRONG_PULLS: list[tuple[dict[str, Any], str]] = [
    ({"on_empty": "fial"}, "`on_empty` is 'fial': it must be one of write, skip, fail; did you mean 'fail'?"),
    ({"on_misfit": "drop"}, "`on_misfit` is 'drop'"),
    ({"on_overlap": "replce"}, "`on_overlap` is 'replce'"),
    ({"file_format": "parqet", "destination": TEMPLATE}, "`file_format` is 'parqet'"),
    ({"lookback": 1.5}, "`lookback` is 1.5"),
    ({"lookback": 1}, "`lookback` needs one object per day"),
    ({"lookback": 1, "destination": "/data/orders.csv"}, "`lookback` needs one object per day"),
    ({"max_xcom_bytes": "1 MB"}, "`max_xcom_bytes` is '1 MB'"),
    ({"partition_events": "yes"}, "`partition_events` is 'yes'"),
    ({"upload_options": {"acl": "private"}}, "`upload_options` needs a `destination`"),
    ({"destination": "/data/orders.csvv"}, "Cannot tell the file format"),
    ({"destination": "/data/orders.csv", "file_format": "parquet"}, "`destination` ends in"),
    ({"destination": "s3n://bucket/orders/"}, "use s3://"),
    ({"destination": ""}, "`destination` is ''"),
    ({"extra_body": {"cmId": 7}}, "'cmId', which the pull sets itself"),
    ({"extra_body": {"at": 1j}}, "cannot be written as JSON"),
]
WRONG_WAITS: list[tuple[dict[str, Any], str]] = [({"min_orders": value}, "`min_orders` is") for value in (0, 1.5, "x")]

CASES = [
    *((kind, *case) for kind in (KapturePullOrdersOperator, KaptureOrdersSensor) for case in WRONG),
    *((KapturePullOrdersOperator, *case) for case in WRONG_PULLS),
    *((KaptureOrdersSensor, *case) for case in WRONG_WAITS),
]


@pytest.mark.parametrize(("kind", "arguments", "words"), CASES)
def test_a_wrong_argument_fails_when_the_dag_is_parsed(kind: Any, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(KaptureSettingsError) as caught:
        kind(task_id="orders", **arguments)
    assert words in str(caught.value)
    assert str(caught.value).startswith("Task 'orders': ")
    # A mapped task's constructor runs on the worker, where Airflow would retry any other error.
    assert isinstance(caught.value, AirflowFailException)


@task
def upstream() -> Any:
    return None


# What is not known when the DAG is parsed, or depends on the machine.
LATER: list[Callable[[], dict[str, Any]]] = [
    lambda: {"window_start": TEMPLATE, "window_end": "2024-05-08"},
    lambda: {"window_start": "2024-05-08T00:00+05:30", "window_end": "2024-05-08"},
    lambda: {"window": "{% if 1 %}day{% endif %}"},
    lambda: {"filters": upstream()},
    lambda: {"filters": {"customerIds": upstream(), "attr1": TEMPLATE}},
    lambda: {"filters": TEMPLATE},
    lambda: {"kapture_conn_id": TEMPLATE},
    lambda: {"filters": None, "window": None},
]
LATER_PULLS: list[Callable[[], dict[str, Any]]] = [
    lambda: {"filters": {}, "extra_body": {}, "destination": None},
    lambda: {"extra_body": {"region": {"name": [TEMPLATE, None, ""]}}},
    lambda: {"destination": TEMPLATE, "file_format": "parquet", "lookback": 1},
    lambda: {"destination": f"/data/{TEMPLATE}.parquet", "upload_options": upstream()},
    lambda: {"destination": Path("/data/orders.csv")},
    lambda: {"destination": ObjectStoragePath("file:///data/orders.csv")},
    lambda: {"destination": "/proc/no/such/folder/", "file_format": "jsonl.zst"},
]


@pytest.mark.parametrize("arguments", LATER + LATER_PULLS)
def test_what_is_not_known_yet_is_left_to_the_run(arguments: Callable[[], dict[str, Any]]) -> None:
    with DAG("orders", schedule=None):
        KapturePullOrdersOperator(task_id="pull", **arguments())
        if arguments in LATER:
            KaptureOrdersSensor(task_id="wait", min_orders="{{ params.enough }}", **arguments())


def test_formats_are_checked_where_their_packages_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    KapturePullOrdersOperator(task_id="pull", destination="/data/orders.parquet")


def test_a_mapped_task_is_checked_on_the_worker() -> None:
    with DAG("orders", schedule=None):
        mapped: Any = KapturePullOrdersOperator.partial(task_id="pull").expand(on_empty=["skip", "fial"])
    mapped.unmap({"on_empty": "skip"})
    with pytest.raises(AirflowFailException, match="on_empty"):
        mapped.unmap({"on_empty": "fial"})


def test_types_list_what_there_is() -> None:
    assert get_args(argument_types.FileFormat) == tuple(ENCODERS)
    assert get_args(argument_types.DateField) == tuple(orders.DATE_FIELDS)
    hints = get_type_hints(argument_types.OrderFilters)
    assert tuple(hints) == orders.FILTERS
    numbers = {name for name, kind in hints.items() if kind == argument_types.Number}
    assert numbers == orders.ID_FILTERS | orders.STATUS_FILTERS
