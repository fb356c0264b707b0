"""What a vendor's words mean: credentials, a missing filter, a busy or failing server, however they are spelt."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from airflow_provider_kapture.client import Account, errors
from airflow_provider_kapture.client.api.failures import Response, is_unsupported_query
from airflow_provider_kapture.client.api.response import Page, parse_response
from airflow_provider_kapture.client.words import Meaning, is_listed, masked, meaning_of

NOW = dt.datetime(2026, 1, 5, tzinfo=dt.UTC)
ORDER = '{"id":1,"createDate":1715126400000,"remarks":"Unauthorized. Please try again"}'


def read(body: Any, status: int = 200, *, has_answered: bool = False, **extra: Any) -> Page:
    account = Account.from_connection("acme", "me", "hush-hush", {"cm_id": 1, **extra})
    body = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    return parse_response(Response(status, {}, body), account, NOW, has_answered=has_answered)


def error_of(body: Any, status: int = 200, **options: Any) -> errors.KaptureAnswerError:
    with pytest.raises(errors.KaptureAnswerError) as caught:
        read(body, status, **options)
    return caught.value


MEANINGS = {
    "Invalid Auth Key": Meaning.CREDENTIALS,
    "AuthKeyInvalid": Meaning.CREDENTIALS,
    "INVALID_AUTH_KEY": Meaning.CREDENTIALS,
    "Auth key is expired/disabled": Meaning.CREDENTIALS,
    "API Request is Expired": Meaning.CREDENTIALS,
    "APIExpired": Meaning.CREDENTIALS,
    "The API key was not passed, or is incorrect": Meaning.CREDENTIALS,
    "Unauthorized": Meaning.CREDENTIALS,
    "Bad credentials": Meaning.CREDENTIALS,
    "ServerFailure": Meaning.FAULT,
    "Server error while processing the request.": Meaning.FAULT,
    "Internal Server Error": Meaning.FAULT,
    "Too Many Requests": Meaning.BUSY,
    "Rate-limit exceeded": Meaning.BUSY,
    "Try again after 60 seconds": Meaning.BUSY,
    "Request is already in process": Meaning.BUSY,
    "ReqFieldMissing": Meaning.FILTER,
    "Mandatory field missing": Meaning.FILTER,
    "Atleast one of the value must be entered": Meaning.FILTER,
    "At least one filter is wanted": Meaning.FILTER,
    "No orders found.": None,
    "": None,
    "12345": None,
}


@pytest.mark.parametrize("message", MEANINGS)
@pytest.mark.parametrize(
    "spelt",
    [str, str.lower, str.upper, lambda text: text.replace(" ", "_"), lambda text: f" ** {text} (code 7)! "],
    ids=["as is", "lower", "upper", "underscores", "with marks"],
)
def test_words_are_compared_by_letters_alone(message: str, spelt: Any) -> None:
    assert meaning_of(spelt(message)) is MEANINGS[message]


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("No orders of 2024-05-08", "No orders of 2024-06-01", True),
        (" No orders ", "No orders", True),
        ("No order 7", "No order 12345", True),
        ("7", "12345", False),
        ("No orders", "no orders", False),
        ("", "", False),
    ],
)
def test_digits_in_a_message_match_any_but_not_where_they_are_all(one: str, other: str, is_same: bool) -> None:
    assert is_listed(one, [other]) is is_same
    assert (masked(one) == masked(other)) is (is_same or not one)


WRONG_KEYS = {
    "401 JSON": (401, {"message": "Invalid Auth Key", "status": "failed"}),
    "401 HTML": (401, b"<html>Denied</html>"),
    "401 empty": (401, b""),
    "401 with words of a busy server": (401, {"message": "Too many requests"}),
    "403 JSON": (403, {"message": "Invalid Auth Key", "status": "failed"}),
    "403 plain": (403, b"Invalid Auth Key"),
    "400 plain": (400, b"Invalid Auth Key"),
    "404 JSON": (404, {"error": "auth_key_invalid"}),
    "500 JSON": (500, {"Message": "AuthKeyInvalid", "Status": "failed"}),
    "500 plain": (500, b"API Request is Expired"),
    "503 nested": (503, {"error": {"code": 7, "message": "Invalid Auth Key"}}),
    "200 failed": (200, {"message": "Invalid Auth Key", "status": "failed"}),
    "200 capitals": (200, {"Message": "AuthKeyInvalid", "Status": "Failed"}),
    "200 no claim": (200, {"message": "API Request is Expired"}),
    "200 as the status": (200, {"status": "AuthKeyInvalid"}),
    "200 as the code": (200, {"code": "APIExpired"}),
    "200 in the place of orders": (200, {"status": "failed", "order_details": "AuthKeyInvalid"}),
    "200 in a list": (200, {"success": False, "errors": ["Key expired"]}),
    "200 nested": (200, {"status": "failed", "data": {"reason": {"text": "Invalid Auth Key"}}}),
    "200 in a bare list": (200, ["Invalid Auth Key"]),
    "200 as an object in a list": (200, [{"status": "failed", "message": "AuthKeyInvalid"}]),
    "200 plain": (200, b"Invalid Auth Key"),
    "200 a JSON text": (200, b'"AuthKeyInvalid"'),
    "200 beside a claim of success": (200, {"success": "true", "message": "Invalid Auth Key", "order_details": []}),
    "200 beside no list": (200, {"success": "true", "message": "Invalid Auth Key"}),
    "200 beside a failure without it": (200, {"status": "failed", "message": "Failed", "detail": "key is expired"}),
}


@pytest.mark.parametrize("has_answered", [False, True], ids=["first", "later"])
@pytest.mark.parametrize(("status", "body"), WRONG_KEYS.values(), ids=WRONG_KEYS)
def test_a_wrong_key_in_any_spelling_is_final(status: int, body: Any, has_answered: bool) -> None:
    error = error_of(body, status, has_answered=has_answered)
    assert isinstance(error, errors.KaptureAuthError)
    assert (error.transient, error.permanent) == (False, True)
    assert "login and password" in str(error)
    assert "empty_messages" not in str(error)
    assert "empty_answers" not in str(error)


BUSY = {
    **{f"{status}": (status, b"") for status in (409, 423, 429, 500, 502, 503, 504)},
    "403 with words": (403, {"message": "Too many requests"}),
    "400 with words": (400, {"message": "Please try again after some time"}),
    "404 with words": (404, {"message": "Server error while processing"}),
    "200 failed": (200, {"status": "failed", "message": "Rate limit exceeded"}),
    "200 no claim": (200, {"message": "Request is already in process"}),
    "200 a fault": (200, {"status": "failed", "message": "ServerFailure"}),
    "200 plain": (200, b"Too many requests"),
    "200 nested": (200, {"status": "failed", "error": {"message": "Too many requests"}}),
}


@pytest.mark.parametrize(("status", "body"), BUSY.values(), ids=BUSY)
def test_a_busy_or_failing_server_is_asked_again(status: int, body: Any) -> None:
    error = error_of(body, status)
    assert isinstance(error, errors.KaptureBusyError)
    assert (error.transient, error.permanent) == (True, False)
    assert "empty_" not in str(error)


@pytest.mark.parametrize("status", [409, 423, 429, 503])
def test_what_asks_for_fewer_requests_halves_them(status: int) -> None:
    error = error_of({"message": "Internal Server Error"}, status)
    assert isinstance(error, errors.KaptureBusyError)
    assert error.reduces_concurrency


@pytest.mark.parametrize("body", [b"", {"message": "Internal Server Error", "status": "failed"}])
def test_a_500_may_come_of_the_request_and_says_of_which_settings(body: Any) -> None:
    error = error_of(body, 500)
    for name in ("date_format", "default_body", "http_method"):
        assert f"`{name}`" in str(error)
    # The account may not take such a request: nothing is concluded from it.
    assert is_unsupported_query(error)
    assert "`date_format`" not in str(error_of(body, 500, has_answered=True))


def test_a_403_is_final_before_an_answer_and_busy_after_one() -> None:
    first, later = error_of(b"", 403), error_of(b"", 403, has_answered=True)
    assert isinstance(first, errors.KaptureForbiddenError)
    assert first.permanent
    assert isinstance(later, errors.KaptureBusyError)
    assert later.reduces_concurrency


def test_what_a_wrong_login_may_look_like_names_login_password_and_method() -> None:
    account = Account.from_connection("acme", "me", "hush-hush", {"cm_id": 1})
    with pytest.raises(errors.KaptureRefusedError) as redirected:
        parse_response(Response(302, {"location": "/login"}, b""), account, NOW)
    for error in (error_of(b"", 403), redirected.value, error_of(b"\n<!DOCTYPE html><form>", 200)):
        assert error.permanent
        assert "login and password" in str(error)
        assert "`http_method`" in str(error)


def test_html_after_an_answer_is_asked_for_again() -> None:
    # Its scripts may hold any words.
    error = error_of(b'<html><script>apiKey="1"</script></html>', 200, has_answered=True)
    assert isinstance(error, errors.KaptureShapeError)
    assert error.transient


@pytest.mark.parametrize("status", [200, 400, 403, 404, 422, 500])
def test_a_missing_filter_names_the_filter_and_no_empty_result(status: int) -> None:
    error = error_of({"status": "failed", "message": "Atleast one of the value must be entered out of name"}, status)
    assert "empty_" not in str(error)
    assert "notAssignToIdsStr" in str(error)
    assert error.permanent is (status != 500)


@pytest.mark.parametrize(
    ("status", "is_named"), [(200, True), (400, True), (404, True), (405, False), (410, False), (422, False)]
)
def test_unknown_words_may_mean_no_orders_where_a_setting_can_say_so(status: int, is_named: bool) -> None:
    error = error_of({"status": "failed", "message": "Nothing here"}, status)
    assert isinstance(error, errors.KaptureRefusedError)
    assert ("`empty_messages`" in str(error)) is is_named
    assert "`empty_messages`" not in str(error_of({"status": "failed"}, status))


@pytest.mark.parametrize(
    ("status", "message"), [(404, "Not Found"), (404, "NOT FOUND"), (400, "Bad Request"), (200, "Failed"), (200, "OK")]
)
def test_the_phrase_of_a_status_is_no_hint_at_no_orders(status: int, message: str) -> None:
    assert "`empty_messages`" not in str(error_of({"status": "failed", "message": message}, status))


@pytest.mark.parametrize("status", [200, 204, 400, 404, 410, 500, 599])
@pytest.mark.parametrize("depth", [300, 900, 5_000])
def test_a_response_that_is_nested_too_deeply_is_an_error(status: int, depth: int) -> None:
    body = b'{"message":' + b"[" * depth + b'"x"' + b"]" * depth + b"}"
    for extra in ({}, {"empty_messages": ["None"], "empty_answers": [{"message": "None"}], "busy_messages": ["Wait"]}):
        assert isinstance(error_of(body, status, **extra), errors.KaptureAnswerError)


@pytest.mark.parametrize("status", [200, 202, 302, 400, 401, 403, 404, 405, 418, 500])
def test_busy_messages_count_under_any_status(status: int) -> None:
    said = {"status": "failed", "message": "Wait 30 seconds"}
    error = error_of(said, status, busy_messages=["Wait 5 seconds"])
    assert isinstance(error, errors.KaptureBusyError)
    assert error.reduces_concurrency


@pytest.mark.parametrize(
    "body",
    [
        {"success": "true", "message": "Wait 30 seconds", "order_details": []},
        {"success": "true", "message": "Wait 30 seconds", "order_details": None},
        {"success": "true", "message": "Wait 30 seconds"},
        {"message": "Wait 30 seconds"},
        {"order_details": "Wait 30 seconds"},
        b"Wait 30 seconds",
        b'"Wait 30 seconds"',
    ],
)
def test_a_busy_message_is_no_empty_result_whatever_stands_beside_it(body: Any) -> None:
    empty = {"empty_messages": ["Wait 1 seconds"], "empty_answers": [{"message": "Wait 1 seconds"}]}
    assert isinstance(error_of(body, busy_messages=["Wait 5 seconds"], **empty), errors.KaptureBusyError)


def test_a_busy_message_is_no_wrong_key() -> None:
    error = error_of({"message": "Invalid Auth Key"}, 200, busy_messages=["Invalid Auth Key"])
    assert isinstance(error, errors.KaptureAuthError)


@pytest.mark.parametrize(
    "body",
    [
        f'{{"success":"true","order_details":[{ORDER}]}}',
        f'{{"order_details":[{ORDER}]}}',
        f'{{"success":"true","message":"Please try again","order_details":[{ORDER}]}}',
    ],
)
def test_words_in_an_order_are_a_customers(body: str) -> None:
    assert read(body).keys == [1]


def test_words_in_orders_that_stand_elsewhere_are_a_customers_too() -> None:
    error = error_of(f'{{"response":{{"orders":[{ORDER}]}}}}')
    assert isinstance(error, errors.KaptureShapeError)
    assert "'response.orders'" in str(error)
