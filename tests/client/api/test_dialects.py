"""What settings do to one request, and how one response is read by them."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from airflow_provider_kapture.client import Account, errors, orders
from airflow_provider_kapture.client.api.failures import Response
from airflow_provider_kapture.client.api.request import build_query, control_body, request_body
from airflow_provider_kapture.client.api.response import Page, parse_response
from airflow_provider_kapture.client.days import DayRange

NOW = dt.datetime(2026, 1, 5, tzinfo=dt.UTC)
DAY = DayRange(dt.date(2024, 5, 8), dt.date(2024, 5, 8))
# Every key of the example in the vendor's documentation.
EXAMPLE_KEYS = {
    *("cmId", "name", "phone", "email", "customerIds", "leadIdStr", "enquiryIds", "clientReferenceIds", "viewId"),
    *("orderIds", "erpOrderId", "createStartDate", "createEndDate", "bookingStatus", "bookingSubStatus"),
    *("bookingStartDate", "bookingEndDate", "creatorIdStr", "assignIdStr", "zoneIdStr", "blockId", "unitId"),
    *("approvalDesignationIds", "agreementStartDate", "agreementEndDate", "erpInvoiceId", "sortParam"),
    *("limit", "offset", *(f"attr{number}" for number in range(1, 16))),
}
SENT = {
    "cmId": 1,
    "viewId": "2",
    "createStartDate": "2024-05-08",
    "createEndDate": "2024-05-08",
    "limit": "500",
    "offset": "0",
}


def account_of(**extra: Any) -> Account:
    return Account.from_connection("acme", "me", "hush-hush", {"cm_id": 1, **extra})


def body_of(filters: Any = None, extra_body: Any = None, **extra: Any) -> Any:
    return json.loads(request_body(account_of(**extra), build_query("create", filters, extra_body), DAY, 0))


def control_of(**extra: Any) -> Any:
    return json.loads(control_body(account_of(**extra), 0))


# -- requests --


def test_a_body_has_every_key_of_the_vendors_example() -> None:
    body = body_of()
    assert body.keys() == EXAMPLE_KEYS
    assert {name: value for name, value in body.items() if value != ""} == SENT


@pytest.mark.parametrize(
    ("default_body", "different"),
    [
        ({}, {}),
        ({"viewId": "7"}, {"viewId": "7"}),
        ({"notAssignToIdsStr": "-1"}, {"notAssignToIdsStr": "-1"}),
        ({"own": {"a": [1]}}, {"own": {"a": [1]}}),
        ({"viewId": ""}, {"viewId": ""}),
        ({"bookingStatus": 0}, {"bookingStatus": 0}),
    ],
)
def test_the_default_body_is_merged_over_the_example(default_body: Any, different: Any) -> None:
    assert body_of(default_body=default_body) == {**body_of(), **different}


def test_null_in_the_default_body_leaves_a_key_out() -> None:
    left_out = {"viewId", "sortParam", "attr7"}
    body = body_of(default_body=dict.fromkeys(left_out))
    assert body.keys() == EXAMPLE_KEYS - left_out
    assert None not in body.values()
    # A filter that is asked for is sent all the same.
    assert body_of({"attr7": "x"}, default_body={"attr7": None})["attr7"] == "x"


def test_a_body_in_a_list_is_the_same_body() -> None:
    assert body_of(body_format="list") == [body_of()]
    assert control_of(body_format="list") == [control_of()]


def test_the_control_query_has_no_dates_and_the_neutral_filter() -> None:
    assert {name: value for name, value in control_of().items() if value != ""} == {
        "cmId": 1,
        "viewId": "2",
        "notAssignToIdsStr": "-1",
        "limit": "10",
        "offset": "0",
    }
    assert control_of().keys() >= EXAMPLE_KEYS


@pytest.mark.parametrize(
    ("default_body", "is_neutral"),
    [
        ({}, True),
        ({"viewId": "7", "sortParam": "id"}, True),
        ({"own": "x"}, True),
        ({"statusStr": ""}, True),
        ({"statusStr": None}, True),
        ({"createStartDate": "2020-01-01"}, True),
        ({"statusStr": "AP"}, False),
        ({"notAssignToIdsStr": "-7"}, False),
        ({"attr3": "x"}, False),
        ({"bookingStartDate": "2020-01-01"}, False),
    ],
)
def test_the_neutral_filter_is_left_out_where_the_default_body_has_another(default_body: Any, is_neutral: bool) -> None:
    body = control_of(default_body=default_body)
    name, value = orders.NEUTRAL_FILTER
    assert (body.get(name) == value) is is_neutral
    assert body.get("createStartDate", "") == body.get("createEndDate", "") == ""
    assert {key: body[key] for key in default_body if key not in ("createStartDate", "statusStr")} == {
        key: given for key, given in default_body.items() if key not in ("createStartDate", "statusStr")
    }


@pytest.mark.parametrize("key", ["cmId", "limit", "offset"])
def test_what_the_pull_sets_is_no_key_of_the_default_body(key: str) -> None:
    for value in ("1", None):
        with pytest.raises(errors.KaptureSettingsError, match=f"`default_body` contains '{key}'"):
            account_of(default_body={key: value})


# -- responses --


def read(body: Any, headers: dict[str, str] | None = None, **extra: Any) -> Page:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return parse_response(Response(200, headers or {}, raw), account_of(**extra), NOW)


ORDER = {"id": 7, "createDate": 1715126400000}
ROWS_AT = {
    "orders": {"success": "true", "orders": [ORDER]},
    "response.orders": {"status": "success", "response": {"total": 1, "orders": [ORDER]}},
    "a.b.c": {"a": {"b": {"c": [ORDER]}}},
    "message": {"status": "success", "message": [ORDER]},
    "data": {"data": [ORDER], "order_details": []},
    "": [ORDER],
}


@pytest.mark.parametrize("rows_at", ROWS_AT)
@pytest.mark.parametrize("indent", [None, 2])
def test_orders_are_read_where_a_setting_says(rows_at: str, indent: int | None) -> None:
    body = json.dumps(ROWS_AT[rows_at], indent=indent).encode()
    page = read(body, rows_at=rows_at)
    assert (page.keys, page.instants) == ([7], [1715126400000])
    assert json.loads(bytes(page.raws[0])) == ORDER


@pytest.mark.parametrize("rows_at", ROWS_AT)
def test_orders_that_stand_elsewhere_are_an_error_that_says_where(rows_at: str) -> None:
    with pytest.raises(errors.KaptureShapeError) as caught:
        read(ROWS_AT[rows_at], rows_at="elsewhere")
    assert f"orders are at {rows_at!r}: set `rows_at`" in str(caught.value)
    if rows_at:
        assert (caught.value.transient, caught.value.permanent) == (False, True)


MISSING = {
    "no such key": ({"success": "true", "total": 0}, "orders", "there is no `orders`"),
    "no such key within": ({"success": "true", "response": {"total": 0}}, "response.orders", "is not a list"),
    "null before the end": ({"success": "true", "response": None}, "response.orders", "is not a list"),
    "a list before the end": ({"success": "true", "response": []}, "response.orders", "is not a list"),
    "a text": ({"success": "true", "orders": "none"}, "orders", "is not a list"),
    "an object for a bare list": ({"success": "true", "order_details": []}, "", "bare list"),
}


@pytest.mark.parametrize(("body", "rows_at", "said"), MISSING.values(), ids=MISSING)
def test_a_path_that_is_missing_is_an_error_that_names_it(body: Any, rows_at: str, said: str) -> None:
    with pytest.raises(errors.KaptureShapeError, match=said) as caught:
        read(body, rows_at=rows_at)
    assert (caught.value.transient, caught.value.permanent) == (False, True)


@pytest.mark.parametrize(
    "claim",
    [
        {},
        *({"success": each} for each in ("true", True, "True", 1, "1", "ok", "success")),
        *({"status": each} for each in ("success", "SUCCESS", "OK", "ok", "true", True, 200, "200", 1)),
        *({"code": each} for each in (200, "200", 1, "ok")),
        {"Status": "Success"},
        {"status": 201},
        {"code": "A17"},
    ],
    ids=str,
)
def test_orders_are_a_success_where_nothing_says_otherwise(claim: dict[str, Any]) -> None:
    assert read({**claim, "order_details": [ORDER]}).keys == [7]


@pytest.mark.parametrize(
    "claim",
    [
        *({"success": each} for each in ("false", False, 0, "0", "no", "", [], {"a": 1})),
        *({"status": each} for each in ("failed", "Failure", "error", "false", False, 404, "500")),
        *({"code": each} for each in (400, "503", "error")),
        {"success": "true", "status": "failed"},
        {"message": "Invalid Auth Key"},
    ],
    ids=str,
)
def test_orders_beside_a_claim_of_failure_are_an_error(claim: dict[str, Any]) -> None:
    with pytest.raises(errors.KaptureAnswerError):
        read({**claim, "order_details": [ORDER]})


WORDS = "Zoë – naïve café ₹"
CHARSETS = {
    "UTF-8": (WORDS, "utf-8", ""),
    "UTF-8 with a byte order mark": (WORDS, "utf-8-sig", "; charset=utf-8"),
    "Latin-1": ("Zoë naïve café", "latin-1", "; charset=ISO-8859-1"),
    "Latin-1 by another name": ("Zoë naïve café", "latin-1", '; charset="latin1"'),
    "Windows": ("Zoë – naïve €", "cp1252", ";charset=windows-1252"),
    "UTF-16": (WORDS, "utf-16", "; charset=UTF-16"),
    "UTF-16, big end first": (WORDS, "utf-16-be", "; charset=utf-16be"),
    "UTF-16, little end first": (WORDS, "utf-16-le", "; Charset=UTF-16LE"),
    "UTF-8 under another name": (WORDS, "utf-8", "; charset=ISO-8859-1"),
    "UTF-8 under no known name": (WORDS, "utf-8", "; charset=klingon"),
}


@pytest.mark.parametrize(("words", "charset", "declared"), CHARSETS.values(), ids=CHARSETS)
@pytest.mark.parametrize("name", ["Content-Type", "content-type"])
def test_a_body_is_read_in_the_charset_that_it_declares(words: str, charset: str, declared: str, name: str) -> None:
    body = json.dumps({"success": "true", "order_details": [{**ORDER, "remarks": words}]}, ensure_ascii=False)
    page = read(body.encode(charset), {name: f"application/json{declared}"})
    # In a file it is UTF-8.
    assert json.loads(bytes(page.raws[0]).decode("utf-8"))["remarks"] == words


@pytest.mark.parametrize(
    ("charset", "declared"),
    [
        ("latin-1", ""),
        ("latin-1", "; charset=utf-8"),
        ("latin-1", "; charset=klingon"),
        ("utf-16", ""),
        ("utf-32", "; charset=utf-32"),
        ("koi8-r", "; charset=koi8-r"),
    ],
)
def test_a_body_in_an_undeclared_charset_is_an_error_that_says_so(charset: str, declared: str) -> None:
    words = "Москва" if charset == "koi8-r" else "café"
    body = json.dumps({"success": "true", "order_details": [{**ORDER, "remarks": words}]}, ensure_ascii=False)
    with pytest.raises(errors.KaptureShapeError) as caught:
        read(body.encode(charset), {"Content-Type": f"application/json{declared}"})
    assert "UTF-8" in str(caught.value) or "charset" in str(caught.value)


def test_a_charset_that_the_body_is_not_in_is_an_error() -> None:
    with pytest.raises(errors.KaptureShapeError, match="its declared charset"):
        read(b'{"success":"true","order_details":[{"id":1,"x":"\x81"}]}', {"Content-Type": "text/json; charset=cp1252"})
