"""A window without orders is proven before it is published: each rule of the proof, through both clients."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from airflow_provider_kapture.client import Account, KaptureClient
from airflow_provider_kapture.client.api.failures import Response
from airflow_provider_kapture.client.api.request import build_query
from airflow_provider_kapture.client.async_client import AsyncKaptureClient
from airflow_provider_kapture.client.errors import (
    KaptureAuthError,
    KaptureDialectError,
    KaptureError,
    KaptureListingError,
    KaptureTransportError,
)
from airflow_provider_kapture.client.pull.stats import PullStats
from airflow_provider_kapture.emulator import Book, Emulator, Switches

EMPTY = ("2024-06-08", "2024-06-09")
FULL = ("2024-05-08", "2024-05-09")
# Days of three with orders: 8 to 10 May 2024.
BOOK = Book(orders=60, days=3)
NO_ORDERS = b'{"success":"true","order_details":[]}'


@dataclass(frozen=True)
class Outcome:
    """What came of a pull.

    :ivar proof: the receipt's ``empty_proof``
    :ivar warnings: the receipt's
    :ivar sent: the bodies of its requests
    """

    ids: list[int]
    error: KaptureError | None
    proof: str | None
    warnings: list[str]
    sent: list[dict[str, Any]]

    @property
    def any_date(self) -> list[dict[str, Any]]:
        """The requests for orders of any date."""
        return [each for each in self.sent if not (each["createStartDate"] or each.get("bookingStartDate"))]

    def days(self, window: tuple[str, str], date_format: str = "%Y-%m-%d") -> tuple[str, ...]:
        """Return the days that were requested alone, and are not of the window."""
        texts = [
            each["createStartDate"] for each in self.sent if each["createStartDate"] == each["createEndDate"] != ""
        ]
        days = [str(dt.datetime.strptime(each, date_format).date()) for each in texts]  # noqa: DTZ007 - a local date
        return tuple(each for each in days if not window[0][:10] <= each < window[1])

    @property
    def has_warned(self) -> bool:
        """Whether a person is told that nothing was proven."""
        return any("`control_day`" in each for each in self.warnings)


Answer = Callable[[int, dict[str, Any]], Response | KaptureError | None]


def pull(  # noqa: C901 - one client with two shells
    kapture: Emulator,
    client_class: type,
    window: tuple[str, str],
    query: tuple[Any, ...] = ("create",),
    answer: Answer | None = None,
    *,
    proves_empty: bool = True,
    **extra: Any,
) -> Outcome:
    """Pull a window.

    :param answer: what a request is answered with, by its number and body; none for what the emulator answers
    """
    connection = json.loads(kapture.connection_json(**{"retry_budget": 1, "max_concurrency": 1, **extra}))
    account = Account.from_connection(*(connection[name] for name in ("host", "login", "password", "extra")))
    stats, sent, found = PullStats(), list[dict[str, Any]](), list[int]()

    def replaced(body: bytes) -> Response | None:
        request = json.loads(body)
        sent.append(request[0] if isinstance(request, list) else request)
        own = answer(len(sent), sent[-1]) if answer is not None else None
        if isinstance(own, KaptureError):
            raise own
        return own

    class Sync(KaptureClient):
        def send(self, body: bytes, *options: Any) -> Response:
            return replaced(body) or super().send(body, *options)

    class Async(AsyncKaptureClient):
        async def send(self, body: bytes, *options: Any) -> Response:
            return replaced(body) or await super().send(body, *options)

    def run() -> None:
        with Sync(account) as client:
            windows = [client.window(*window)]
            for batch in client.pull(build_query(*query), windows, stats, proves_empty=proves_empty):
                found.extend(json.loads(bytes(raw))["id"] for raw in batch.raws)

    async def run_async() -> None:
        async with Async(account) as client:
            windows = [client.window(*window)]
            async for batch in client.pull(build_query(*query), windows, stats, proves_empty=proves_empty):
                found.extend(json.loads(bytes(raw))["id"] for raw in batch.raws)

    error = None
    try:
        if client_class is KaptureClient:
            run()
        else:
            asyncio.run(run_async())
    except KaptureError as failure:
        error = failure
    return Outcome(found, error, stats.empty_proof, stats.warnings, sent)


both = pytest.mark.parametrize("client", [KaptureClient, AsyncKaptureClient], ids=["sync", "async"])


@dataclass(frozen=True)
class Case:
    """An account, and what must come of a pull of a window without orders.

    :param proof: ``empty_proof``; none where the pull must fail
    :param names: what the error must name
    :param any_date: how many requests for orders of any date are made
    :param days: the days that are requested to prove it
    """

    proof: str | None = None
    names: tuple[str, ...] = ()
    any_date: int = 1
    days: tuple[str, ...] = ("2024-05-10",)
    switches: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    book: Book = BOOK
    window: tuple[str, str] = EMPTY
    query: tuple[Any, ...] = ("create",)
    has_warned: bool = False


# So many days before today, an account that gives the latest days alone gives the book's, but none of a year before.
RECENT = (dt.date.today() - dt.date(2024, 5, 1)).days  # noqa: DTZ011 - a day more or less is as good
NEEDS_DATES = {"dates_required": True}
SETTINGS = ("`date_format`", "`end_date`", "`timezone`", "`default_body`", "`kapture doctor CONN_ID`")
FOUND = {"proof": "control_day"}
NOT_FOUND = {"proof": "none", "has_warned": True}
CONTRADICTED = {"names": SETTINGS}
# Two edges and nothing between them.
EDGES = Book(orders=2, days=1)
WITHIN_A_DAY = ("2024-05-08T10:00", "2024-05-08T11:00")

CASES = {
    # 1. What is empty, and the window's own days.
    "orders of the window's own day": Case("control_day", any_date=0, days=(), book=EDGES, window=WITHIN_A_DAY),
    "orders of one of the window's days": Case(
        "control_day", any_date=0, days=(), book=Book(orders=1, days=1), window=("2024-05-08T00:00:01", "2024-05-10")
    ),
    # 2. The control order.
    "an order of any date": Case(**FOUND),
    "a window of several days": Case(**FOUND, window=("2024-06-08", "2024-06-12")),
    "no order at all": Case(**NOT_FOUND, any_date=2, days=(), book=Book(orders=0)),
    "a control day": Case(**FOUND, any_date=0, days=("2024-05-09",), extra={"control_day": "2024-05-09"}),
    "a control day that reads alike": Case(
        **FOUND,
        any_date=0,
        days=("2024-05-05",),
        book=Book(start=dt.date(2024, 5, 5), orders=30, days=1),
        extra={"control_day": "2024-05-05"},
    ),
    "a control day where a query needs dates": Case(
        **FOUND, any_date=0, days=("2024-05-09",), switches=NEEDS_DATES, extra={"control_day": "2024-05-09"}
    ),
    "a query that needs dates": Case(**NOT_FOUND, any_date=2, days=(), switches=NEEDS_DATES),
    "a query that needs dates, failed": Case(
        **NOT_FOUND, any_date=2, days=(), switches={"dates_required": True, "bad_range": "failed"}
    ),
    "a query that needs dates, as empty": Case(
        **NOT_FOUND, any_date=2, days=(), switches={"dates_required": True, "bad_range": "empty"}
    ),
    "a filter that is wanted": Case(
        **FOUND, switches={"window_is_filter": False}, extra={"default_body": {"notAssignToIdsStr": "-1"}}
    ),
    "every response is whole": Case(
        **NOT_FOUND, any_date=0, days=(), switches={"paging": "none"}, extra={"paging": "none"}
    ),
    "every response is whole, and a control day": Case(
        **FOUND, any_date=0, switches={"paging": "none"}, extra={"paging": "none", "control_day": "2024-05-10"}
    ),
    # A check of the end date shows the 20 orders of the day after where 10 are asked for.
    "limit is seen to be ignored": Case(
        **NOT_FOUND,
        any_date=0,
        days=(),
        switches={"limit_ignored": True},
        extra={"page_size": 10},
        window=("2024-05-07", "2024-05-08"),
    ),
    "limit is ignored and not seen to be": Case(**FOUND, switches={"limit_ignored": True}),
    "limit is ignored, and all orders are too many": Case(
        **NOT_FOUND, days=(), switches={"limit_ignored": True}, book=Book(orders=3_000, days=3)
    ),
    "the first order reads alike": Case(**FOUND, days=("2024-05-04",), book=Book(start=dt.date(2024, 5, 3), orders=9)),
    "every order reads alike": Case(
        **NOT_FOUND, days=("2024-05-05",), book=Book(start=dt.date(2024, 5, 5), orders=30, days=1)
    ),
    "pages from 1": Case(**FOUND, switches={"paging": "pages_from_1"}, extra={"paging": "pages_from_1"}),
    "GET": Case(**FOUND, switches={"method": "GET"}, extra={"http_method": "GET"}),
    "a body in a list": Case(**FOUND, switches={"body": "list"}, extra={"body_format": "list"}),
    "other dates": Case(
        **FOUND, days=("2024-05-10",), switches={"date_format": "%d/%m/%Y"}, extra={"date_format": "%d/%m/%Y"}
    ),
    "an exclusive end date": Case(
        **FOUND, days=(), switches={"end_date": "exclusive"}, extra={"end_date": "exclusive"}
    ),
    "empties as a failure": Case(
        **FOUND, switches={"empty": "message"}, extra={"empty_answers": [{"message": "No orders found."}]}
    ),
    # 3. A day that has orders shows none.
    "dates read leniently as others": Case(**CONTRADICTED, switches={"date_format": "%d-%m-%Y", "lenient_dates": True}),
    "day and month exchanged": Case(
        **CONTRADICTED,
        days=("2024-05-10",),
        switches={"date_format": "%d/%m/%Y", "lenient_dates": True},
        extra={"date_format": "%m/%d/%Y"},
    ),
    "day and month exchanged, and every order reads alike": Case(
        **CONTRADICTED,
        days=("2024-05-05",),
        switches={"date_format": "%d-%m-%Y", "lenient_dates": True},
        book=Book(start=dt.date(2024, 5, 5), orders=30, days=1),
    ),
    "dates that cannot be read as empty": Case(
        **CONTRADICTED, switches={"date_format": "%d/%m/%Y", "bad_date": "empty"}
    ),
    "dates that cannot be read as empty, and a filter": Case(
        **CONTRADICTED, switches={"date_format": "%d/%m/%Y", "bad_date": "empty"}, query=("create", {"statusStr": "AP"})
    ),
    "dates that cannot be read as empty, of another field": Case(
        **CONTRADICTED, switches={"date_format": "%d/%m/%Y", "bad_date": "empty"}, query=("booking",)
    ),
    "a missing filter as empty": Case(**CONTRADICTED, switches={"window_is_filter": False, "missing_filter": "empty"}),
    "a control day without orders, and one with": Case(
        **FOUND, days=("2024-07-01", "2024-05-10"), extra={"control_day": "2024-07-01"}
    ),
    "a control day without orders, and a contradiction": Case(
        **CONTRADICTED,
        days=("2024-07-01", "2024-05-10"),
        extra={"control_day": "2024-07-01"},
        switches={"date_format": "%d-%m-%Y", "lenient_dates": True},
    ),
    "a control day that is refused by now": Case(
        **FOUND,
        days=("2023-05-09", "2024-05-10"),
        switches={"recent_days": RECENT},
        extra={"control_day": "2023-05-09"},
    ),
    "a control day that is refused by now, and no other": Case(
        **NOT_FOUND,
        days=("2023-05-09",),
        switches={"recent_days": RECENT, **NEEDS_DATES},
        extra={"control_day": "2023-05-09"},
    ),
    "the day of the control order is refused": Case(
        **NOT_FOUND,
        days=("2024-05-10",),
        switches={"recent_days": RECENT - 9},
        window=("2024-05-20", "2024-05-21"),
    ),
    "a control day without orders, and no other": Case(
        **NOT_FOUND, days=("2024-07-01",), switches=NEEDS_DATES, extra={"control_day": "2024-07-01"}
    ),
    "another time zone": Case(
        names=("`timezone`",),
        any_date=0,
        days=("2024-05-09",),
        switches={"timezone": "America/New_York"},
        extra={"control_day": "2024-05-09"},
    ),
    # 4. Other fields and filters.
    "another date field": Case("none", query=("booking",), window=("2024-06-08", "2024-06-09")),
    "another date field and no order": Case(**NOT_FOUND, any_date=2, days=(), query=("booking",), book=Book(orders=0)),
    "filters": Case(**FOUND, query=("create", {"statusStr": "XX"})),
    "filters that leave nothing of a day with orders": Case(
        **FOUND, query=("create", {"statusStr": "XX"}), window=FULL
    ),
    "filters that leave nothing of the control day": Case(
        **FOUND, days=(), query=("create", {"statusStr": "XX"}), window=("2024-05-10", "2024-05-11")
    ),
    "keys of the account's own": Case(**FOUND, query=("create", {}, {"statusStr": "XX"}), window=FULL),
}


@both
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_window_without_orders(case: Case, client: type) -> None:
    with Emulator(case.book, Switches(**case.switches)) as kapture:
        found = pull(kapture, client, case.window, case.query, **case.extra)
    assert found.ids == []
    assert (found.proof, found.error is None) == (case.proof, case.proof is not None)
    assert found.has_warned is case.has_warned
    assert len(found.any_date) == case.any_date
    if case.extra.get("end_date") != "exclusive":
        days = found.days(case.window, case.extra.get("date_format", "%Y-%m-%d"))
        assert days == case.days
        assert len(found.any_date) + len(days) <= 3
    if case.names:
        assert isinstance(found.error, KaptureDialectError | KaptureListingError)
        assert found.error.permanent
        for name in case.names:
            assert name in str(found.error)
        assert "empty_" not in str(found.error)


def json_answer(body: Any, status: int = 200) -> Response:
    return Response(status, {"content-type": "application/json"}, json.dumps(body).encode())


def is_any_date(body: dict[str, Any]) -> bool:
    return not body["createStartDate"]


# What no order of any date comes of, and how many such requests are made.
NO_CONTROL_ORDER: dict[str, tuple[Response | KaptureError, int]] = {
    **{f"{status}": (json_answer({"status": "failed", "message": "No"}, status), 2) for status in (400, 404, 405)},
    "a failure under 200": (json_answer({"status": "failed", "message": "Wrong request"}), 2),
    "a missing filter": (json_answer({"status": "failed", "message": "Mandatory field missing"}), 2),
    "an empty list": (Response(200, {}, NO_ORDERS), 2),
    **{f"{status}": (json_answer({}, status), 1) for status in (403, 409, 429, 500, 503)},
    "a busy server under 200": (json_answer({"status": "failed", "message": "Too many requests"}), 1),
    "HTML": (Response(200, {}, b"<html>We'll be back</html>"), 1),
    "an empty body": (Response(200, {}, b""), 1),
    "half a body": (Response(200, {}, b'{"success":"true","order_details":[{"id":1'), 1),
    "malformed JSON": (Response(200, {}, b'{"success":"true","order_details":[{"id":1,"x":tru}]}'), 1),
    "foreign JSON": (json_answer({"ok": 1}), 1),
    "orders that stand elsewhere": (json_answer({"data": [{"id": 1, "createDate": 1715300000000}]}), 1),
    "a redirect": (Response(302, {"location": "/login"}, b""), 2),
    "a broken connection": (KaptureTransportError("broken"), 1),
    "no answer in time": (KaptureTransportError("late", reason="timeout"), 1),
    "an order without a date": (json_answer({"success": "true", "order_details": [{"id": 1}]}), 1),
    "an order with a date in words": (
        json_answer({"success": "true", "order_details": [{"id": 1, "createDate": "May 10, 2024"}]}),
        1,
    ),
}


@both
@pytest.mark.parametrize(("answer", "requests"), NO_CONTROL_ORDER.values(), ids=NO_CONTROL_ORDER)
def test_anything_but_orders_is_no_control_order_and_is_asked_for_once(
    answer: Response | KaptureError, requests: int, client: type
) -> None:
    with Emulator(BOOK) as kapture:
        found = pull(kapture, client, EMPTY, answer=lambda _, body: answer if is_any_date(body) else None)
    assert (found.error, found.proof, found.has_warned) == (None, "none", True)
    # A refusal and an empty list may mean that pages count from 1.
    assert [each["offset"] for each in found.any_date] == ["0", "1"][:requests]


REFUSED_KEYS = {
    "401": Response(401, {}, b""),
    "403": json_answer({"message": "Invalid Auth Key"}, 403),
    "200": json_answer({"message": "Invalid Auth Key", "status": "failed"}),
}


@both
@pytest.mark.parametrize("answer", REFUSED_KEYS.values(), ids=REFUSED_KEYS)
def test_a_key_that_is_refused_ends_the_pull(answer: Response, client: type) -> None:
    with Emulator(BOOK) as kapture:
        found = pull(kapture, client, EMPTY, answer=lambda _, body: answer if is_any_date(body) else None)
    assert isinstance(found.error, KaptureAuthError)
    assert len(found.any_date) == 1
    assert is_any_date(found.sent[-1])


@both
@pytest.mark.parametrize("first", [Response(200, {}, NO_ORDERS), json_answer({"status": "failed"}, 400)])
def test_orders_at_offset_1_alone_name_pages_from_1(first: Response, client: type) -> None:
    def answer(_: int, body: dict[str, Any]) -> Response | None:
        return first if is_any_date(body) and body["offset"] == "0" else None

    with Emulator(BOOK) as kapture:
        found = pull(kapture, client, EMPTY, answer=answer)
    assert isinstance(found.error, KaptureListingError)
    assert "'pages_from_1'" in str(found.error)
    assert found.error.permanent


@both
@pytest.mark.parametrize("failing", ["the query", "the day"])
def test_the_day_of_the_control_order_is_asked_for_as_a_pull_asks(failing: str, client: type) -> None:
    """With retries, which the query for any date does not have."""
    failed = list[int]()

    def answer(number: int, body: dict[str, Any]) -> Response | None:
        wanted = is_any_date(body) if failing == "the query" else body["createStartDate"] == "2024-05-10"
        if wanted and not failed:
            failed.append(number)
            return json_answer({}, 503)
        return None

    with Emulator(BOOK) as kapture:
        found = pull(kapture, client, EMPTY, answer=answer)
    assert failed
    assert (found.proof, found.error) == ("none" if failing == "the query" else "control_day", None)


@both
@pytest.mark.parametrize("query", [("create", {"statusStr": "XX", "attr1": "a"}, {"own": "b"}), ("booking",)])
def test_the_control_day_is_asked_for_without_the_users_filters(query: tuple[Any, ...], client: type) -> None:
    with Emulator(BOOK) as kapture:
        found = pull(kapture, client, EMPTY, query, default_body={"attr2": "c"})
        plain = pull(kapture, client, ("2024-05-10", "2024-05-11"), default_body={"attr2": "c"})
    [day] = [each for each in found.sent if each["createStartDate"] == "2024-05-10"]
    assert day == plain.sent[0]
    [any_date] = found.any_date
    assert any_date["attr1"] == any_date["statusStr" if "statusStr" in any_date else "name"] == ""
    assert "own" not in any_date
    assert any_date["attr2"] == "c"


# The numbers of a pull's requests: its only page, two checks, and the proof.
FIRST_READING = {1, 2, 3}


@both
@pytest.mark.parametrize("extra", [{}, {"control_day": "2024-05-08"}], ids=["found", "set"])
@pytest.mark.parametrize("is_empty_twice", [False, True])
def test_a_window_that_the_control_day_contradicts_is_read_again(
    extra: dict[str, Any], is_empty_twice: bool, client: type
) -> None:
    control = 4 if extra else 5

    def answer(number: int, _: dict[str, Any]) -> Response | None:
        is_empty = number in FIRST_READING or (is_empty_twice and number > control)
        return Response(200, {}, NO_ORDERS) if is_empty else None

    with Emulator(Book(orders=20, days=1)) as kapture:
        found = pull(kapture, client, FULL, answer=answer, **extra)
        expected = sorted(kapture.ids())
    assert found.proof is None
    if is_empty_twice:
        assert isinstance(found.error, KaptureDialectError)
        assert found.error.permanent
        assert "`kapture doctor CONN_ID`" in str(found.error)
        assert found.ids == []
    else:
        assert found.error is None
        assert sorted(found.ids) == expected


@both
def test_a_second_reading_with_orders_outside_the_window_proves_it(client: type) -> None:
    def answer(number: int, _: dict[str, Any]) -> Response | None:
        within = {"id": 5, "createDate": 1715144400000}  # 10:30 of the day
        if number == 4:
            return json_answer({"success": "true", "order_details": [within]})
        return Response(200, {}, NO_ORDERS) if number in FIRST_READING else None

    with Emulator(EDGES) as kapture:
        found = pull(kapture, client, WITHIN_A_DAY, answer=answer, control_day="2024-05-08")
    assert (found.ids, found.error, found.proof) == ([], None, "control_day")


@both
@pytest.mark.parametrize("window", [FULL, ("2024-05-08", "2024-05-11"), ("2024-05-06", "2024-05-12")])
def test_a_window_with_orders_needs_no_proof(window: tuple[str, str], client: type) -> None:
    with Emulator(BOOK) as kapture:
        found = pull(kapture, client, window, control_day="2024-05-09")
    assert (found.proof, found.warnings, found.any_date) == (None, [], [])
    assert len(found.ids) in (20, 60)


@both
@pytest.mark.parametrize("switches", [{}, {"bad_date": "empty", "date_format": "%d/%m/%Y"}])
def test_a_pull_that_is_not_to_prove_anything_makes_no_request_for_it(switches: dict[str, Any], client: type) -> None:
    with Emulator(BOOK, Switches(**switches)) as kapture:
        found = pull(kapture, client, EMPTY, proves_empty=False)
    assert (found.error, found.proof, found.warnings, found.any_date) == (None, None, [], [])
    assert found.days(EMPTY) == ()


# The query, how many orders there are, and the log's lines at INFO and WARNING.
LOGGED: dict[str, tuple[tuple[Any, ...], int, tuple[int, int]]] = {
    "nothing": (("create",), 60, (0, 0)),
    "filters": (("create", {"statusStr": "XX"}), 60, (1, 0)),
    "keys of the account's own": (("create", {}, {"own": "x"}), 60, (1, 0)),
    "another date field": (("booking",), 60, (1, 0)),
    "another date field and filters": (("booking", {"statusStr": "XX"}), 60, (2, 0)),
    "no control order": (("create",), 0, (0, 1)),
    "no control order and filters": (("create", {"statusStr": "XX"}), 0, (1, 1)),
}


@both
@pytest.mark.parametrize(("query", "orders", "lines"), LOGGED.values(), ids=LOGGED)
def test_the_log_says_what_is_not_proven(
    query: tuple[Any, ...], orders: int, lines: tuple[int, int], client: type, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "airflow_provider_kapture")
    with Emulator(Book(orders=orders, days=3)) as kapture:
        found = pull(kapture, client, EMPTY, query)
    levels = [each.levelno for each in caplog.records if each.name.startswith("airflow_provider_kapture.client")]
    assert (levels.count(logging.INFO), levels.count(logging.WARNING)) == lines
    assert len(found.warnings) == lines[1]


@both
def test_the_control_query_reads_no_more_than_any_response_may_be(client: type) -> None:
    with Emulator(BOOK) as kapture:
        found = pull(kapture, client, EMPTY, max_response_bytes=1_000, answer=None)
    assert (found.proof, found.has_warned) == ("none", True)
