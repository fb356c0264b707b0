"""One odd value does not keep a day's orders from being pulled; a malformed response is one error, named in full."""

from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import tenacity
from airflow.providers.common.compat.sdk import AirflowFailException
from hostile import Hostile, http
from pytest_mock import MockerFixture

from airflow_provider_kapture.client import Account, KaptureClient
from airflow_provider_kapture.client.async_client import AsyncKaptureClient
from airflow_provider_kapture.client.errors import KaptureError, KaptureMalformedError, KaptureShapeError
from airflow_provider_kapture.client.fetch import retry
from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator

WINDOW = {"window_start": "2024-05-08", "window_end": "2024-05-09"}
CREATED = b'"createDate":1715126400000'
ODD = [
    b'{"id":1,%b,"remarks":"a\tb"}' % CREATED,
    b'{"id":2,%b,"remarks":"a\r\nb"}' % CREATED,
    b'{"id":3,%b,"discount":NaN}' % CREATED,
    b'{"id":4,%b,"remarks":"fine"}' % CREATED,
    rb'{"id":5,%b,"remarks":"cut \ud83d"}' % CREATED,
]
LINES = b"\n".join([ODD[0], ODD[1].replace(b"\r\n", rb"\r\n"), *ODD[2:], b""])
REMARKS = ["a\tb", "a\r\nb", None, "fine", "cut \ufffd"]


def envelope(*orders: bytes) -> bytes:
    return b'{"success":"true","order_details":[%b]}' % b",".join(orders)


def settings(**extra: Any) -> dict[str, Any]:
    return {"cm_id": 1, "end_date": "exclusive", "max_concurrency": 1, "retry_budget": 30, **extra}


@pytest.fixture(autouse=True)
def impatient(mocker: MockerFixture) -> None:
    mocker.patch.object(retry, "_backoff", tenacity.wait_fixed(0.01))
    mocker.patch.object(retry, "_jitter", tenacity.wait_none())


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hostile]:
    with Hostile(http(envelope(*ODD)), then=http(envelope(ODD[-1]))) as running:
        connect(monkeypatch, running)
        yield running


def connect(monkeypatch: pytest.MonkeyPatch, server: Hostile, **extra: Any) -> None:
    connection = {"conn_type": "kapture", "host": server.origin, "login": "l", "password": "p"}
    connection["extra"] = settings(**extra)
    monkeypatch.setenv("AIRFLOW_CONN_KAPTURE_DEFAULT", json.dumps(connection))


def pull(destination: Path | str | None, **arguments: Any) -> Any:
    where = None if destination is None else str(destination)
    return KapturePullOrdersOperator(task_id="pull", destination=where, **WINDOW, **arguments).execute({})


@pytest.mark.usefixtures("server")
def test_json_lines_are_the_bytes_that_were_sent(tmp_path: Path) -> None:
    receipt = pull(tmp_path / "orders.jsonl")
    assert (tmp_path / "orders.jsonl").read_bytes() == LINES
    assert (receipt["rows"], receipt["repaired"]) == (5, 1)


@pytest.mark.usefixtures("server")
def test_csv_has_every_value(tmp_path: Path) -> None:
    pull(tmp_path / "orders.csv")
    with (tmp_path / "orders.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [row["remarks"] or None for row in rows] == REMARKS
    assert [row["_rescued"] for row in rows] == ["", "", '{"discount":"NaN"}', "", ""]


@pytest.mark.usefixtures("server")
def test_parquet_has_every_value(tmp_path: Path) -> None:
    pull(tmp_path / "orders.parquet")
    rows = pq.read_table(tmp_path / "orders.parquet").to_pylist()
    assert [row["remarks"] for row in rows] == REMARKS
    assert [row["_rescued"] for row in rows] == [None, None, '{"discount":"NaN"}', None, None]


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(("file_format", "repaired"), [("csv", 2), ("parquet", 2), ("jsonl", 1)])
def test_what_was_set_aside_is_in_the_receipt_and_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, file_format: str, repaired: int
) -> None:
    receipt = pull(f"{tmp_path}/", file_format=file_format)
    rescued = {} if file_format == "jsonl" else {"discount": 1}
    assert (receipt["rescued"], receipt["repaired"]) == (rescued, repaired)
    assert [file["rescued"] for file in receipt["files"]] == [rescued]
    warnings = [each.getMessage() for each in caplog.records if each.levelname == "WARNING" and "_rescued" in each.msg]
    assert len(warnings) == len(rescued)
    assert all("discount: 1 order" in each and "NaN" not in each for each in warnings)


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("destination", ["", "orders.parquet"])
def test_a_misfit_fails_the_task_before_its_file_is_published(tmp_path: Path, destination: str) -> None:
    with pytest.raises(AirflowFailException, match=r"discount: 1 order.*`on_misfit` is 'fail'"):
        pull(f"{tmp_path}/{destination}", file_format="parquet", on_misfit="fail")
    assert not list(tmp_path.rglob("*.parquet"))
    pull(f"{tmp_path}/orders.jsonl", on_misfit="fail")


