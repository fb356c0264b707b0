import datetime as dt
import itertools
import re

import pytest

from airflow_provider_kapture.client import errors
from airflow_provider_kapture.client.api.failures import Response, retry_after
from airflow_provider_kapture.client.api.records import to_dict
from airflow_provider_kapture.client.api.redaction import with_redactions
from airflow_provider_kapture.client.api.request import build_query
from airflow_provider_kapture.client.api.response import Page, parse_response
from airflow_provider_kapture.client.config.account import Account

NOW = dt.datetime(2026, 1, 5, tzinfo=dt.UTC)
ACCOUNT = Account.from_connection("acme", "reader", "hush-hush", {"cm_id": 1, "empty_messages": ["No orders found"]})


def read(body: bytes, status: int = 200) -> Page:
    return parse_response(Response(status, {}, body), ACCOUNT, NOW)


@pytest.mark.parametrize(
    "body",
    [
        b"<html></html>",
        b"",
        b"{}",
        b"[]",
        b'{"success":"false"}',
        b'{"status":"failed"}',
        b'{"Status":"Failed","order_details":[]}',
        b'{"success":"true"}',
        b'{"order_details":[]}',
        b'{"success":"true","order_details":[{"x":1}]}',
        b'{"success":"true","order_details":[3]}',
        b'{"success":"true","order_details":' + b"[" * 3000 + b"]" * 3000 + b"}",
        b'{"success":"true","order_details":[{"id":1',
        b'{"success":"true","order_details":[{"id":1}],"order_details":[]}',
        b'{"success":"true","order_details":[],"success":"true"}',
        b'{"success":"false","order_details":[{"id":1}]}',
        b'{"success":"true","status":"failed","order_details":[{"id":1}]}',
        b'{"success":"true","status":"success","Status":"Failed","order_details":[{"id":1}]}',
        b'{"success":"false","message":"No orders found","order_details":[{"id":1}]}',
        b'{"success":"true","message":"No orders found","order_details":{"id":1}}',
        b'{"success":["true"],"order_details":[]}',
        b'{"success":"true","order_details":[{"id":true}]}',
        b'{"success":"true","order_details":[{"id":null}]}',
        b'{"success":"true","order_details":[{"id":1.5}]}',
        b'{"success":"true","order_details":[{"id":9007199254740993.0}]}',
        b'{"success":"true","order_details":[{"id":""}]}',
        b'{"success":"true","order_details":[{"id":"\\u00007"}]}',
        b'{"success":"true","order_details":[{"id":NaN}]}',
        b'{"success":"true","order_details":[null]}',
        '{"success":"true","order_details":[]}'.encode("utf-16"),
        '{"success":"true","order_details":[{"id":1,"x":"é"}]}'.encode("latin-1"),
    ],
)
def test_a_strange_200_is_an_error_and_never_empty(body: bytes) -> None:
    with pytest.raises(errors.KaptureAnswerError):
        read(body)


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ("7", 7),
        ('"7"', 7),
        ('"007"', "007"),
        ("7.0", 7),
        ('"7.0"', 7),
        ('"70e-1"', 7),
        ('"9007199254740993.0"', 9007199254740993),
        ("-0", 0),
        ('" 7"', " 7"),
        ("-7", -7),
        ('"-7"', -7),
        ('"+7"', "+7"),
        ('"٧"', "٧"),
        ("9" * 400, int("9" * 400)),
        (f'"{"9" * 400}"', int("9" * 400)),
        (f'"{"9" * 5000}"', "9" * 5000),
    ],
)
def test_ids_are_one_only_where_they_are_the_same_number(value: str, key: object) -> None:
    page = parse_response(
        Response(200, {}, f'{{"success":true,"order_details":[{{"id":{value}}}]}}'.encode()), ACCOUNT, NOW
    )
    assert list(page.keys) == [key]


@pytest.mark.parametrize(
    ("value", "instant"),
    [
        ("1715126400000", 1715126400000),
        ('" 1715126400000 "', 1715126400000),
        ("1715126400000.0", 1715126400000),
        ("17151264e5", 1715126400000),
        ("1715126400000.5", None),
        ("1715126400000.0001", None),
        ('"1715126400000.5"', None),
        ('"1,715,126,400,000"', None),
        ("9" * 400, None),
        ('"2024_05_08"', None),
        ("1e300", None),
        ("true", None),
        ("null", None),
    ],
)
def test_an_instant_is_one_that_a_calendar_has(value: str, instant: int | None) -> None:
    body = f'{{"success":true,"order_details":[{{"id":1,"createDate":{value}}}]}}'.encode()
    assert list(parse_response(Response(200, {}, body), ACCOUNT, NOW).instants) == [instant]


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("https://elsewhere.example/login?next=1", "elsewhere.example"),
        ("//10.20.30.40:8443/x", "10.20.30.40:8443"),
        ("https://user:pass@elsewhere.example/", "elsewhere.example"),
        ("/login", "acme.kapturecrm.com"),
        ("", "acme.kapturecrm.com"),
        ("https://[::1", "an invalid address"),
        ("https://hush-hush.example/", "***.example"),
    ],
)
def test_a_redirect_is_refused_with_where_it_points(location: str, shown: str) -> None:
    with pytest.raises(errors.KaptureRefusedError, match=re.escape(f"a redirect to {shown},")) as caught:
        parse_response(Response(307, {"location": location}, b""), ACCOUNT, NOW)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "envelope",
    [
        '"success":"true"',
        '"success":true',
        '"success":1',
        '"status":"success"',
        '"status":"OK"',
        '"status":true',
        '"status":200',
        '"code":200',
        '"success":"true","status":"success"',
    ],
)
def test_every_spelling_of_success_is_read(envelope: str) -> None:
    page = parse_response(
        Response(200, {}, f'\ufeff{{{envelope},"order_details":[{{"id":"7","createDate":"9"}}]}}'.encode()),
        ACCOUNT,
        NOW,
    )
    assert (list(page.keys), list(page.instants)) == ([7], [9])


