"""Settings about responses: what may stand in ``empty_answers``, ``empty_messages``, ``busy_messages`` and others."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_kapture.client import Account
from airflow_provider_kapture.client.errors import KaptureSettingsError


def account_of(**extra: Any) -> Account:
    return Account.from_connection("acme", "me", "pass", {"cm_id": 1, **extra})


WORDS_OF_FAILURE = (
    "Invalid Auth Key",
    "AuthKeyInvalid",
    "API Request is Expired",
    "APIExpired",
    "ServerFailure",
    "Server error while processing the request.",
    "Too Many Requests",
    "Rate limit exceeded",
    "Please try again after 2 minutes",
    "Request is already in process",
    "ReqFieldMissing",
    "Mandatory field missing: name",
    "Atleast one of the value must be entered out of name, enquiryIds",
)
REFUSED = {
    **{f"the status {status}": {"status": status} for status in (401, 403, 405, 407, 409, 423, 429, 500, 503, 599)},
    **{f"{status} and a message": {"status": status, "message": "None"} for status in (401, 403, 429, 500)},
    **{f"{status} alone": {"status": status} for status in (200, 400, 404)},
    **{f"{status} and nulls": {"status": status, "message": None, "order_details": None} for status in (200, 404)},
    "nothing": {},
    "nulls": {"message": None, "order_details": None},
    "204 and nulls": {"status": 204, "message": None},
    "an empty object as the body": {"body": {}},
    "an empty text as the body": {"body": ""},
    "white space as the body": {"body": " \n"},
    "null as the body": {"body": None},
    "an empty object as the body, and a status": {"status": 404, "body": {}},
    "a redirect": {"status": 302},
    **{f"the words {words!r}": {"status": 400, "message": words} for words in WORDS_OF_FAILURE},
    "words in a body": {"body": {"error": ["Invalid Auth Key"]}},
    "words in a text body": {"body": "Too many requests"},
}


@pytest.mark.parametrize("answer", REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("spelt", [lambda each: [each], lambda each: each, lambda each: json.dumps([each])])
def test_an_answer_that_a_failure_may_give_is_no_empty_answer(answer: dict[str, Any], spelt: Any) -> None:
    with pytest.raises(KaptureSettingsError, match="`empty_answers`"):
        account_of(empty_answers=spelt(answer))


@pytest.mark.parametrize("value", ["No data", 404, ["No data"], [404], [None], True, [[{"status": 204}]]])
def test_empty_answers_are_objects(value: Any) -> None:
    with pytest.raises(KaptureSettingsError, match="`empty_answers`"):
        account_of(empty_answers=value)


TAKEN = {
    "the example": {"status": 404, "message": "No data found"},
    "no body": {"status": 204},
    "another status alone": {"status": 410},
    "a bare list": {"body": []},
    "a failure beside an empty list": {"success": False, "order_details": []},
    "an empty list without a claim": {"order_details": []},
    "an empty list under 200": {"status": 200, "order_details": []},
    "a null beside a message": {"message": "None", "order_details": None},
    "a claim as a text": {"status": "failed", "message": "No orders found."},
}


@pytest.mark.parametrize("answer", TAKEN.values(), ids=TAKEN)
def test_an_answer_that_means_no_orders_is_taken(answer: dict[str, Any]) -> None:
    [found] = account_of(empty_answers=[answer]).dialect.empty_answers
    assert dict(found) == answer


@pytest.mark.parametrize("words", WORDS_OF_FAILURE)
@pytest.mark.parametrize("spelt", [str, str.upper, lambda words: f"  {words.replace(' ', '-')}!"])
def test_a_message_of_failure_means_no_empty_result(words: str, spelt: Any) -> None:
    with pytest.raises(KaptureSettingsError, match="`empty_messages`"):
        account_of(empty_messages=["No orders found", spelt(words)])


@pytest.mark.parametrize("key", ["empty_messages", "busy_messages"])
def test_messages_are_texts(key: str) -> None:
    assert getattr(account_of(**{key: '["None of 5", " "]'}).dialect, key) == ("None of 5",)
    assert getattr(account_of(**{key: "Please wait a bit"}).dialect, key) == ("Please wait a bit",)
    for wrong in ([1], {"a": "b"}, 7, [None], True):
        with pytest.raises(KaptureSettingsError, match=f"`{key}`"):
            account_of(**{key: wrong})


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Asia/Kolkata", "Pacific/Pago_Pago"])
@pytest.mark.parametrize(("later", "is_past"), [(-400, True), (-1, True), (0, False), (1, False), (400, False)])
def test_a_control_day_is_over_in_the_accounts_time_zone(zone: str, later: int, is_past: bool) -> None:
    day = dt.datetime.now(ZoneInfo(zone)).date() + dt.timedelta(days=later)
    if is_past:
        assert account_of(timezone=zone, control_day=str(day)).dialect.control_day == day
    else:
        with pytest.raises(KaptureSettingsError, match="`control_day`"):
            account_of(timezone=zone, control_day=str(day))


@pytest.mark.parametrize("value", ["08-05-2024", "2024-02-30", "2024-05-08T10:00", "yesterday", 20240508, [], True])
def test_a_control_day_is_a_date(value: Any) -> None:
    with pytest.raises(KaptureSettingsError, match="`control_day`"):
        account_of(control_day=value)


@pytest.mark.parametrize("value", [".", "a.", ".a", "a..b", 7, ["a"], {}, True])
def test_a_path_of_orders_has_names(value: Any) -> None:
    with pytest.raises(KaptureSettingsError, match="`rows_at`"):
        account_of(rows_at=value)


@pytest.mark.parametrize(
    ("value", "meant"), [(None, "order_details"), ("", ""), ("orders", "orders"), ("a.b-c.d", "a.b-c.d")]
)
def test_an_empty_path_is_a_bare_list_and_null_the_default(value: str | None, meant: str) -> None:
    assert account_of(rows_at=value).dialect.rows_at == meant


@pytest.mark.parametrize(
    ("key", "value"),
    [("body_format", "array"), ("paging", "offset"), ("auth", "bearer"), ("body_format", 1), ("default_body", "x")],
)
def test_any_other_value_is_an_error_that_names_the_setting(key: str, value: Any) -> None:
    with pytest.raises(KaptureSettingsError, match=f"`{key}`"):
        account_of(**{key: value})