@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_own_fields_are_columns_and_their_misfits_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file_format: str
) -> None:
    orders = [b'{"id":%d,%b,"new":%b,"slot":"x"}' % (number, CREATED, new) for number, new in ((1, b"7"), (2, b'"A7"'))]
    with Hostile(http(envelope(*orders)), then=http(envelope(orders[-1]))) as server:
        connect(monkeypatch, server, fields={"new": "integer"})
        receipt = pull(tmp_path / f"orders.{file_format}")
    assert receipt["rescued"] == {"new": 1}
    if file_format == "parquet":
        rows = pq.read_table(tmp_path / "orders.parquet").to_pylist()
    else:
        with (tmp_path / "orders.csv").open(newline="") as lines:
            rows = list(csv.DictReader(lines))
    assert [(str(row["new"] or ""), row["_rescued"]) for row in rows] == [
        ("7", '{"slot":"x"}'),
        ("", '{"new":"A7","slot":"x"}'),
    ]


def test_fields_without_a_column_are_no_misfits_and_named_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "airflow_provider_kapture")
    orders = [b'{"id":%d,%b,"new":1,"discount":"1.5"}' % (number, CREATED) for number in (1, 2)]
    with Hostile(http(envelope(*orders)), then=http(envelope(orders[-1]))) as server:
        connect(monkeypatch, server)
        receipt = pull(f"{tmp_path}/orders.parquet", on_misfit="fail")
    assert receipt["rescued"] == {}
    named = [each for each in caplog.records if "Fields without a column" in each.msg]
    assert [each.levelname for each in named] == ["INFO"]
    assert "'new'" in named[0].getMessage()


@pytest.mark.usefixtures("server")
def test_xcom_never_has_a_null_for_nan() -> None:
    with pytest.raises(AirflowFailException, match="cannot store field 'discount' of order 3"):
        pull(None)


def pull_sync(account: Account) -> None:
    with KaptureClient(account) as client:
        list(client.iter_orders(*WINDOW.values()))


def pull_async(account: Account) -> None:
    async def pull() -> None:
        async with AsyncKaptureClient(account) as client:
            [order async for order in client.iter_orders(*WINDOW.values())]

    asyncio.run(pull())


@pytest.mark.parametrize("how", [pull_sync, pull_async])
@pytest.mark.parametrize(
    ("order", "marked", "reason"),
    [
        (rb'{"id":7,%b,"x":"\q"}', rb"\q", "an invalid escape in a string"),
        (b'{"id":7,%b,"x":"5" tall"}', b"tall", "',' or '}' expected"),
        (b'{"id":7,%b,"x":"\xe9"}', b"\xe9", "a byte that is not UTF-8"),
        (b'{"id":7,%b,"x":tall}', b"tall", "a value expected"),
    ],
)
def test_malformed_json_is_requested_once_more(how: Any, order: bytes, marked: bytes, reason: str) -> None:
    body = envelope(order % CREATED)
    with Hostile(http(body)) as server:
        error = failure(how, server)
        assert len(server.requests) == 2
    assert type(error) is KaptureMalformedError
    assert error.permanent
    assert f"malformed JSON: {reason}, at byte {body.index(marked)} of the response" in str(error)
    assert "in the order with `id` 7, number 1 of its orders" in str(error)


@pytest.mark.parametrize("how", [pull_sync, pull_async])
def test_a_malformed_response_that_was_spoilt_on_the_way_fails_nothing(how: Any) -> None:
    with Hostile(http(envelope(b'{"id":7,"x":"\\q"}')), then=http(envelope())) as server:
        how(account_of(server))
        assert len(server.requests) > 1


@pytest.mark.parametrize("how", [pull_sync, pull_async])
@pytest.mark.parametrize("cut", [rb'{"id":7,"x":"\ud83d', b'{"id":7,"x":"\n', b'{"id":7,"x":Na', b'{"id":7,"x":1'])
def test_a_truncated_response_is_retried_within_the_budget(how: Any, cut: bytes) -> None:
    with Hostile(http(envelope(cut)[:-2])) as server:
        error = failure(how, server, retry_budget=0.2)
        assert len(server.requests) > 2
    assert type(error) is KaptureShapeError
    assert (error.transient, error.permanent) == (True, False)


def account_of(server: Hostile, **extra: Any) -> Account:
    return Account.from_connection(server.origin, "l", "p", settings(**extra))


def failure(how: Any, server: Hostile, **extra: Any) -> KaptureError:
    with pytest.raises(KaptureError) as caught:
        how(account_of(server, **extra))
    return caught.value


def test_a_malformed_response_fails_the_task_for_good(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with Hostile(http(envelope(b'{"id":7,"x":"\\q"}'))) as server:
        connect(monkeypatch, server)
        with pytest.raises(AirflowFailException, match="malformed JSON"):
            pull(tmp_path / "orders.jsonl")
    assert not list(tmp_path.iterdir())