def test_half_a_character_does_not_hide_an_order() -> None:
    body = rb'{"success":"true","order_details":[{"id":1,"remarks":"\ud83d\ude00 \\ud800 \ud83d"}]}'
    page = parse_response(Response(200, {}, body), ACCOUNT, NOW)
    assert bytes(page.raws[0]) == rb'{"id":1,"remarks":"\ud83d\ude00 \\ud800 \ud83d"}'


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (401, b"", errors.KaptureAuthError),
        (200, b'{"message":"Invalid Auth Key","status":"failed"}', errors.KaptureAuthError),
        (403, b"", errors.KaptureForbiddenError),
        (400, b"", errors.KaptureRefusedError),
        (404, b"", errors.KaptureRefusedError),
        (405, b"", errors.KaptureRefusedError),
        (302, b"", errors.KaptureRefusedError),
        (429, b"", errors.KaptureBusyError),
        (503, b"", errors.KaptureBusyError),
    ],
)
def test_each_failure_has_its_error(status: int, body: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        read(body, status)


def test_a_message_that_means_none_is_an_empty_page() -> None:
    page = parse_response(Response(200, {}, b'{"status":"failed","message":"No orders found"}'), ACCOUNT, NOW)
    assert not page.raws


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7), ("0", 0), ("-1", None), ("soon", None), ("nan", None), ("Mon, 05 Jan 2026 00:00:09 GMT", 9)],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": value}, NOW) == seconds


@pytest.mark.parametrize("empty", [[], (), set()])
def test_a_filter_that_came_out_empty_does_not_mean_all_orders(empty: object) -> None:
    with pytest.raises(errors.KaptureSettingsError, match="'orderIds' is an empty list"):
        build_query("create", {"orderIds": empty})


def test_what_a_request_says_of_a_customer_is_not_repeated() -> None:
    account = with_redactions(ACCOUNT, build_query("create", {"name": "Quillfeather", "customerIds": [4711, 12]}))
    said = b'{"message": "No customer QUILLFEATHER (4711, 12) in 2024"}'
    for status in (200, 400, 403, 500):
        with pytest.raises(errors.KaptureAnswerError) as caught:
            parse_response(Response(status, {}, said), account, NOW)
        assert "No customer *** (***, ***) in 2024" in str(caught.value)
        assert caught.value.excerpt == "No customer *** (***, ***) in 2024"


@pytest.mark.slow
def test_a_long_message_is_looked_at_as_far_as_it_is_shown() -> None:
    mail = b"a" * 18 + b"@example.com "
    for message in (b"x" * 4_000_000, mail * 100_000):
        with pytest.raises(errors.KaptureRefusedError) as caught:
            parse_response(Response(400, {}, b'{"message": "' + message + b'"}'), ACCOUNT, NOW)
        assert "aaa" not in str(caught.value)
        assert len(caught.value.excerpt) <= 120


def test_an_unknown_filter_is_told_the_nearest() -> None:
    with pytest.raises(errors.KaptureSettingsError, match="did you mean 'customerIds'"):
        build_query("create", {"customerId": 1})


@pytest.mark.parametrize(
    "half", [rb"\ud83d", rb"\ud83d and more", rb"\ude00", rb"\ud83d\u0041", rb"\ud83d\ud83d\ude00"]
)
@pytest.mark.parametrize("name", [b"remarks", b"attr1"])
def test_an_order_with_half_a_character_can_be_read(half: bytes, name: bytes) -> None:
    page = parse_response(
        Response(200, {}, b'{"success":"true","order_details":[{"id":1,"%s":"%s"}]}' % (name, half)), ACCOUNT, NOW
    )
    assert "\ufffd" in str(to_dict(page.raws[0]))


@pytest.mark.parametrize("shift", range(4))
def test_text_is_utf_8_wherever_its_characters_lie(shift: int) -> None:
    record = ('{"id":1,"remarks":"' + "x" * shift + "😀" * 20_000 + '"}').encode()
    page = read(b'{"success":"true","order_details":[' + record + b"]}")
    assert [bytes(raw) for raw in page.raws] == [record]
    with pytest.raises(errors.KaptureShapeError):
        read(b'{"success":"true","order_details":[' + record[:-3] + b'"}]}')


def test_two_lists_of_orders_are_an_error_whatever_they_hold() -> None:
    lists = (b'[{"id":1}]', b'[{"id":2}]', b'[{"id":1},{"id":2}]', b"[]", b"{}", b"null", b"[3]")
    for first, second in itertools.product(lists, repeat=2):
        for space in (b"", b" "):
            details = b'"order_details":%s,"order_details":%s' % (first, second.replace(b"{", b"%b{" % space))
            with pytest.raises(errors.KaptureShapeError):
                read(b'{"success":"true",%s}' % details)


@pytest.mark.parametrize("spaced", [1, 40, 99])
def test_what_stands_behind_many_orders_is_read_however_they_are_set_apart(spaced: int) -> None:
    orders = [b'{"id":%d}' % number for number in range(100)]
    rows = b",".join(orders[:spaced]) + b", " + b",".join(orders[spaced:])
    page = read(b'{"order_details":[%s],"success":"true"}' % rows)
    assert list(page.keys) == list(range(100))
    with pytest.raises(errors.KaptureRefusedError):
        read(b'{"success":"true","order_details":[%s],"status":"failed"}' % rows)
