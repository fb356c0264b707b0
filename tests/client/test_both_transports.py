"""One table of scenarios through both transports: the same orders, the same errors, the same number of requests."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import requests

from airflow_provider_kapture.client import Account, KaptureClient
from airflow_provider_kapture.client.async_client import AsyncKaptureClient
from airflow_provider_kapture.client.errors import (
    KaptureAuthError,
    KaptureBusyError,
    KaptureDialectError,
    KaptureError,
    KaptureForbiddenError,
    KaptureListingError,
    KaptureOversizeError,
    KaptureRefusedError,
    KaptureShapeError,
    KaptureTransportError,
)
from airflow_provider_kapture.client.transport.network_errors import transport_error
from airflow_provider_kapture.emulator import Book, Emulator, Switches

WINDOW = ("2024-05-08", "2024-05-10")
ORDERS = 160  # of which the window has the first two days of three


@dataclass(frozen=True)
class Scenario:
    """How the server behaves, what the connection says, and what must come of it.

    :param error: the error that must come of it; none for all orders of the window
    :param exact: whether the requests are the same ones each time
    :param one_by_one: whether pages must be asked for one after another to be the same ones each time
    """

    name: str
    switches: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    window: tuple[str, str] = WINDOW
    orders: int = ORDERS * 3 // 2
    error: type[KaptureError] | None = None
    exact: bool = True


ONE = {"max_concurrency": 1}
FAILS = {**ONE, "retry_budget": 0.05}

SCENARIOS = [
    Scenario("as the vendor's page has it"),
    Scenario(
        "a window inside days", window=("2024-05-08T09:30:00+05:30", "2024-05-09T17:00:00.001+05:30"), exact=False
    ),
    Scenario("oldest first", {"order": "oldest"}),
    Scenario("pages shorter than asked", {"page_cap": 7}, exact=False),
    Scenario("pages shorter than asked, one by one", {"page_cap": 7}, ONE),
    Scenario("pages of one row", {"page_cap": 1}, error=KaptureListingError),
    Scenario("no orders", orders=0),
    Scenario("no orders, as null", {"empty": "null"}, FAILS, orders=0),
    Scenario(
        "no orders, as a failure",
        {"empty": "message"},
        {**FAILS, "empty_messages": []},
        orders=0,
        error=KaptureRefusedError,
    ),
    Scenario("no orders, as a known message", {"empty": "message"}, {"empty_messages": ["No orders found."]}, orders=0),
    Scenario("success as a boolean", {"envelope": "boolean"}),
    Scenario("success as a status", {"envelope": "status"}),
    Scenario("packed", {"gzip": True}),
    Scenario("indented", {"indent": True}),
    Scenario("packed and indented", {"gzip": True, "indent": True}),
    Scenario("numbers as strings", {"numbers_as_strings": True}),
    Scenario("unknown fields", {"unknown_fields": True, "missing_fields": True}),
    Scenario("GET", {"method": "GET"}, {"http_method": "GET"}),
    Scenario("GET where POST is wanted", {}, {"http_method": "GET"}, error=KaptureRefusedError),
    Scenario("dates written otherwise", {"date_format": "%d-%m-%Y"}, {"date_format": "%d-%m-%Y"}),
    Scenario("dates written wrongly", {"date_format": "%d-%m-%Y"}, error=KaptureRefusedError),
    Scenario("wrong credentials", {}, {"password": "wrong"}, error=KaptureAuthError),
    Scenario("wrong credentials under 200", {"bad_auth": 200}, {"password": "wrong"}, error=KaptureAuthError),
    Scenario("forbidden", {"status_every": 1, "status": 403}, error=KaptureForbiddenError),
    Scenario("not found", {"status_every": 1, "status": 404, "failure_keys": "capital"}, error=KaptureRefusedError),
    Scenario("a failure under 200", {"status_every": 1, "status": 200}, error=KaptureRefusedError),
    Scenario("an empty answer", {"verbatim": ""}, FAILS, error=KaptureShapeError, exact=False),
    Scenario("foreign JSON", {"verbatim": '{"ok": 1}'}, FAILS, error=KaptureShapeError, exact=False),
    Scenario("busy now and then", {"status_every": 7, "retry_after": "0"}, ONE),
    Scenario("busy all along", {"status_every": 1, "status": 503}, FAILS, error=KaptureBusyError, exact=False),
    Scenario("HTML all along", {"html_every": 1}, FAILS, error=KaptureRefusedError),
    Scenario("HTML now and then", {"html_every": 5}, ONE),
    Scenario("dropped now and then", {"drop_every": 5}, ONE),
    Scenario("dropped all along", {"drop_every": 1}, FAILS, error=KaptureTransportError, exact=False),
    Scenario("dropped and packed", {"drop_every": 1, "gzip": True}, FAILS, error=KaptureTransportError, exact=False),
    Scenario("cut short now and then", {"truncate_every": 5}, ONE),
    Scenario("cut short all along", {"truncate_every": 1}, FAILS, error=KaptureShapeError, exact=False),
    Scenario("a redirect", {"redirect": "https://elsewhere.example/login"}, error=KaptureRefusedError),
    Scenario("a bomb", {"bomb": True}, {"max_response_bytes": 1 << 20}, error=KaptureOversizeError),
    Scenario("too late", {"latency": 1.0}, {**FAILS, "read_timeout": 0.1}, error=KaptureTransportError, exact=False),
    Scenario("offset ignored", {"offset_ignored": True}, ONE, error=KaptureListingError),
    Scenario("shuffled", {"shuffle": True}, ONE, error=KaptureListingError),
    Scenario("rows repeat at the edge", {"repeat_edge": 3}, ONE),
    Scenario("orders appear at the top", {"insert_per_answer": 2}, ONE),
    Scenario("orders vanish at the top", {"delete_per_answer": 2}, ONE),
    Scenario("an end date that is exclusive", {"end_date": "exclusive"}, {"end_date": "exclusive"}),
    Scenario("an end date that is exclusive after all", {"end_date": "exclusive"}, error=KaptureDialectError),
    Scenario("an end date that is inclusive after all", {}, {"end_date": "exclusive"}, error=KaptureDialectError),
    Scenario("another time zone", {"timezone": "America/New_York"}, ONE, error=KaptureDialectError),
    Scenario("two days in a request", {}, {"max_days_per_request": 2}),
    Scenario("more days than allowed", {"max_days": 1}, {"max_days_per_request": 2}, error=KaptureRefusedError),
]


@dataclass(frozen=True)
class Outcome:
    """What came of a pull."""

    ids: list[Any]
    error: str
    requests: int


def make_account(kapture: Emulator, extra: Mapping[str, Any]) -> Account:
    connection = json.loads(kapture.connection_json())
    settings = {**connection["extra"], "page_size": 40, "retry_budget": 5, **extra}
    password = settings.pop("password", connection["password"])
    return Account.from_connection(connection["host"], connection["login"], password, settings)


def pull_sync(account: Account, window: tuple[str, str]) -> tuple[list[Any], KaptureError | None]:
    found: list[Any] = []
    try:
        with KaptureClient(account) as client:
            found.extend(order["id"] for order in client.iter_orders(*window))
    except KaptureError as error:
        return found, error
    return found, None


async def _pull_async(account: Account, window: tuple[str, str]) -> tuple[list[Any], KaptureError | None]:
    found: list[Any] = []
    try:
        async with AsyncKaptureClient(account) as client:
            async for order in client.iter_orders(*window):
                found.append(order["id"])  # noqa: PERF401 - what came before an error counts
    except KaptureError as error:
        return found, error
    finally:
        assert asyncio.all_tasks() == {asyncio.current_task()}, "a task was left behind"
    return found, None


def pull_async(account: Account, window: tuple[str, str]) -> tuple[list[Any], KaptureError | None]:
    return asyncio.run(_pull_async(account, window))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.name)
def test_the_same_through_both(scenario: Scenario) -> None:
    outcomes = []
    with Emulator(Book(orders=scenario.orders), Switches(**scenario.switches)) as kapture:
        account = make_account(kapture, scenario.extra)
        for pull in (pull_sync, pull_async):
            kapture.reset()
            before = {order["id"] for order in kapture.orders}
            found, error = pull(account, scenario.window)
            staying = before & {order["id"] for order in kapture.orders}
            assert type(error) is (scenario.error or type(None)), error
            if error is None:
                check_complete(kapture, account, scenario, found, staying)
            outcomes.append((found, str(error), kapture.stats()["requests"]))
    (found, message, requests), (other_found, other_message, other_requests) = outcomes
    assert message == other_message
    if scenario.exact or scenario.error is None:
        assert found == other_found
    if scenario.exact and scenario.error is None:
        assert requests == other_requests


def check_complete(
    kapture: Emulator, account: Account, scenario: Scenario, found: list[Any], staying: set[int]
) -> None:
    window = KaptureClient(account).window(*scenario.window)
    expected = {
        int(order["id"])
        for order in kapture.orders
        if order["id"] in staying and window.start_ms <= order["createDate"] < window.end_ms
    }
    ids = [int(each) for each in found]
    assert len(ids) == len(set(ids)), "an order came twice"
    assert expected <= set(ids), "an order is missing"


@pytest.fixture
def netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that names other credentials for the host."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


@pytest.mark.usefixtures("netrc")
@pytest.mark.parametrize("pull", [pull_sync, pull_async])
def test_the_credentials_are_the_accounts(pull: Callable[..., tuple[list[Any], KaptureError | None]]) -> None:
    with Emulator(Book(orders=30)) as kapture:
        found, error = pull(make_account(kapture, {}), WINDOW)
    assert error is None
    assert len(found) == 20


def test_nothing_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        host = f"http://127.0.0.1:{taken.getsockname()[1]}"
    account = Account.from_connection(host, "login", "password", {"cm_id": 1, "retry_budget": 0.01})
    (_, error), (_, other) = pull_sync(account, WINDOW), pull_async(account, WINDOW)
    assert isinstance(error, KaptureTransportError)
    assert error.reason == "refused"
    assert (type(other), str(other)) == (type(error), str(error))


@pytest.mark.parametrize("raised", [aiohttp.ServerDisconnectedError(), requests.ConnectionError()])
def test_a_broken_connection_has_one_name(raised: Exception) -> None:
    account = Account.from_connection("acme", "login", "password", {"cm_id": 1})
    assert transport_error(account, raised).reason == "broken"


def test_no_tls_where_it_is_expected() -> None:
    with Emulator(Book(orders=1)) as kapture:
        host = kapture.origin.replace("http://", "https://")
        account = Account.from_connection(host, "login", "password", {"cm_id": 1})
        (_, error), (_, other) = pull_sync(account, WINDOW), pull_async(account, WINDOW)
    assert isinstance(error, KaptureTransportError)
    assert error.reason == "tls"
    assert (type(other), str(other)) == (type(error), str(error))


async def test_a_count_stops_early_as_the_sync_one_does() -> None:
    with Emulator(Book(orders=300)) as kapture:
        account = make_account(kapture, ONE)
        with KaptureClient(account) as client:
            seen = client.count_orders(*WINDOW, at_least=30)
        asked = kapture.stats()["requests"]
        kapture.reset()
        async with AsyncKaptureClient(account) as other:
            assert await other.count_orders(*WINDOW, at_least=30) == seen
            assert asyncio.all_tasks() == {asyncio.current_task()}
        assert kapture.stats()["requests"] == asked
        async with AsyncKaptureClient(account) as other:
            assert await other.count_orders(*WINDOW) == 200


async def test_a_pull_that_is_cancelled_leaves_nothing() -> None:
    with Emulator(Book(orders=300), Switches(latency=5.0)) as kapture:
        client = AsyncKaptureClient(make_account(kapture, {}))
        counting = asyncio.create_task(client.count_orders(*WINDOW))
        await until(lambda: kapture.stats()["in_flight"] > 0)
        counting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await counting
        await client.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_closing_ends_a_pull_that_was_left_in_the_middle() -> None:
    with Emulator(Book(orders=300)) as kapture:
        client = AsyncKaptureClient(make_account(kapture, {}))
        async with aclosing(client.iter_orders(*WINDOW)) as found:
            async for _ in found:
                break
            await client.close()
            assert asyncio.all_tasks() == {asyncio.current_task()}


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - the server runs in a thread, and signals nothing to this loop
            await asyncio.sleep(0)
