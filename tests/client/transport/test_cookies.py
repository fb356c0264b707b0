"""Cookies belong to one pull: all its requests return them, to the origin alone, and nothing else ever sees them."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from typing import Any

import pytest
from hostile import Hostile, http

from airflow_provider_kapture.client import Account, KaptureClient
from airflow_provider_kapture.client.async_client import AsyncKaptureClient
from airflow_provider_kapture.client.errors import KaptureError
from airflow_provider_kapture.client.transport.cookies import PullCookies
from airflow_provider_kapture.emulator import Book, Emulator, Switches

# Whole days that have ended, so that many requests come of them.
WINDOW = ("2024-05-08", "2024-05-12")


def account_of(origin: str, **extra: Any) -> Account:
    return Account.from_connection(origin, "u", "p", {"cm_id": 1, "retry_budget": 2, **extra})


def pulls_sync(account: Account, times: int) -> None:
    with KaptureClient(account) as client:
        for _ in range(times):
            client.count_orders(*WINDOW)


def pulls_async(account: Account, times: int) -> None:
    async def pulls() -> None:
        async with AsyncKaptureClient(account) as client:
            for _ in range(times):
                await client.count_orders(*WINDOW)

    asyncio.run(pulls())


each_client = pytest.mark.parametrize("pulls", [pulls_sync, pulls_async], ids=["sync", "async"])
Pulls = Callable[[Account, int], None]


def cookie_of(request: bytes) -> str:
    found = re.search(rb"\r\ncookie: ([^\r]*)", request, re.IGNORECASE)
    return found[1].decode("latin-1") if found else ""


SENT_BACK = {
    "one": ((b"Set-Cookie: JSESSIONID=AB.node1; Path=/; HttpOnly",), {"JSESSIONID=AB.node1"}),
    "several": (
        (b"Set-Cookie: JSESSIONID=AB; Path=/", b"Set-Cookie: ROUTE=.2", b"Set-Cookie: _KAPTURECRM_SESSION=c"),
        {"JSESSIONID=AB", "ROUTE=.2", "_KAPTURECRM_SESSION=c"},
    ),
    "secure, as every vendor has it": ((b"Set-Cookie: S=1; Secure; SameSite=None",), {"S=1"}),
    "odd characters": ((b'Set-Cookie: S="a b,c"; Path=/', b"Set-Cookie: T=a=b=="), {'S="a b,c"', "T=a=b=="}),
    "of the API's path": ((b"Set-Cookie: S=1; Path=/ms",), {"S=1"}),
    "letters outside ASCII": ((b"Set-Cookie: S=caf\xc3\xa9", b"Set-Cookie: T=1"), {"T=1"}),
    "bytes that are no UTF-8": ((b"Set-Cookie: S=caf\xe9", b"Set-Cookie: T=1"), {"T=1"}),
    "of another host": ((b"Set-Cookie: S=1; Domain=elsewhere.example",), set()),
    "of another path": ((b"Set-Cookie: S=1; Path=/other",), set()),
    "over at once": ((b"Set-Cookie: S=1; Max-Age=0",), set()),
    "none": ((b"Set-Cookie: ",), set()),
}


@each_client
@pytest.mark.parametrize(("headers", "expected"), SENT_BACK.values(), ids=SENT_BACK)
def test_every_request_of_a_pull_but_the_first_returns_the_cookies(
    pulls: Pulls, headers: tuple[bytes, ...], expected: set[str]
) -> None:
    with Hostile(http(b'{"success":"true","order_details":[]}', *headers)) as server:
        pulls(account_of(server.origin), 1)
        first, *others = map(cookie_of, server.requests)
    assert first == ""
    assert len(others) >= 6  # days, checks and the proof
    for each in others:
        assert (set(each.split("; ")) if each else set()) == expected


@each_client
def test_cookies_end_with_the_pull(pulls: Pulls) -> None:
    with Hostile(http(b'{"success":"true","order_details":[]}', b"Set-Cookie: S=1")) as server:
        pulls(account_of(server.origin), 2)
        found = [bool(cookie_of(each)) for each in server.requests]
    assert found.count(False) == 2


@each_client
def test_a_cookie_that_a_failure_sets_is_returned_by_the_retry(pulls: Pulls) -> None:
    busy = http(b"{}", b"Set-Cookie: S=busy", status=b"503 Service Unavailable")
    with Hostile(busy, then=http(b'{"success":"true","order_details":[]}')) as server:
        pulls(account_of(server.origin), 1)
        assert {cookie_of(each) for each in server.requests[1:]} == {"S=busy"}


@each_client
@pytest.mark.parametrize("at_once", [1, 8])
def test_a_pull_stays_on_the_node_that_answered_first(pulls: Pulls, at_once: int) -> None:
    # The other node lists the same orders in another sequence: pages of both do not fit together.
    with Emulator(Book(orders=400, days=4), Switches(nodes="other_order", page_cap=20)) as kapture:
        account = Account.from_connection(
            kapture.origin, kapture.user, kapture.password, {"cm_id": kapture.cm_id, "max_concurrency": at_once}
        )
        pulls(account, 1)
        nodes = {cookie_of(b"\r\ncookie: " + each.headers.get("cookie", "").encode()) for each in kapture.requests_seen}
    assert len(nodes - {""}) == 1


@each_client
def test_a_cookie_is_in_no_log_error_or_repr(pulls: Pulls, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    answer = http(b'{"status":"failed","message":"no"}', b"Set-Cookie: S=hush-hush-cookie")
    with Hostile(http(b"{}", b"Set-Cookie: S=hush-hush-cookie", status=b"503 Busy"), then=answer) as server:
        with pytest.raises(KaptureError) as caught:
            pulls(account_of(server.origin), 1)
        assert cookie_of(server.requests[-1]) == "S=hush-hush-cookie"
    assert "hush" not in f"{caught.value!r} {caught.value} {vars(caught.value)} {caplog.text}"


def test_cookies_are_kept_for_the_origin_alone() -> None:
    cookies = PullCookies("https://acme.kapturecrm.com")
    cookies.keep(["S=1; Domain=kapturecrm.com; Secure", "T=2; Domain=com", "U=3; Domain=other.kapturecrm.com"])
    assert cookies.header() == {"Cookie": "S=1"}
    assert "S=1" not in repr(cookies)
    assert PullCookies("https://acme.kapturecrm.com").header() == {}
