"""Orders of other days than those asked for, and orders whose time cannot be read, through both clients."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from airflow_provider_kapture.client import Account, KaptureClient
from airflow_provider_kapture.client.async_client import AsyncKaptureClient
from airflow_provider_kapture.client.errors import (
    KaptureAuthError,
    KaptureDialectError,
    KaptureError,
    KaptureForbiddenError,
    KaptureMalformedError,
    KaptureRefusedError,
    KaptureShapeError,
)
from airflow_provider_kapture.emulator import Book, Emulator, Switches

WINDOW = ("2024-05-08", "2024-05-11")
BOOK = Book(orders=60, days=3)


def account_of(kapture: Emulator, **extra: Any) -> Account:
    connection = json.loads(kapture.connection_json(**{"retry_budget": 60, **extra}))
    return Account.from_connection(*(connection[name] for name in ("host", "login", "password", "extra")))


def pull_sync(account: Account, window: tuple[str, str] = WINDOW) -> list[Any]:
    with KaptureClient(account) as client:
        return [order["id"] for order in client.iter_orders(*window)]


def pull_async(account: Account, window: tuple[str, str] = WINDOW) -> list[Any]:
    async def pull() -> list[Any]:
        async with AsyncKaptureClient(account) as client:
            return [order["id"] async for order in client.iter_orders(*window)]

    return asyncio.run(pull())


Pull = Callable[..., list[Any]]
both = pytest.mark.parametrize("pull", [pull_sync, pull_async], ids=["sync", "async"])


@both
@pytest.mark.parametrize("page_size", [500, 10])
@pytest.mark.parametrize("widest", [1, 2, 3])
@pytest.mark.parametrize("max_days", [None, 1])
def test_an_end_date_that_includes_its_first_second_alone_is_exclusive(
    pull: Pull, page_size: int, widest: int, max_days: int | None
) -> None:
    """Each day has an order at midnight: it stands in the listings of two days."""
    with Emulator(BOOK, Switches(end_date="midnight", max_days=max_days)) as kapture:
        with pytest.raises(KaptureError) as caught:
            pull(account_of(kapture, page_size=page_size, max_days_per_request=widest))
        if max_days is None:
            assert isinstance(caught.value, KaptureDialectError)
            assert "'exclusive'" in str(caught.value)
        # What the message names is the way out, and not the way back.
        widest = widest if max_days is None else 1
        found = pull(account_of(kapture, page_size=page_size, max_days_per_request=widest, end_date="exclusive"))
        assert sorted(found) == sorted(kapture.ids())


@both
@pytest.mark.parametrize("end_date", ["exclusive", "midnight"])
def test_adjacent_days_of_an_exclusive_end_date_partition_the_orders(pull: Pull, end_date: str) -> None:
    with Emulator(BOOK, Switches(end_date=end_date)) as kapture:
        account = account_of(kapture, end_date="exclusive")
        edges = [f"2024-05-{day:02d}" for day in (8, 9, 10, 11)]
        found = [each for first, last in pairwise(edges) for each in pull(account, (first, last))]
        assert sorted(found) == sorted(kapture.ids())


@both
def test_an_order_after_the_first_second_of_the_next_day_is_an_error(pull: Pull) -> None:
    with Emulator(Book(orders=0, days=1)) as kapture:
        midnight = round(dt.datetime.fromisoformat("2024-05-09T00:00:00+05:30").timestamp() * 1_000)
        kapture.add_orders(1, create_ms=midnight - 1)
        kapture.add_orders(1, create_ms=midnight + 999)
        account = account_of(kapture, end_date="exclusive")
        assert len(pull(account, ("2024-05-08", "2024-05-09"))) == 1
        kapture.add_orders(1, create_ms=midnight + 1_000)
        with pytest.raises(KaptureDialectError, match="'inclusive'"):
            pull(account, ("2024-05-08", "2024-05-09"))


def midnight_of(day: str) -> int:
    return round(dt.datetime.fromisoformat(f"{day}T00:00:00+05:30").timestamp() * 1_000)


@both
@pytest.mark.parametrize("end_date", ["exclusive", "midnight", "inclusive"])
@pytest.mark.parametrize("widest", [1, 2, 3])
@pytest.mark.parametrize("noons", [(), ("2024-05-10",), ("2024-05-08",), ("2024-05-09", "2024-05-10")], ids=str)
def test_no_order_at_midnight_is_lost(pull: Pull, end_date: str, widest: int, noons: tuple[str, ...]) -> None:
    """Days whose only orders may be those at midnight: all of them come, or the end date is named."""
    with Emulator(Book(orders=0, days=3), Switches(end_date=end_date)) as kapture:
        for day in ("2024-05-08", "2024-05-09", "2024-05-10"):
            kapture.add_orders(1, create_ms=midnight_of(day))
        for day in noons:
            kapture.add_orders(1, create_ms=midnight_of(day) + 43_200_000)
        expected = sorted(kapture.ids())
        named, found = "", list[Any]()
        try:
            found = sorted(pull(account_of(kapture, max_days_per_request=widest)))
        except KaptureDialectError as error:
            named = str(error)
        assert found == expected or (end_date != "inclusive" and "'exclusive'" in named)
        setting = "inclusive" if end_date == "inclusive" else "exclusive"
        assert sorted(pull(account_of(kapture, max_days_per_request=widest, end_date=setting))) == expected


@both
def test_an_order_at_midnight_on_a_later_page_is_no_exclusive_end_date(pull: Pull) -> None:
    with Emulator(Book(orders=0, days=2), Switches(order="oldest")) as kapture:
        kapture.add_orders(30, day="2024-05-08")
        kapture.add_orders(1, create_ms=midnight_of("2024-05-09"))
        found = pull(account_of(kapture, page_size=10, max_days_per_request=2), ("2024-05-08", "2024-05-10"))
        assert len(found) == 31


IGNORED = {
    "all dates": {"dates_ignored": True},
    "dates of another form": {"bad_date": "no_filter", "date_format": "%d/%m/%Y"},
}


@both
@pytest.mark.parametrize("switches", IGNORED.values(), ids=IGNORED)
@pytest.mark.parametrize(
    "window", [("2024-05-20", "2024-05-21"), ("2024-05-24", "2024-05-28"), ("2024-07-01", "2024-07-02")]
)
def test_dates_that_are_ignored_are_called_so(pull: Pull, switches: dict[str, Any], window: tuple[str, str]) -> None:
    with Emulator(Book(orders=200, days=40), Switches(**switches)) as kapture:
        with pytest.raises(KaptureDialectError) as caught:
            pull(account_of(kapture), window)
        assert kapture.stats()["requests"] == 1
    assert caught.value.permanent
    assert "`date_format`" in str(caught.value)
    assert "`kapture doctor CONN_ID`" in str(caught.value)
    assert "`timezone`" not in str(caught.value)
    assert "`end_date`" not in str(caught.value)


@both
@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Kiritimati", "UTC"])
def test_orders_of_the_next_day_alone_are_another_time_zone(pull: Pull, zone: str) -> None:
    with Emulator(BOOK, Switches(timezone=zone)) as kapture, pytest.raises(KaptureDialectError) as caught:
        pull(account_of(kapture), ("2024-05-09", "2024-05-10"))
    assert "`timezone`" in str(caught.value)
    assert "`date_format`" not in str(caught.value)


UNREADABLE = {
    "seconds": "seconds",
    "words": "text",
    "iso": "text",
    "day_first": "text",
    "null": "missing or null",
    "missing": "missing or null",
}


@both
@pytest.mark.parametrize("form", UNREADABLE)
@pytest.mark.parametrize("page_size", [500, 10])
def test_a_date_that_is_no_instant_is_an_error_at_once(pull: Pull, form: str, page_size: int) -> None:
    with Emulator(BOOK, Switches(create_date=form)) as kapture:
        with pytest.raises(KaptureShapeError, match=f"`createDate` of an order is .*{UNREADABLE[form]}") as caught:
            pull(account_of(kapture, page_size=page_size))
        assert kapture.stats()["requests"] == 1
    assert (caught.value.transient, caught.value.permanent) == (False, True)


HIDDEN = {
    "dates in words": ({"create_date": "words"}, KaptureShapeError),
    "no dates": ({"create_date": "missing"}, KaptureShapeError),
    "malformed JSON": ({"trailing_comma": True}, KaptureMalformedError),
}


@both
@pytest.mark.parametrize(("switches", "error"), HIDDEN.values(), ids=HIDDEN)
@pytest.mark.parametrize("end_date", ["exclusive", "midnight"])
@pytest.mark.parametrize("window", [WINDOW, ("2024-05-09", "2024-05-10")])
def test_orders_that_a_wrong_end_date_hides_are_an_error_although_they_cannot_be_read(
    pull: Pull, switches: dict[str, Any], error: type[KaptureError], end_date: str, window: tuple[str, str]
) -> None:
    with Emulator(Book(orders=9, days=3, has_edges=False), Switches(end_date=end_date, **switches)) as kapture:
        with pytest.raises(error) as caught:
            pull(account_of(kapture), window)
        assert caught.value.permanent


@both
@pytest.mark.parametrize("form", ["ms", "text", "float"])
@pytest.mark.parametrize("window", [WINDOW, ("2024-05-08T09:00", "2024-05-10T17:00:00.123")])
def test_milliseconds_in_any_writing_are_read(pull: Pull, form: str, window: tuple[str, str]) -> None:
    with Emulator(BOOK, Switches(create_date=form)) as kapture:
        found = pull(account_of(kapture), window)
        kapture.set(create_date="ms")
        assert sorted(found) == sorted(pull(account_of(kapture), window))
        assert found


# -- credentials: a wrong key costs one request, whatever it looks like --

WRONG_KEYS = {
    **{f"{status} JSON": {"bad_auth": status} for status in (401, 403, 200)},
    **{f"401 {body}": {"bad_auth_body": body} for body in ("html", "empty", "plain")},
    "403 plain": {"bad_auth": 403, "bad_auth_body": "plain"},
    "200 plain": {"bad_auth": 200, "bad_auth_body": "plain"},
    "200 capitals": {"bad_auth": 200, "failure_keys": "capital"},
    **{
        f"200 {message}": {"bad_auth": 200, "bad_auth_message": message}
        for message in ("AuthKeyInvalid", "API Request is Expired", "APIExpired", "Auth key is disabled")
    },
}
# What may also have other causes: each message names login and password.
LIKE_WRONG_KEYS = {
    "403 HTML": ({"bad_auth": 403, "bad_auth_body": "html"}, KaptureForbiddenError),
    "403 empty": ({"bad_auth": 403, "bad_auth_body": "empty"}, KaptureForbiddenError),
    "a redirect": ({"bad_auth_body": "redirect"}, KaptureRefusedError),
    "a login page": ({"bad_auth_body": "login_page"}, KaptureRefusedError),
    "a firewall": ({"user_agent": "Mozilla"}, KaptureForbiddenError),
}


@both
@pytest.mark.parametrize("switches", WRONG_KEYS.values(), ids=WRONG_KEYS)
def test_a_wrong_key_costs_one_request(pull: Pull, switches: dict[str, Any]) -> None:
    with Emulator(BOOK, Switches(auth="key", **switches)) as kapture:
        account = Account.from_connection(kapture.origin, "", "hush-hush", {"cm_id": kapture.cm_id})
        with pytest.raises(KaptureAuthError) as caught:
            pull(account)
        assert kapture.stats()["requests"] == 1
    assert "leave `login` empty" in str(caught.value)
    assert "hush" not in str(caught.value)


@both
@pytest.mark.parametrize(("switches", "error"), LIKE_WRONG_KEYS.values(), ids=LIKE_WRONG_KEYS)
def test_what_a_wrong_key_may_look_like_costs_one_request(
    pull: Pull, switches: dict[str, Any], error: type[KaptureError]
) -> None:
    with Emulator(BOOK, Switches(auth="key", **switches)) as kapture:
        account = Account.from_connection(kapture.origin, "", "hush-hush", {"cm_id": kapture.cm_id})
        with pytest.raises(error, match="login and password") as caught:
            pull(account)
        assert kapture.stats()["requests"] == 1
    assert caught.value.permanent
    assert "`http_method`" in str(caught.value)
    assert "empty_" not in str(caught.value)
