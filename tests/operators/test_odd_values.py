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


def connect(monkeypatch: pytest.MonkeyPatch, server: Hostile) -> None:
    connection = {"conn_type": "kapture", "host": server.origin, "login": "l", "password": "p", "extra": settings()}
    monkeypatch.setenv("AIRFLOW_CONN_KAPTURE_DEFAULT", json.dumps(connection))


def pull(destination: Path | str | None) -> Any:
    where = None if destination is None else str(destination)
    return KapturePullOrdersOperator(task_id="pull", destination=where, **WINDOW).execute({})


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
