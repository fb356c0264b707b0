"""Which responses mean "no orders": what the API promises, and what the connection's settings add to it."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from airflow_provider_kapture.client import Account, errors
from airflow_provider_kapture.client.api.failures import Response
from airflow_provider_kapture.client.api.response import Page, parse_response

NOW = dt.datetime(2026, 1, 5, tzinfo=dt.UTC)
ORDER = {"id": 1, "createDate": 1715126400000}


def read(body: Any, status: int = 200, headers: dict[str, str] | None = None, **extra: Any) -> Page:
    account = Account.from_connection("acme", "me", "hush-hush", {"cm_id": 1, **extra})
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return parse_response(Response(status, headers or {}, raw), account, NOW)


def is_empty(body: Any, status: int = 200, **extra: Any) -> bool:
    """Whether a response is taken for one without orders; else it must be an error."""
    try:
        page = read(body, status, **extra)
    except errors.KaptureAnswerError:
        return False
    assert not page.keys
    return True


ALWAYS = {
    "a success and an empty list": ({"success": "true", "order_details": []}, {}),
    "a success and null": ({"success": "true", "order_details": None}, {}),
    "a status of success and null": ({"order_details": None, "status": "success"}, {}),
    "an empty list at a path": ({"status": "success", "response": {"orders": []}}, {"rows_at": "response.orders"}),
    "null at a path": ({"status": "success", "response": {"orders": None}}, {"rows_at": "response.orders"}),
    "a bare list": ([], {"rows_at": ""}),
}


@pytest.mark.parametrize(("body", "extra"), ALWAYS.values(), ids=ALWAYS)
def test_a_known_success_without_orders_is_empty(body: Any, extra: Any) -> None:
    assert is_empty(body, **extra)


# The shapes of a day without orders that public material shows: what is empty only where a setting says so.
SHAPES: dict[str, tuple[int, Any, dict[str, Any]]] = {
    "missing": (
        200,
        {"success": "true", "message": "No orders found."},
        {"message": "No orders found.", "order_details": None},
    ),
    "text": (200, {"success": "true", "order_details": ""}, {"success": "true", "order_details": None}),
    "object": (200, {"success": "true", "order_details": {}}, {"success": "true", "order_details": None}),
    "failed with a message": (
        200,
        {"status": "failed", "message": "No orders found."},
        {"status": "failed", "message": "No orders found."},
    ),
    "failed with the date": (
        200,
        {"status": "failed", "message": "No orders of 2024-05-08"},
        {"message": "No orders of 2026-01-31"},
    ),
    "failed with a list": (200, {"success": False, "order_details": []}, {"success": False, "order_details": []}),
    "a sentence for rows": (
        200,
        {"status": "failed", "order_details": "No orders found."},
        {"order_details": "No orders found."},
    ),
    "no claim": (200, {"order_details": []}, {"order_details": []}),
    "bare list": (200, [], {"body": []}),
    "no content": (204, b"", {"status": 204}),
    "404": (404, {"status": "failed", "message": "No data found"}, {"status": 404, "message": "No data found"}),
    "404 HTML": (404, b"<html>Not Found</html>", {"status": 404, "body": "<html>Not Found</html>"}),
    "400": (400, {"status": "failed", "message": "No data found"}, {"status": 400, "message": "No data found"}),
    "capitals": (200, {"Status": "Failed", "Message": "None"}, {"status": "Failed", "message": "None"}),
    "a code": (200, {"code": 42, "data": None}, {"code": 42, "data": None}),
    "a gone": (410, b"", {"status": 410}),
}


@pytest.mark.parametrize(("status", "body", "answer"), SHAPES.values(), ids=SHAPES)
def test_any_other_shape_is_empty_only_where_a_setting_says_so(status: int, body: Any, answer: dict[str, Any]) -> None:
    assert not is_empty(body, status)
    assert is_empty(body, status, empty_answers=[{"status": 418}, answer])
    assert not is_empty(body, status, empty_answers=[{**answer, "message": "another"}])


NO_MATCH = {
    "another HTTP status": ({"status": 404, "message": "None"}, 400, {"message": "None"}),
    "a number is not the envelope's status": (
        {"status": 404, "message": "None"},
        200,
        {"status": 404, "message": "None"},
    ),
    "a text is not the HTTP status": ({"status": "404", "message": "None"}, 404, {"message": "None"}),
    "another message": ({"message": "None"}, 404, {"message": "None at all"}),
    "another case of letters": ({"message": "None"}, 404, {"message": "none"}),
    "a number for a text": ({"code": "42", "data": None}, 200, {"code": 42}),
    "true for 1": ({"found": 1, "data": None}, 200, {"found": True}),
    "other digits of a text of digits": ({"code": "42", "data": None}, 200, {"code": "43"}),
    "a value for null": ({"message": "None", "data": None}, 404, {"message": "None", "data": 0}),
    "false for null": ({"message": "None", "data": None}, 404, {"message": "None", "data": False}),
    "a blank for null": ({"message": "None", "data": None}, 404, {"message": "None", "data": "x"}),
    "an order in the list": (
        {"message": "None"},
        200,
        {"message": "None", "status": "failed", "order_details": [ORDER]},
    ),
    "an order elsewhere": (
        {"message": "None"},
        200,
        {"message": "None", "status": "failed", "data": {"rows": [ORDER]}},
    ),
    "an order in a text": ({"message": "None"}, 404, {"message": "None", "data": json.dumps([ORDER])}),
    "rows that are no orders": ({"message": "None"}, 404, {"message": "None", "order_details": [{"x": 1}]}),
    "a wrong key beside it": ({"message": "None"}, 404, {"message": "None", "reason": "Invalid Auth Key"}),
    "a missing filter beside it": ({"message": "None"}, 404, {"message": "None", "hint": "Mandatory field missing"}),
    "a fault beside it": ({"message": "None"}, 404, {"message": "None", "errors": ["ServerFailure"]}),
    "a busy server beside it": ({"message": "None"}, 404, {"message": "None", "hint": "Please try again"}),
    "another body": ({"body": []}, 200, [[]]),
    "a body with more in it": ({"body": {"message": "None"}}, 404, {"message": "None", "code": 1}),
    "a whole body that is a wrong key": ({"status": 410}, 410, "Invalid Auth Key"),
    "malformed JSON with an order": ({"status": 410}, 410, b'{"order_details":[{"id":1,"createDate":2},]}'),
}


@pytest.mark.parametrize(("answer", "status", "body"), NO_MATCH.values(), ids=NO_MATCH)
def test_a_response_that_differs_in_any_key_is_an_error(answer: dict[str, Any], status: int, body: Any) -> None:
    assert not is_empty(body, status, empty_answers=[answer])


MATCH = {
    "a key that is missing": ({"message": "None", "data": None}, 404, {"message": "None"}),
    "an empty text": ({"message": "None", "data": None}, 404, {"message": "None", "data": ""}),
    "an empty list": ({"message": "None", "data": None}, 404, {"message": "None", "data": []}),
    "an empty object": ({"message": "None", "data": None}, 404, {"message": "None", "data": {}}),
    "null": ({"message": "None", "data": None}, 404, {"message": "None", "data": None}),
    "other digits": ({"message": "None of 5"}, 404, {"message": "None of 123"}),
    "white space around it": ({"message": " None "}, 404, {"message": "\tNone\n"}),
    "more keys": ({"message": "None"}, 404, {"message": "None", "code": 7, "trace": "abc"}),
    "keys in other letters": ({"Message": "None"}, 404, {"MESSAGE": "None"}),
    "the same digits": ({"code": "42", "data": None}, 404, {"code": "42"}),
    "a whole body": ({"body": {"message": "None of 5", "data": None}}, 404, {"message": "None of 7", "data": []}),
    "a text body": ({"status": 404, "body": "None of 5"}, 404, b" None of 31\n"),
    "one of several": ({"message": "None"}, 422, {"message": "None"}),
}


@pytest.mark.parametrize(("answer", "status", "body"), MATCH.values(), ids=MATCH)
def test_a_response_with_every_key_is_empty(answer: dict[str, Any], status: int, body: Any) -> None:
    assert is_empty(body, status, empty_answers=[{"status": 418}, answer])


@pytest.mark.parametrize("body", [b"", b"{}", b" ", b"null"])
@pytest.mark.parametrize(
    "extra", [{}, {"empty_answers": [{"status": 204}, {"message": "None", "data": None}, {"body": []}]}]
)
def test_an_empty_body_and_an_empty_object_under_200_are_errors(body: bytes, extra: dict[str, Any]) -> None:
    assert not is_empty(body, **extra)


@pytest.mark.parametrize(
    ("status", "counts"),
    [(200, True), (400, True), (404, True), (401, False), (403, False), (410, False), (500, False)],
)
@pytest.mark.parametrize("name", ["message", "Message", "msg", "error", "order_details"])
def test_empty_messages_count_under_200_400_and_404(status: int, counts: bool, name: str) -> None:
    said = {"status": "failed", name: " No orders of 2024-05-08 "}
    assert is_empty(said, status, empty_messages=["No orders of 2026-12-31"]) is counts
    assert not is_empty(said, status, empty_messages=["No orders"])


@pytest.mark.parametrize("rows_at", ["response.orders", "Orders"])
def test_a_text_in_the_place_of_the_orders_is_a_message(rows_at: str) -> None:
    body: Any = "None here"
    for name in reversed(rows_at.split(".")):
        body = {name: body}
    assert is_empty({"status": "failed", **body}, rows_at=rows_at, empty_messages=["None here"])


def test_an_empty_message_beside_an_order_is_an_error() -> None:
    said = {"status": "failed", "message": "None"}
    for body in ({**said, "order_details": [ORDER]}, {**said, "data": [ORDER]}, {**said, "order_details": [{"x": 1}]}):
        assert not is_empty(body, empty_messages=["None"])
    # A success with orders is a page, whatever it says.
    assert read({"success": "true", "message": "None", "order_details": [ORDER]}, empty_messages=["None"]).keys == [1]


def test_an_empty_list_of_one_character_set_is_one_of_another() -> None:
    body = json.dumps({"message": "Aucune commande trouvée"}, ensure_ascii=False).encode("latin-1")
    headers = {"Content-Type": "application/json; charset=ISO-8859-1"}
    assert not read(body, 404, headers, empty_messages=["Aucune commande trouvée"]).keys
