"""Whatever an answer holds, it is a page or a KaptureError: never a crash, and never fewer orders than it lists."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_kapture.client.api.failures import Response
from airflow_provider_kapture.client.api.records import to_dict
from airflow_provider_kapture.client.api.response import Page, parse_response
from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.errors import KaptureError
from airflow_provider_kapture.storage.encoders.jsonl import json_lines
from airflow_provider_kapture.storage.encoders.reader import OrderReader
from airflow_provider_kapture.storage.encoders.report import Report

NOW = dt.datetime(2026, 1, 5, tzinfo=dt.UTC)
ACCOUNT = Account.from_connection("acme", "reader", "hush-hush", {"cm_id": 1, "empty_messages": ["No orders found"]})
STATUSES = st.sampled_from([200] * 9 + [100, 204, 206, 302, 400, 401, 403, 404, 408, 418, 425, 429, 500, 503, 999])

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([10**400, "true", "false", " TRUE ", "success", "failed", "No orders found", "Invalid Auth Key"])
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)
ids = st.integers() | st.text() | st.sampled_from(["7", "007", 7, 7.0, -7, "-7", 2.0**60, True, None, 10**400, "\0"])
orders = st.fixed_dictionaries(
    {}, optional={"id": ids | values, "createDate": st.integers() | values, "remarks": values}
)
names = st.sampled_from(["success", "status", "Status", "message", "Message", "order_details", "Success", "total"])
envelopes = st.lists(st.tuples(names, st.lists(orders | values, max_size=4) | values), max_size=6)
lists = st.lists(st.fixed_dictionaries({"id": ids}, optional={"createDate": st.integers()}), max_size=3)
valid = lists.map(lambda listed: [("success", "true"), ("order_details", listed)])
repeated = st.tuples(valid, lists).map(lambda both: [("order_details", both[1]), *both[0]])


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """An envelope, sound or not, keys perhaps twice, then perhaps with bytes changed, cut out or put in."""
    pairs = draw(valid | repeated | envelopes)
    escape = draw(st.booleans())
    fields = (f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=escape)}" for name, value in pairs)
    body = ("{" + ",".join(fields) + "}").encode("utf-8", "surrogatepass")
    for _ in range(draw(st.sampled_from([0, 0, 1, 2, 3]))):
        start = draw(st.integers(0, len(body)))
        stop = draw(st.integers(start, min(start + 8, len(body))))
        body = (
            body[:start]
            + draw(st.binary(max_size=8) | st.sampled_from([b"", b"\\ud83d", b"[" * 3, b"1e999", b"NaN", b"\n", b"\0"]))
            + body[stop:]
        )
    return draw(st.sampled_from([b"", b"", b"\xef\xbb\xbf", b" \n"])) + body


def check(body: bytes, status: int, headers: Mapping[str, str]) -> Page | None:
    """The page, where it is one."""
    failed: KaptureError | None = None
    try:
        page = parse_response(Response(status, headers, body), ACCOUNT, NOW)
    except KaptureError as error:
        failed = error
    if failed is not None:
        assert failed.__context__ is None, "an exception in the chain may hold what the answer holds"
        assert len(str(failed)) < 700
        return None
    assert status == 200
    assert len(page.raws) == len(page.keys) == len(page.instants)
    assert len(set(page.keys)) <= len(page.keys)
    assert len(OrderReader({}, Report()).read(page.raws)) == len(page.raws)
    for raw in page.raws:
        try:
            assert isinstance(to_dict(raw), dict)
        except KaptureError:
            continue
        assert json.loads(bytes(raw), parse_int=str, strict=False)
        assert b"\n" not in json_lines([raw])[:-1]
    return page


def count(body: bytes) -> int | None:
    """The orders that a body lists, each time that it lists orders, as a reader that keeps everything has it."""
    try:
        pairs = json.loads(body.decode("utf-8-sig"), object_pairs_hook=list, parse_int=str)
    except (ValueError, RecursionError):
        return None
    return sum(len(value) for name, value in pairs if name == "order_details" and isinstance(value, list))


def never_silent(body: bytes) -> None:
    page = check(body, 200, {})
    if page is not None and (listed := count(body)) is not None:
        assert len(page.raws) == listed


@given(st.binary() | st.text().map(str.encode) | mutated(), STATUSES, st.dictionaries(st.text(), st.text(), max_size=2))
def test_any_answer_is_a_page_or_a_kapture_error(body: bytes, status: int, headers: dict[str, str]) -> None:
    check(body, status, headers)


@given(mutated())
def test_no_order_is_lost_in_silence(body: bytes) -> None:
    never_silent(body)


@pytest.mark.slow
@settings(max_examples=5_000, deadline=None)
@given(mutated())
def test_no_order_is_lost_in_silence_at_length(body: bytes) -> None:
    never_silent(body)


@given(st.lists(ids, max_size=5))
def test_ids_that_differ_are_told_apart(given_ids: list[Any]) -> None:
    body = json.dumps({"success": True, "order_details": [{"id": each} for each in given_ids]}).encode()
    page = check(body, 200, {})
    if page is not None:
        texts = {str(int(each) if isinstance(each, float) else each) for each in given_ids}
        assert len(set(page.keys)) == len(texts)


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{1,6} \d\d:\d\d:\d\d [+-]?\w{1,5}"))
def test_any_retry_after_is_a_wait_or_none(value: str) -> None:
    check(b"", 429, {"Retry-After": value})


def test_the_orders_of_a_page_are_told_to_the_letter() -> None:
    page = check(b'{"success":"true","order_details":[{"id": 1,  "x": 1.50}]}', 200, {})
    assert page is not None
    assert isinstance(page.raws[0], msgspec.Raw)
    assert bytes(page.raws[0]) == b'{"id": 1,  "x": 1.50}'
