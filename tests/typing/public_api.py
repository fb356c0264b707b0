"""Typed calls of the whole public API. mypy reads this file; nothing runs it."""

import datetime as dt
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, assert_type

from airflow.triggers.base import TriggerEvent

from airflow_provider_kapture import __version__
from airflow_provider_kapture.client import Account, KaptureClient
from airflow_provider_kapture.client.async_client import AsyncKaptureClient
from airflow_provider_kapture.client.errors import (
    KaptureAnswerError,
    KaptureBusyError,
    KaptureError,
    KaptureSettingsError,
    KaptureTransportError,
)
from airflow_provider_kapture.emulator import Book, Emulator, Switches
from airflow_provider_kapture.get_provider_info import get_provider_info
from airflow_provider_kapture.hooks.kapture import KaptureHook
from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator
from airflow_provider_kapture.sensors.kapture import KaptureOrdersSensor
from airflow_provider_kapture.triggers.kapture import KaptureOrdersEventTrigger, KaptureOrdersTrigger
from airflow_provider_kapture.windows import plan_windows

START, END = dt.datetime(2026, 1, 5, tzinfo=dt.UTC), dt.date(2026, 1, 6)
FILTERS: Mapping[str, Any] = {"customerIds": [1, 2], "bookingStatus": "AP", "attr1": 1.5}


def hook() -> None:
    assert_type(__version__, str)
    hook = KaptureHook("kapture_default")
    assert_type(hook.get_account(), Account)
    assert_type(hook.test_connection(), tuple[bool, str])
    assert_type(hook.iter_orders(START, END), Iterator[dict[str, Any]])
    assert_type(
        hook.iter_orders("2026-01-05", "2026-01-06", date_field="booking", filters=FILTERS), Iterator[dict[str, Any]]
    )
    assert_type(hook.count_orders(START, END, date_field="create", filters=FILTERS, at_least=1), int)
    with hook.get_conn() as client:
        assert_type(client, KaptureClient)
        assert_type(client.iter_orders(START, END, filters=FILTERS), Iterator[dict[str, Any]])
        assert_type(client.count_orders(START, END, at_least=None), int)


def client() -> None:
    account = Account.from_connection("acme", "reader", "secret", {"cm_id": 1000298}, 8443)
    client = KaptureClient(account)
    try:
        assert_type(client.account, Account)
        assert_type(account.host, str)
    finally:
        client.close()
    try:
        raise KaptureSettingsError("no")
    except KaptureBusyError as busy:
        assert_type(busy.retry_after, float | None)
    except KaptureAnswerError as answer:
        assert_type((answer.status, answer.path, answer.excerpt), tuple[int, str, str])
    except KaptureTransportError as transport:
        assert_type(transport.reason, str)
    except (KaptureError, ValueError) as error:
        assert_type(str(error), str)


async def async_client() -> None:
    async with AsyncKaptureClient(Account.from_connection("acme", "reader", "secret", {"cm_id": 1})) as client:
        assert_type(await client.count_orders(START, END, at_least=1), int)


def operator() -> None:
    KapturePullOrdersOperator(task_id="pull")
    KapturePullOrdersOperator(task_id="pull", window="day", lookback=3, destination="s3://conn@bucket/orders/")
    task = KapturePullOrdersOperator(
        task_id="pull",
        window_start=START,
        window_end=END,
        window=dt.timedelta(hours=1),
        date_field="create",
        filters=FILTERS,
        extra_body={"ourKey": True},
        destination="/data/orders.parquet",
        file_format="parquet",
        on_empty="skip",
        lookback=0,
        max_xcom_bytes=1,
        partition_events=True,
        kapture_conn_id="kapture_default",
        retries=3,
        pool="kapture",
    )
    task.execute({})


def sensor() -> None:
    KaptureOrdersSensor(task_id="wait", window="day")
    KaptureOrdersSensor(
        task_id="wait",
        window_start="2026-01-05",
        window_end="2026-01-06",
        date_field="create",
        filters=FILTERS,
        min_orders=10,
        deferrable=True,
        kapture_conn_id="kapture_default",
        mode="reschedule",
        poke_interval=60,
        timeout=3600,
    )


async def triggers() -> None:
    trigger = KaptureOrdersTrigger(
        kapture_conn_id="kapture_default",
        window_start="2026-01-05T00:00:00+05:30",
        window_end="2026-01-06T00:00:00+05:30",
        date_field="create",
        filters={"bookingStatus": "AP"},
        min_orders=1,
        poll_interval=60.0,
    )
    assert_type(trigger.serialize(), tuple[str, dict[str, Any]])
    assert_type(trigger.run(), AsyncIterator[TriggerEvent])
    watcher = KaptureOrdersEventTrigger(
        kapture_conn_id="kapture_default", filters=None, poll_interval=300.0, lookback=3600.0
    )
    assert_type(watcher.serialize(), tuple[str, dict[str, Any]])


def windows() -> None:
    assert_type(plan_windows("2026-01-01", "2026-02-01", "day"), list[dict[str, str]])
    assert_type(plan_windows(START, END, dt.timedelta(hours=6), timezone="UTC"), list[dict[str, str]])
    assert_type(get_provider_info(), dict[str, Any])


def emulator() -> None:
    book = Book(orders=10, days=1, start=dt.date(2026, 1, 5), timezone="UTC", seed=2, cm_id=7)
    with Emulator(book, Switches(order="oldest", page_cap=100), user="me", password="x", port=0) as kapture:
        assert_type(kapture.origin, str)
        assert_type(kapture.connection_json(page_size=50), str)
        assert_type(kapture.connection_uri_env("shop"), dict[str, str])
        kapture.set(status_every=1, status=503)
        assert_type(kapture.stats(), dict[str, Any])
        assert_type(kapture.count("2026-01-05", dt.date(2026, 1, 5)), int)
        assert_type(kapture.ids(), list[int])
        assert_type(kapture.add_orders(3, day="2026-01-05"), list[int])
        kapture.reset()
