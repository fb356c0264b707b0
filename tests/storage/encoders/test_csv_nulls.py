"""Null is an empty cell in CSV and an empty text is ``""``, in each reader that can tell them apart."""

import csv
import io

import duckdb
import msgspec
import postgres
import pytest

from airflow_provider_kapture.storage.encoders.formats import ENCODERS
from airflow_provider_kapture.storage.encoders.schema import COLUMNS

ORDERS = [
    b'{"id":1}',
    b'{"id":2,"remarks":"","deliveryStatus":null}',
    b'{"id":3,"remarks":"a \\"b\\", c\\nd","deliveryStatus":""}',
    b'{"id":4,"remarks":"plain","discount":"12.50","new":""}',
]
EXPECTED = [
    (1, None, None, None),
    (2, "", None, None),
    (3, 'a "b", c\nd', "", None),
    (4, "plain", None, '{"new":""}'),
]


@pytest.fixture
def path(tmp_path):
    target = tmp_path / "orders.csv"
    with target.open("wb") as sink:
        encoder = ENCODERS["csv"](sink)
        encoder.write([msgspec.Raw(each) for each in ORDERS])
        encoder.close()
    return target


def test_the_cells(path):
    lines = path.read_bytes().split(b"\r\n")
    at = COLUMNS.index("remarks")
    assert lines[1].count(b",") == len(COLUMNS) - 1
    assert lines[1].split(b",")[at : at + 2] == [b"", b""]
    assert lines[2].split(b",")[at : at + 2] == [b'""', b""]
    rows = list(csv.DictReader(io.StringIO(path.read_bytes().decode(), newline="")))
    assert [row["remarks"] for row in rows] == ["", "", 'a "b", c\nd', "plain"]
    assert rows[3]["discount"] == "12.50"


def test_duckdb(path):
    with duckdb.connect() as database:
        query = (
            "SELECT id, remarks, deliveryStatus, _rescued FROM read_csv(?, all_varchar=true, allow_quoted_nulls=false)"
        )
        rows = database.execute(query, [str(path)]).fetchall()
    assert [(int(first), *rest) for first, *rest in rows] == EXPECTED


@pytest.mark.skipif(not postgres.is_installed(), reason="PostgreSQL is not installed")
def test_postgresql(path):
    with postgres.serving() as database:
        columns = ", ".join(f'"{name}" text' for name in COLUMNS)
        rows = database.run(
            f"CREATE TABLE orders ({columns});\n"
            f"\\copy orders from '{path}' with (format csv, header)\n"
            'SELECT id, remarks, "deliveryStatus", _rescued FROM orders ORDER BY id'
        )
    expected = [[str(first), *("<null>" if each is None else each for each in rest)] for first, *rest in EXPECTED]
    assert rows == expected
