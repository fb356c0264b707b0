import asyncio
import dataclasses
import json

import pytest

from airflow_provider_kapture.client import Account, KaptureClient
from airflow_provider_kapture.client.async_client import AsyncKaptureClient
from airflow_provider_kapture.client.errors import KaptureDialectError, KaptureError
from airflow_provider_kapture.emulator import Book, Emulator, Switches


def make_account(kapture, **extra):
    connection = json.loads(kapture.connection_json(**extra))
    return Account.from_connection(connection["host"], connection["login"], connection["password"], connection["extra"])


def make_client(kapture, **extra):
    return KaptureClient(make_account(kapture, **extra))


@pytest.mark.parametrize("widest", [1, 2, 3])
@pytest.mark.parametrize(
    "fault", [{}, pytest.param({"status_every": 2, "status": 429, "retry_after": "0"}, marks=pytest.mark.slow)]
)
def test_an_exclusive_end_date_is_noticed_and_named(widest, fault):
    with (
        Emulator(Book(orders=60, days=3), Switches(end_date="exclusive", **fault)) as kapture,
        make_client(kapture, max_days_per_request=widest) as client,
        pytest.raises(KaptureDialectError, match="`end_date`"),
    ):
        list(client.iter_orders("2024-05-08", "2024-05-11"))


def test_an_inclusive_end_date_is_noticed_and_named():
    with (
        Emulator(Book(orders=60, days=3)) as kapture,
        make_client(kapture, end_date="exclusive") as client,
        pytest.raises(KaptureDialectError, match="'inclusive'"),
    ):
        list(client.iter_orders("2024-05-08", "2024-05-09"))


def test_an_empty_day_is_empty_where_a_wider_range_is_refused():
    with Emulator(Book(orders=60, days=3), Switches(max_days=1)) as kapture, make_client(kapture) as client:
        assert list(client.iter_orders("2024-06-08", "2024-06-09")) == []
        # Two more prove that the day is empty.
        assert kapture.stats()["requests"] == 5


@pytest.mark.parametrize(("status", "requests"), [(400, 5), (500, 7)])
def test_an_empty_day_is_empty_where_a_wider_range_fails(status, requests):
    class Narrow(KaptureClient):
        def send(self, body, *options):
            request = json.loads(body)
            answer = super().send(body, *options)
            is_wide = request["createStartDate"] != request["createEndDate"]
            return dataclasses.replace(answer, status=status, body=b"{}") if is_wide else answer

    with Emulator(Book(orders=60, days=3)) as kapture, Narrow(make_account(kapture)) as client:
        assert list(client.iter_orders("2024-06-08", "2024-06-09")) == []
        assert kapture.stats()["requests"] == requests


async def test_an_order_that_is_created_between_two_requests_says_nothing_of_the_end_date():
    class Busy(KaptureClient):
        def send(self, body, *options):
            answer = super().send(body, *options)
            kapture.add_orders(1, day="2024-06-08")
            return answer

    class AsyncBusy(AsyncKaptureClient):
        async def send(self, body, *options):
            answer = await super().send(body, *options)
            await asyncio.to_thread(kapture.add_orders, 1, day="2024-06-08")
            return answer

    with Emulator(Book(orders=60, days=3)) as kapture:
        with Busy(make_account(kapture)) as client:
            client.count_orders("2024-06-08", "2024-06-09")
        kapture.reset()
        async with AsyncBusy(make_account(kapture)) as client:
            await client.count_orders("2024-06-08", "2024-06-09")


@pytest.mark.parametrize("widest", [1, 2, 3])
def test_an_exclusive_end_date_is_noticed_where_a_day_is_the_most_that_is_taken(widest):
    with (
        Emulator(Book(orders=60, days=3), Switches(end_date="exclusive", max_days=1)) as kapture,
        make_client(kapture, max_days_per_request=widest) as client,
        pytest.raises(KaptureError),
    ):
        list(client.iter_orders("2024-05-08", "2024-05-11"))


def test_an_exclusive_end_date_is_noticed_by_the_only_day_with_orders():
    with (
        Emulator(Book(orders=20, days=1), Switches(end_date="exclusive")) as kapture,
        make_client(kapture) as client,
        pytest.raises(KaptureDialectError, match="`end_date`"),
    ):
        list(client.iter_orders("2024-04-20", "2024-05-20"))
