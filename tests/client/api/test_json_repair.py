"""Values that strict decoders reject are kept, and what is malformed is named by its byte and its order."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_kapture.client.api import json_repair
from airflow_provider_kapture.client.api.json_fault import find_fault

TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(['"', "\\", "\n\\", "NaN", "[{", "},]"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
)
INDENTS = st.sampled_from([None, 0, 2])


@st.composite
def valid(draw: st.DrawFn) -> bytes:
    return json.dumps(draw(VALUES), ensure_ascii=draw(st.booleans()), indent=draw(INDENTS)).encode()


@given(valid())
def test_strict_json_is_left_as_it_is(text: bytes) -> None:
    assert json_repair.strict(text) == text
    assert json_repair.escape_line_breaks(text) == text
    assert find_fault(text) is None
    assert json.loads(json_repair.compact(text)) == json.loads(text)


@given(st.dictionaries(TEXTS, VALUES, max_size=4), INDENTS)
def test_containers_are_cut_into_what_they_hold(value: dict[str, object], indent: int | None) -> None:
    found = json_repair.members(json.dumps(value, indent=indent).encode())
    assert [(name, json.loads(text)) for name, text in found] == list(value.items())
    elements = json_repair.elements(json.dumps([*value.values()], indent=indent).encode())
    assert [json.loads(each) for each in elements] == [*value.values()]


@given(st.dictionaries(TEXTS, VALUES, max_size=3), st.data())
def test_json_that_lacks_its_end_is_truncated(value: dict[str, object], data: st.DataObject) -> None:
    text = json.dumps(value, ensure_ascii=False).encode()
    fault = find_fault(text[: data.draw(st.integers(0, len(text) - 1))])
    assert fault is not None
    assert fault.is_truncated


@given(valid(), st.binary(min_size=1, max_size=3), st.data())
def test_what_is_no_fault_is_json_once_it_is_strict(text: bytes, put: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(text)))
    text = text[:at] + put + text[at:]
    if find_fault(text) is None:
        json.loads(json_repair.strict(text))
    else:
        with pytest.raises((msgspec.DecodeError, ValueError)):
            msgspec.json.decode(text.decode(), type=msgspec.Raw)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'["a\nb\r\t\0"]', rb'["a\u000ab\u000d\u0009\u0000"]'),
        (b"[NaN,Infinity,-Infinity]", b'["NaN","Infinity","-Infinity"]'),
        (rb'["NaN","\"NaN",NaN]', rb'["NaN","\"NaN","NaN"]'),
        (rb'["\ud83d","\ud83d\ude00","\\ud83d"]', rb'["\ufffd","\ud83d\ude00","\\ud83d"]'),
        (b'{"a\nb":NaN}', rb'{"a\u000ab":"NaN"}'),
        (b'[\n"Info",-1,null]', b'[\n"Info",-1,null]'),
    ],
)
def test_a_strict_copy_has_the_same_values(text: bytes, expected: bytes) -> None:
    assert json_repair.strict(text) == expected


def page(*orders: bytes) -> bytes:
    return b'{"success":"true","order_details":[%b]}' % b",".join(orders)


@pytest.mark.parametrize(
    ("order", "marked", "reason"),
    [
        (rb'{"id":7,"x":"\q"}', rb"\q", "an invalid escape in a string"),
        (rb'{"id":7,"x":"\u12g4"}', rb"\u12", "an invalid escape in a string"),
        (b'{"id":7,"x":"5" tall"}', b"tall", "',' or '}' expected"),
        (b'{"id":7,"x":007}', b"007", "a value expected"),
        (b'{"id":7,"x":nan}', b"nan", "a value expected"),
        (b'{"id":7,"x":[1,]}', b"]}", "a value expected"),
        (b'{"id":7,"x":"\xe9t\xe9"}', b"\xe9", "a byte that is not UTF-8"),
        (b'{"id":7,"x":"\xed\xa0\xbd"}', b"\xed", "a byte that is not UTF-8"),
        (b'{"id":7,"x"=1}', b"=", "':' expected"),
        (b"{\"id\":7,'x':1}", b"'x", "a field name expected"),
    ],
)
def test_a_fault_is_named_by_its_byte_and_its_order(order: bytes, marked: bytes, reason: str) -> None:
    body = page(b'{"id":5}', order, b'{"id":9}')
    fault = find_fault(body)
    assert fault is not None
    assert (fault.place, fault.reason, fault.is_truncated) == (body.index(marked), reason, False)
    assert (fault.number, fault.order_id) == (2, b"7")


@pytest.mark.parametrize("body", [page(b'{"id":7},'), page(b'{"id":7}') + b"x", page()[:-2] + b"]}"])
def test_a_fault_outside_of_the_orders_names_none(body: bytes) -> None:
    fault = find_fault(body.replace(b"[]", b"[}"))
    assert fault is not None
    assert (fault.is_truncated, fault.number, fault.order_id) == (False, 0, b"")
