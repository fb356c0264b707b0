"""Orders that are no strict JSON: kept byte for byte as JSONL, and value for value as CSV and Parquet."""

from __future__ import annotations

import csv
import io
import json

import msgspec
import pyarrow.parquet as pq
import pytest

from airflow_provider_kapture.storage.encoders.formats import ENCODERS
from airflow_provider_kapture.storage.encoders.reader import OrderReader
from airflow_provider_kapture.storage.encoders.report import Report


def written(file_format: str, orders: list[bytes]) -> bytes:
    sink = io.BytesIO()
    encoder = ENCODERS[file_format](sink)
    encoder.write([msgspec.Raw(each) for each in orders])
    encoder.close()
    return sink.getvalue()


# An order, the values of some columns, and what is rescued.
ORDERS = [
    (b'{"id":1,"remarks":"a\tb\x00c"}', {"remarks": "a\tb\0c"}, None),
    (b'{"id":1,"remarks":"a\r\nb"}', {"remarks": "a\r\nb"}, None),
    (rb'{"id":1,"remarks":"cut \ud83d"}', {"remarks": "cut \ufffd"}, None),
    (b'{"id":1,"discount":NaN,"cess":2}', {"discount": None, "cess": 2}, {"discount": "NaN"}),
    (b'{"id":1,"discount":-Infinity}', {"discount": None}, {"discount": "-Infinity"}),
    (b'{"id":1,"remarks":NaN,"deliveryStatus":"NaN"}', {"remarks": None, "deliveryStatus": "NaN"}, {"remarks": "NaN"}),
    (b'{"id":1,"createDate":Infinity}', {"createDate": None}, {"createDate": "Infinity"}),
    (b'{"id":1,"invoiceSent":NaN,"unitId":NaN}', {"unitId": None}, {"invoiceSent": "NaN", "unitId": "NaN"}),
    (b'{"id":1,"new":[NaN,"\x01"],"remarks":"NaN\n"}', {"remarks": "NaN\n"}, {"new": ["NaN", "\x01"]}),
    (b'{"id":1,"new\n":1,"cess":3}', {"cess": 3}, {"new\n": 1}),
    (b'{"id":1,"discount":"5\n"}', {"discount": None}, {"discount": "5\n"}),
    (b'{"id":1,"cess":1,"cess":2,"unitId":3}', {"cess": None, "unitId": 3}, {"cess": [1, 2]}),
    (b'{"id":1,"cess":2,"cess":2}', {"cess": None}, {"cess": [2, 2]}),
    (rb'{"id":1,"cess":1,"ce\u0073s":"x"}', {"cess": None}, {"cess": [1, "x"]}),
    (b'{"id":1,"new":1,"new":[2],"cess":3}', {"cess": 3}, {"new": [1, [2]]}),
    (b'{"id":1,"cess":1,"cess":NaN}', {"cess": None}, {"cess": [1, "NaN"]}),
    (b'{"id" : 1, "cess" : 1, "cess" : 2}', {"cess": None}, {"cess": [1, 2]}),
    (b'{"id":1,"remarks":"\\":\\":","cess":2}', {"cess": 2, "remarks": '":":'}, None),
    (b'{"id":1,"new":{"cess":1},"cess":2}', {"cess": 2}, {"new": {"cess": 1}}),
    (b'{"id":1,"unitId":%b}' % (b"9" * 5000), {"unitId": None}, ...),
    (b'{"id":1,"cess":%b,"remarks":"a"}' % (b"[" * 9000 + b"]" * 9000), {"cess": None, "remarks": "a"}, ...),
    (b'{"id":1,"new":%b,"remarks":"a\n"}' % (b"[" * 9000 + b"]" * 9000), {"remarks": "a\n"}, ...),
]
table = pytest.mark.parametrize(("order", "values", "rescued"), ORDERS)


@table
def test_csv_has_each_value_or_rescues_it(order: bytes, values: dict[str, object], rescued: object) -> None:
    text = written("csv", [b'{"id":0}', order]).decode()
    [_, row] = csv.DictReader(io.StringIO(text, newline=""))
    assert row["id"] == "1"
    assert {name: row[name] for name in values} == {
        name: "" if value is None else str(value) for name, value in values.items()
    }
    check_rescued(row["_rescued"] or None, order, rescued)


@table
def test_parquet_has_each_value_or_rescues_it(order: bytes, values: dict[str, object], rescued: object) -> None:
    [_, row] = pq.read_table(io.BytesIO(written("parquet", [b'{"id":0}', order]))).to_pylist()
    assert row["id"] == 1
    assert {name: row[name] for name in values} == values
    check_rescued(row["_rescued"], order, rescued)


@pytest.mark.parametrize("file_format", ["csv", "csv.gz", "parquet"])
def test_what_is_set_aside_is_counted_by_field(file_format: str) -> None:
    orders = [
        b'{"id":1,"discount":"12.50","cess":"Rs 5"}',
        b'{"id":2,"cess":"Rs 6","unitId":1.5,"new":1}',
        rb'{"id":3,"remarks":"cut \ud83d","cess":1}',
        b'{"id":4,"cess":1,"cess":2}',
    ]
    sink = io.BytesIO()
    encoder = ENCODERS[file_format](sink)
    encoder.write([msgspec.Raw(each) for each in orders])
    encoder.close()
    assert encoder.report == Report({"cess": 3, "unitId": 1}, {"new"}, 1)


def test_json_lines_set_nothing_aside() -> None:
    sink = io.BytesIO()
    encoder = ENCODERS["jsonl"](sink)
    encoder.write([msgspec.Raw(rb'{"id":3,"remarks":"cut \ud83d","cess":"Rs 5"}')])
    encoder.close()
    assert encoder.report == Report()
    assert rb"\ud83d" in sink.getvalue()


def check_rescued(found: str | None, order: bytes, expected: object) -> None:
    if expected is ...:  # more than Python's decoder reads
        assert found is not None
        assert found.encode().partition(b":")[2].rstrip(b"}") in order
    else:
        assert (json.loads(found) if found else None) == expected


@pytest.mark.parametrize("order", [each[0] for each in ORDERS])
def test_json_lines_keep_the_bytes_and_have_one_line_an_order(order: bytes) -> None:
    # What the client hands over has no line breaks inside strings.
    order = order.replace(b"\r", rb"\r").replace(b"\n", rb"\n")
    assert written("jsonl", [b'{"id":0}', order]) == b'{"id":0}\n' + order + b"\n"
    assert written("jsonl", [order.replace(b'"id":', b'"id"\n: ')]) == order + b"\n"


def test_an_indented_order_changes_nothing_for_those_beside_it() -> None:
    orders = [b'{"id": 1}', b'{\n"id": 2}', b'{"id": 3}']
    assert written("jsonl", orders) == b'{"id": 1}\n{"id":2}\n{"id": 3}\n'


def test_a_value_that_is_valid_is_rescued_as_it_was_sent() -> None:
    reader = OrderReader({}, Report())
    for _ in range(2):
        [record] = reader.read([msgspec.Raw(rb'{"id":1,"new":"\u00e9 \ud83d\ude00"}')])
        assert getattr(record, reader.attributes[-1]) == rb'{"new":"\u00e9 \ud83d\ude00"}'.decode()
