"""The account's own fields as columns: each kind of JSON value for each type, as CSV and as Parquet."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from decimal import Decimal
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_provider_kapture.client.orders import ORDER_FIELDS, FieldType
from airflow_provider_kapture.storage.encoders.formats import ENCODERS
from airflow_provider_kapture.storage.encoders.report import Report
from airflow_provider_kapture.storage.encoders.schema import COLUMNS

# The order differs from that of the types and of the alphabet.
FIELDS = {f"own {kind}": kind for kind in reversed(FieldType)}
ARROW = {
    "string": pa.string(),
    "integer": pa.int64(),
    "decimal": pa.decimal128(38, 6),
    "boolean": pa.bool_(),
    "timestamp_ms": pa.timestamp("ms", tz="UTC"),
    "date": pa.date32(),
}


def instant(ms: int) -> dt.datetime:
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=ms)


def number(value: int) -> dict[str, Any]:
    return {"integer": value, "decimal": Decimal(value), "timestamp_ms": instant(value)}


# A value as JSON, and what it is in the types that it fits.
VALUES: dict[str, dict[str, Any]] = {
    "true": {"boolean": True},
    "false": {"boolean": False},
    "0": {**number(0), "boolean": False},
    "1": {**number(1), "boolean": True},
    "-5": number(-5),
    "1715106600123": number(1715106600123),
    "1.0": number(1),
    "5e3": number(5000),
    "12.50": {"decimal": Decimal("12.5")},
    "1.0000001": {},
    str(2**63): {"decimal": Decimal(2**63)},
    "1e400": {},
    '""': {"string": ""},
    '"a, b"': {"string": "a, b"},
    '"27AAPFU0939F1ZV"': {"string": "27AAPFU0939F1ZV"},
    '"17"': {**number(17), "string": "17"},
    '"007"': {"string": "007"},
    '"12.50"': {"decimal": Decimal("12.5"), "string": "12.50"},
    '"true"': {"boolean": True, "string": "true"},
    '"2024-05-08"': {"date": dt.date(2024, 5, 8), "string": "2024-05-08"},
    '"0001-01-01"': {"date": dt.date(1, 1, 1), "string": "0001-01-01"},
    '"2024-02-30"': {"string": "2024-02-30"},
    '"2024-5-8"': {"string": "2024-5-8"},
    '"20240508"': {**number(20240508), "string": "20240508"},
    '"2024-W19-3"': {"string": "2024-W19-3"},
    '" 2024-05-08"': {"string": " 2024-05-08"},
    '"2024-05-08T00:00:00Z"': {"string": "2024-05-08T00:00:00Z"},
    "[]": {},
    '["a"]': {},
    "{}": {},
    '{"a":{"b":1}}': {},
    "NaN": {},
}
CASES = [(token, kind, fits) for token, fits in VALUES.items() for kind in FieldType]


def encoded(file_format: str, *orders: bytes) -> tuple[bytes, Report]:
    sink = io.BytesIO()
    encoder = ENCODERS[file_format](sink, FIELDS)
    encoder.write([msgspec.Raw(each) for each in orders])
    encoder.close()
    return sink.getvalue(), encoder.report


def order(token: str, kind: str) -> bytes:
    return f'{{"own {kind}":{token},"id":7,"attr1":"x"}}'.encode()


def check_left(text: str, report: Report, token: str, kind: FieldType, *, fits: bool) -> None:
    left = json.loads(text)
    assert left.pop("attr1") == "x"
    assert left == ({} if fits else {f"own {kind}": "NaN" if token == "NaN" else json.loads(token)})
    assert report == Report({} if fits else {f"own {kind}": 1}, {"attr1"}, 0)


@pytest.mark.parametrize(("token", "kind", "fits"), CASES)
def test_parquet(token: str, kind: FieldType, fits: dict[str, Any]) -> None:
    data, report = encoded("parquet", order(token, kind))
    [row] = pq.read_table(io.BytesIO(data)).to_pylist()
    assert row["id"] == 7
    assert row[f"own {kind}"] == fits.get(kind)
    assert type(row[f"own {kind}"]) is type(fits.get(kind))
    check_left(row["_rescued"], report, token, kind, fits=kind in fits)


@pytest.mark.parametrize(("token", "kind", "fits"), CASES)
def test_csv(token: str, kind: FieldType, fits: dict[str, Any]) -> None:
    data, report = encoded("csv", order(token, kind))
    [row] = csv.DictReader(io.StringIO(data.decode(), newline=""))
    assert row["id"] == "7"
    cell, value = row[f"own {kind}"], fits.get(kind)
    if isinstance(value, Decimal):
        assert Decimal(cell) == value
    elif isinstance(value, dt.date):
        assert cell == value.isoformat(*(("T", "milliseconds") if isinstance(value, dt.datetime) else ()))
    else:
        assert cell == ("" if value is None else str(value).lower() if isinstance(value, bool) else str(value))
    check_left(row["_rescued"], report, token, kind, fits=kind in fits)


@pytest.mark.parametrize("kind", FieldType)
def test_null_and_missing_are_null(kind: FieldType) -> None:
    orders = order("null", kind), b'{"id":7}'
    data, report = encoded("parquet", *orders)
    assert pq.read_table(io.BytesIO(data))[f"own {kind}"].to_pylist() == [None, None]
    text, _ = encoded("csv", *orders)
    assert [row[f"own {kind}"] for row in csv.DictReader(io.StringIO(text.decode(), newline=""))] == ["", ""]
    assert report == Report(unknown={"attr1"})


def test_the_columns_come_after_the_documented_ones_in_the_order_given() -> None:
    names = [*COLUMNS[:-1], *FIELDS, "_rescued"]
    assert tuple(COLUMNS) == (*ORDER_FIELDS, "_rescued")
    for sent in ((), (b'{"own date":"2024-05-08"}',)):
        table = pq.read_table(io.BytesIO(encoded("parquet", *sent)[0]))
        assert table.schema.names == names
        assert [table.schema.field(name).type for name in FIELDS] == [ARROW[kind] for kind in FIELDS.values()]
        [header, *_] = csv.reader(io.StringIO(encoded("csv", *sent)[0].decode(), newline=""))
        assert header == names


def test_json_lines_do_not_change() -> None:
    sent = order("5", "string")
    assert encoded("jsonl", sent) == (sent + b"\n", Report())
