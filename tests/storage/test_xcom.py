"""Orders in XCom: their size as Airflow stores it, and what its database cannot store."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from airflow.providers.common.compat.sdk import task
from dag_runs import run_dag

from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.client.pull.steps import OrderBatch
from airflow_provider_kapture.storage.xcom import orders_for_xcom

ORDERS: list[list[str]] = [
    ['{"id":1,"remarks":"plain"}'],
    ['{"id":1,"remarks":"नमस्ते, आपका ऑर्डर"}', '{ "id" : 2 , "remarks" : "😀😀" }'],
    [r'{"id":1,"remarks":"\"quoted\" \\ \u00e9 \\u0000","flags":[true,null,1.50],"a":{"b":{}}}', '{"id":2}', "{}"],
    ['{"id":1,"x":1e400}'],
]


def batches(raws: list[str], read: list[int] | None = None) -> Iterator[OrderBatch]:
    for number, raw in enumerate(raws):
        if read is not None:
            read.append(number)
        yield OrderBatch([msgspec.Raw(raw.encode())])


def taken(raws: list[str], most_bytes: int) -> list[dict[str, Any]]:
    return orders_for_xcom(batches(raws), most_bytes, lambda: None)


@pytest.mark.filterwarnings("ignore")  # Airflow's own
def test_the_size_is_what_airflow_stores(airflow_db: None) -> None:
    from airflow.utils.session import create_session
    from sqlalchemy import text

    def build() -> None:
        for number, raws in enumerate(ORDERS):
            task(task_id=f"xcom_size_{number}")(lambda raws=raws: taken(raws, 1_000_000))()

    run_dag(build)
    with create_session() as session:
        rows = session.execute(text("SELECT task_id, length(value) FROM xcom WHERE task_id LIKE 'xcom_size_%'"))
        stored = dict(row for row in rows)
    for number, raws in enumerate(ORDERS):
        name = f"xcom_size_{number}"
        assert len(taken(raws, stored[name])) == len(raws)
        with pytest.raises(KaptureSettingsError, match=r"`max_xcom_bytes` .* `destination`"):
            taken(raws, stored[name] - 1)


@pytest.mark.parametrize(
    "value",
    [
        *(r'"a\u0000b"', r'"\\\u0000"', r'{"deep":["\u0000"]}', r'{"\u0000":1}'),
        *("NaN", "Infinity", "[-Infinity]", "1" * 400 + ".5"),
    ],
)
def test_what_a_database_refuses_fails_before_the_pulls_end(value: str) -> None:
    read: list[int] = []
    raws = ['{"id":1}', f'{{"id":"kapture-2","remarks":{value}}}', '{"id":3}']
    with pytest.raises(KaptureSettingsError, match=r"'remarks' of order 'kapture-2'.*`destination`") as caught:
        orders_for_xcom(batches(raws, read), 1_000_000, lambda: None)
    assert read == [0, 1]
    assert caught.value.permanent


@pytest.mark.parametrize("value", [r'"\\u0000"', r'"\\\\u0000"', r'"\ud83d\ude00"', r'"\\ud83d"', "1e308", '"\\u0001"'])
def test_what_a_database_takes_is_kept(value: str) -> None:
    assert taken([f'{{"id":1,"remarks":{value}}}'], 1000) == [{"id": 1, "remarks": json.loads(value)}]


@pytest.mark.parametrize("value", [r"\ud83d", r"\ude00", r"\ud83d\ud83d\ude00", r"\ude00\ud83d"])
def test_half_a_character_is_stored_as_the_replacement_character(value: str) -> None:
    [order] = taken([f'{{"id":1,"remarks":"{value}"}}'], 1000)
    assert "\ufffd" in order["remarks"]
    order["remarks"].encode()
