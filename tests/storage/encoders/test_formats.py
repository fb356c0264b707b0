"""Every order in equals every order out, whatever the format and however the orders were batched."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import importlib.util
import io
import json
import subprocess
import sys
from decimal import Decimal

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.client.orders import ORDER_FIELDS, FieldType
from airflow_provider_kapture.storage.encoders import compression, formats, parquet
from airflow_provider_kapture.storage.encoders.formats import ENCODERS, format_of
from airflow_provider_kapture.storage.encoders.schema import COLUMNS

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
quick = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])

INT64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
# Lossless spellings are as good as the usual ones.
SPELT = {
    FieldType.INTEGER: ['"17"', "5.0", "5e3", '"-5.00"', f'"{2**63 - 1}"', "0e9", "1.2e1"],
    FieldType.INSTANT: ['"1700000000000"', "1700000000000.0", '"1700000000000.0"', "17e11"],
    FieldType.AMOUNT: ['"12.50"', '"17"', '"1e3"', '"-0.000001"', "1e3"],
    FieldType.FLAG: ["0", "1", '"true"', '"false"', '"0"', '"1"'],
    FieldType.TEXT: ['""', '"5"'],
}
FITTING = {
    FieldType.INTEGER: INT64.map(str),
    FieldType.INSTANT: st.integers(0, 4_102_444_800_000).map(str),
    FieldType.AMOUNT: st.decimals(-(10**31), 10**31, places=6).map(lambda value: format(value, "f")) | INT64.map(str),
    FieldType.FLAG: st.sampled_from(["true", "false"]),
    FieldType.TEXT: TEXT.map(json.dumps),
}
FITTING = {kind: usual | st.sampled_from(SPELT[kind]) for kind, usual in FITTING.items()}
# JSON that does not fit: too large, too many places, with leading zeros or signs, other kinds of value.
ODD = {
    FieldType.INTEGER: [
        *(str(2**63), str(-(2**63) - 1), str(10**40), f'"{2**63}"', "1.5", "1e-1", "1e99999999999999999999"),
        *('"007"', '"+5"', '" 5"', '"5 "', '""', '"0x5"', '"1_0"', '"٥"', "true", "[1]"),
    ],
    FieldType.INSTANT: ["253402300800000", '"253402300800000"', "1.5", "1700000000000.5", "{}", '""', '"2024-05-08"'],
    FieldType.AMOUNT: [
        *("0.1234567", "1" + "0" * 32, "1e400", "1e-400", "1e99999999999999999999", "false"),
        *('"0.1234567"', '"1,250"', '"12.50 INR"', '"NaN"', '"Infinity"', '".5"', '""'),
    ],
    FieldType.FLAG: ["2", "-1", "0.5", '"True"', '"yes"', '""', "[]"],
    FieldType.TEXT: ["5", "true", '{"a":"b"}', "12345678901234567890.5"],
}


@st.composite
def orders(draw):
    """An order: for each field its token and whether it fits; some fields missing, some null, some unknown."""
    order = {}
    for name, kind in ORDER_FIELDS.items():
        match draw(st.sampled_from(["fits", "fits", "fits", "odd", "null", "missing"])):
            case "fits":
                order[name] = (draw(FITTING[kind]), True)
            case "odd":
                order[name] = (draw(st.sampled_from(ODD[kind])), False)
            case "null":
                order[name] = ("null", True)
    for name in draw(st.lists(TEXT, max_size=2)):
        if name not in ORDER_FIELDS:
            order[name] = (draw(st.sampled_from(["null", "1.50", '"a\\nb"', '{"x":[1]}'])), False)
    return order


def raw(tokens):
    return msgspec.Raw(("{" + ",".join(f"{json.dumps(name)}:{token}" for name, token in tokens.items()) + "}").encode())


def raw_of(order):
    return raw({name: token for name, (token, _) in order.items()})


def encoded(file_format, raws, batch=None):
    sink = io.BytesIO()
    encoder = ENCODERS[file_format](sink)
    for some in chunks(raws, batch):
        encoder.write(some)
    encoder.close()
    assert not sink.closed
    return sink.getvalue()


def chunks(raws, batch):
    size = batch or max(len(raws), 1)
    return [raws[at : at + size] for at in range(0, len(raws), size)]


def tokens_of(text):
    return {
        name: bytes(token).decode() for name, token in msgspec.json.decode(text, type=dict[str, msgspec.Raw]).items()
    }


def expected_row(order):
    row = dict.fromkeys(COLUMNS)
    for name, (token, fits) in order.items():
        if not fits or token == "null":
            continue
        row[name] = value_of(ORDER_FIELDS[name], token)
    return row


def value_of(kind, token):
    match kind:
        case FieldType.TEXT:
            return json.loads(token)
        case FieldType.FLAG:
            return token.strip('"') in {"true", "1"}
        case FieldType.AMOUNT:
            return Decimal(token.strip('"'))
        case FieldType.INTEGER:
            return int(Decimal(token.strip('"')))
        case FieldType.INSTANT:
            return EPOCH + dt.timedelta(milliseconds=int(Decimal(token.strip('"'))))


def rescued_of(order):
    return {name: token for name, (token, fits) in order.items() if not fits}


def check(row, order):
    rescued = row.pop("_rescued")
    assert (tokens_of(rescued) if rescued else {}) == rescued_of(order)
    expected = expected_row(order)
    del expected["_rescued"]
    assert row == expected


@quick
@given(st.lists(orders(), max_size=6))
def test_parquet_gives_back_every_order(sent):
    table = pq.read_table(io.BytesIO(encoded("parquet", [raw_of(order) for order in sent])))
    assert table.schema.equals(parquet.arrow_schema())
    for row, order in zip(table.to_pylist(), sent, strict=True):
        check(row, order)


@quick
@given(st.lists(orders(), max_size=6))
def test_duckdb_reads_the_same_from_parquet(tmp_path_factory, sent):
    path = tmp_path_factory.mktemp("duckdb") / "orders.parquet"
    path.write_bytes(encoded("parquet", [raw_of(order) for order in sent]))
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        names = [
            name if kind is not FieldType.INSTANT else f'epoch_ms("{name}")' for name, kind in ORDER_FIELDS.items()
        ]
        quoted = [name if "(" in name else f'"{name}"' for name in names]
        rows = database.execute(f"SELECT {', '.join(quoted)}, _rescued FROM read_parquet(?)", [str(path)]).fetchall()
    for values, order in zip(rows, sent, strict=True):
        row = dict(zip(COLUMNS, values, strict=True))
        for name, kind in ORDER_FIELDS.items():
            if kind is FieldType.INSTANT and row[name] is not None:
                row[name] = EPOCH + dt.timedelta(milliseconds=row[name])
        check(row, order)


READ = {
    FieldType.INTEGER: int,
    FieldType.AMOUNT: Decimal,
    FieldType.INSTANT: dt.datetime.fromisoformat,
    FieldType.FLAG: {"true": True, "false": False}.__getitem__,
    FieldType.TEXT: str,
}


def csv_value(name, cell):
    return READ[ORDER_FIELDS.get(name, FieldType.TEXT)](cell) if cell else None


@quick
@given(st.lists(orders(), max_size=6), st.sampled_from(["csv", "csv.gz"]))
def test_csv_gives_back_every_order(sent, file_format):
    written = encoded(file_format, [raw_of(order) for order in sent])
    text = (gzip.decompress(written) if file_format == "csv.gz" else written).decode()
    header, *lines = csv.reader(io.StringIO(text, newline=""))
    assert tuple(header) == COLUMNS
    texts = [name for name, kind in ORDER_FIELDS.items() if kind is FieldType.TEXT]
    for cells, order in zip(lines, sent, strict=True):
        row = {name: csv_value(name, cell) for name, cell in zip(header, cells, strict=True)}
        for name in texts:
            if row[name] is None and order.get(name) == ('""', True):
                row[name] = ""  # an empty cell, like null
        check(row, order)


def test_csv_writes_instants_amounts_and_flags_as_documented():
    order = raw({"createDate": "1700000000005", "discount": "12.50", "cess": "-3", "invoiceSent": "true"})
    [row] = csv.DictReader(io.StringIO(encoded("csv", [order]).decode(), newline=""))
    assert row["createDate"] == "2023-11-14T22:13:20.005+00:00"
    assert (row["discount"], row["cess"], row["invoiceSent"], row["remarks"]) == ("12.50", "-3", "true", "")


@pytest.mark.parametrize(
    ("file_format", "opened"),
    [
        ("jsonl", lambda data: data),
        ("jsonl.gz", gzip.decompress),
        ("jsonl.zst", lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data)),
    ],
)
@quick
@given(sent=st.lists(orders(), max_size=6))
def test_json_lines_keep_each_order_to_the_byte(file_format, opened, sent):
    raws = [raw_of(order) for order in sent]
    assert opened(encoded(file_format, raws)).splitlines() == [bytes(each) for each in raws]


def small_blocks(patch, size):
    for name in ("_BLOCK_BYTES", "_PARQUET_BLOCK_BYTES"):
        patch.setattr(formats, name, size)


@pytest.mark.slow
@pytest.mark.parametrize("file_format", ENCODERS)
@settings(quick, max_examples=4)
@given(sent=st.lists(orders(), min_size=1, max_size=4), batch=st.integers(1, 900))
@example(sent=[{"id": ("1", True)}], batch=1)
def test_how_orders_were_batched_leaves_no_trace(file_format, sent, batch):
    raws = [raw_of(order) for order in sent] * (2_500 // len(sent))
    with pytest.MonkeyPatch.context() as patch:
        small_blocks(patch, 1 << 14)
        found = encoded(file_format, raws, batch)
    assert found == encoded(file_format, raws)


@pytest.mark.parametrize("file_format", ENCODERS)
def test_blocks_leave_no_trace(file_format, monkeypatch):
    raws = [raw({"id": str(number), "remarks": json.dumps(f"{number**5:x}" * 9)}) for number in range(9_000)]
    monkeypatch.setattr(compression, "_BLOCK_BYTES", 1 << 16)
    whole = encoded(file_format, raws)
    small_blocks(monkeypatch, 1 << 15)
    assert encoded(file_format, raws, 977) == whole


def test_row_groups_are_bounded(monkeypatch):
    monkeypatch.setattr(parquet, "_CHUNK_ROWS", 4)
    monkeypatch.setattr(parquet, "_GROUP_CHUNKS", 2)
    raws = [raw({"id": str(number)}) for number in range(19)]
    file = pq.ParquetFile(io.BytesIO(encoded("parquet", raws, 3)))
    assert [file.metadata.row_group(at).num_rows for at in range(file.num_row_groups)] == [8, 8, 3]
    assert file.read(["id"])["id"].to_pylist() == list(range(19))
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"


@pytest.mark.parametrize(
    ("name", "token"), [(name, token) for name, kind in ORDER_FIELDS.items() for token in ODD[kind]]
)
def test_an_odd_value_is_rescued_and_spoils_nothing_beside_it(name, token):
    other = "cmId" if name == "id" else "id"
    [row] = pq.read_table(io.BytesIO(encoded("parquet", [raw({other: "7", name: token})]))).to_pylist()
    assert (row[other], row[name], tokens_of(row["_rescued"])) == (7, None, {name: token})


@pytest.mark.parametrize(
    ("name", "token"), [(name, token) for name, kind in ORDER_FIELDS.items() for token in SPELT[kind]]
)
@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_a_lossless_spelling_fits(name, token, file_format):
    kind = ORDER_FIELDS[name]
    if file_format == "parquet":
        [row] = pq.read_table(io.BytesIO(encoded("parquet", [raw({name: token})]))).to_pylist()
        assert (row[name], row["_rescued"]) == (value_of(kind, token), None)
    else:
        [row] = csv.DictReader(io.StringIO(encoded("csv", [raw({name: token})]).decode(), newline=""))
        assert (csv_value(name, row[name]), row["_rescued"]) == (value_of(kind, token) if row[name] else None, "")


@pytest.mark.parametrize(
    "token", ["0.000001", "1E5", "1.5000000", "-0.0", "9" * 32, "9" * 32 + ".999999", "0.30000000000000000"]
)
def test_an_amount_is_exact(token):
    [row] = pq.read_table(io.BytesIO(encoded("parquet", [raw({"discount": token})]))).to_pylist()
    assert row["discount"] == Decimal(token)
    assert row["_rescued"] is None


@pytest.mark.parametrize("file_format", ENCODERS)
def test_no_orders_give_a_valid_file(file_format):
    written = encoded(file_format, [])
    if file_format == "parquet":
        assert pq.read_table(io.BytesIO(written)).schema.equals(parquet.arrow_schema())
    elif file_format == "csv":
        assert written.decode() == ",".join(COLUMNS) + "\r\n"
    elif file_format.endswith(".gz"):
        assert gzip.decompress(written) in {b"", (",".join(COLUMNS) + "\r\n").encode()}


@pytest.mark.parametrize("file_format", ENCODERS)
def test_a_file_given_up_is_given_up_quietly(file_format, tmp_path):
    with (tmp_path / "orders").open("wb") as sink:
        encoder = ENCODERS[file_format](sink)
        encoder.write([raw({"id": str(number)}) for number in range(40_000)])
    del encoder


@pytest.mark.parametrize("file_format", ENCODERS)
def test_a_format_is_told_by_the_file_name(file_format):
    assert format_of(f"/data/orders.{file_format}", None) == file_format


@pytest.mark.parametrize(
    ("file_format", "package", "extra"), [("parquet", "pyarrow", "parquet"), ("jsonl.zst", "zstandard", "zstd")]
)
def test_a_missing_extra_is_named(monkeypatch, file_format, package, extra):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else found(name))
    with pytest.raises(KaptureSettingsError, match=rf"pip install 'airflow-provider-kapture\[{extra}\]'"):
        format_of("/data/", file_format)
    assert format_of("/data/", "csv") == "csv"


def test_knowing_the_formats_imports_no_heavy_library():
    program = (
        "import sys; from airflow_provider_kapture.storage.encoders.formats import format_of; "
        "format_of('/d/', 'parquet');"
        "sys.exit(bool({'pyarrow', 'zstandard'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_amounts_hold_six_places():
    assert parquet.arrow_schema().field("discount").type == pa.decimal128(38, 6)
