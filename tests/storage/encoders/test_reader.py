"""Orders that the typed decoder reads and orders that are read field by field give the same files and counts."""

from __future__ import annotations

import io
import json

import msgspec
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from airflow_provider_kapture.client.orders import ORDER_FIELDS, FieldType
from airflow_provider_kapture.storage.encoders.arrow_reader import ArrowReader, SchemaMismatchError
from airflow_provider_kapture.storage.encoders.decoder import OrderDecoder
from airflow_provider_kapture.storage.encoders.formats import ENCODERS
from airflow_provider_kapture.storage.encoders.jsonl import json_lines
from airflow_provider_kapture.storage.encoders.parquet import arrow_schema
from airflow_provider_kapture.storage.encoders.reader import OrderReader
from airflow_provider_kapture.storage.encoders.report import Report
from airflow_provider_kapture.storage.encoders.schema import column_types

quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

# Tokens on both sides of every edge that a type has, of every kind of JSON value.
NUMBERS = st.sampled_from(
    [
        *("0", "-0", "7", "-3", "1e2", "1E+2", "1.0", "-0.0", "0.000001", "0.0000001", "1.5000000", "1234567e-6"),
        *(
            "0.30000000000000000",
            "0e-400",
            "0e400",
            "1e-400",
            "1e308",
            "1e309",
            "1e99999999999999999999",
            "1e4294967297",
        ),
        *("9" * 32, "9" * 33, "1" + "0" * 32, "-1" + "0" * 32, "17" + "0" * 31, "1" + "0" * 33, "9" * 32 + ".999999"),
        *(str(2**63 - 1), str(2**63), str(-(2**63)), str(-(2**63) - 1), str(2**64), str(2**127), str(2**128)),
        *("253402300799999", "253402300800000", "-62135596800000", "-62135596800001"),
        *("1e31", "1e32", "123456789012345678901234567890.1234567", "9" * 40 + "e-10"),
    ]
) | st.decimals(allow_nan=False, allow_infinity=False).map(str).map(str.lower)
TEXTS = st.sampled_from(
    [
        *('"17"', '"007.5"', '"-0.5"', '"-0"'),
        *('""', '"12.50"', '" 12"', '"1e5"', '"true"', '"2024-05-08"', '"2024-05-08T00:00:00Z"', '"1715106600000"'),
        *(
            r'"\u0031"',
            r'"\ud83d\ude00"',
            '"😀 ग्राहक"',
            r'"a\nb\r\n\tc"',
            r'"\u0000"',
            r'"\"id\":1"',
            '"null"',
            '"NaN"',
        ),
    ]
)
OTHERS = st.sampled_from(["true", "false", "null", "[]", "[1]", "{}", '{"a":"b"}', '{"id":9}'])
TOKENS = {
    FieldType.INTEGER: st.integers(-(2**64), 2**64).map(str),
    FieldType.INSTANT: st.integers(-(10**15), 10**15).map(str),
    FieldType.AMOUNT: st.decimals(-(10**32), 10**32, places=6).map(lambda value: format(value, "f")),
    FieldType.FLAG: st.sampled_from(["true", "false"]),
    FieldType.TEXT: TEXTS,
    FieldType.DATE: st.dates().map(lambda day: f'"{day}"') | TEXTS,
}
FIELDS = {f"own_{kind}": kind for kind in FieldType}
WITHOUT_DATE = {name: kind for name, kind in FIELDS.items() if kind is not FieldType.DATE}
TYPES = {**ORDER_FIELDS, **FIELDS}
NAMES = st.sampled_from([*TYPES])
# Names of fields without a column: also such as JSON escapes, or that have colons.
OTHERS_NAMES = ["orderScore", "attr1", "attr2", "a:b", "ग्राहक", "_rescued", "", "ID", "id ", 'a"b', "a\\b", "a\nb"]
GAPS = st.sampled_from(["", "", "", " ", "\t", "\n", "\r\n", "  \n  "])


def written(name):
    return json.dumps(name)


def escaped(name):
    return '"' + "".join(f"\\u{ord(each):04x}" for each in name) + '"'


@st.composite
def orders(draw):
    """An order's JSON: mostly what fits, now and then anything, twice, under another spelling, or with gaps."""
    pairs = []
    for name in draw(st.lists(NAMES, unique=draw(st.integers(0, 9)) > 0, max_size=12)):
        fits = draw(st.integers(0, 7)) > 0
        token = draw(TOKENS[TYPES[name]] if fits else NUMBERS | TEXTS | OTHERS)
        spelt = escaped if draw(st.integers(0, 15)) == 0 else written
        pairs.append((spelt(name), token))
    others = draw(st.lists(st.sampled_from(OTHERS_NAMES), max_size=draw(st.sampled_from([0, 0, 3]))))
    pairs += [(written(name), draw(NUMBERS | TEXTS | OTHERS)) for name in others]
    gap = draw(GAPS) if draw(st.integers(0, 5)) == 0 else ""
    return ("{" + ",".join(f"{gap}{name}{gap}:{gap}{token}{gap}" for name, token in pairs) + "}").encode()


def amount(token):
    return [b'{"discount":%b}' % token]


def files(sent, batches, fields=FIELDS):
    """The files of the orders, and what was set aside."""
    raws = [msgspec.Raw(each) for each in sent]
    found = []
    for file_format in ("csv", "parquet"):
        sink = io.BytesIO()
        encoder = ENCODERS[file_format](sink, fields)
        for at in range(0, len(raws), batches):
            encoder.write(raws[at : at + batches])
        encoder.close()
        found += [sink.getvalue(), encoder.report]
    return found


def files_read_by_field(*arguments):
    """The same, where no other way of reading is used."""

    def nothing(_self, raws):
        return [None] * len(raws)

    def error(*_):
        raise SchemaMismatchError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OrderDecoder, "decode", nothing)
        patch.setattr(ArrowReader, "read", error)
        return files(*arguments)


@quick
@given(st.lists(orders(), min_size=1, max_size=8), st.integers(1, 8))
@example(amount(b'"12.50"'), 1)
@example(amount(rb'"\u0031"'), 1)
@example(amount(b"1" + b"0" * 32), 1)
@example(amount(b"0.0000001"), 1)
@example([*amount(b"0.5"), *amount(str(2**64).encode()), *amount(b"true"), *amount(b'"1:2"')], 4)
@example([*amount(b"0.5"), *amount(b'"007.5"'), *amount(b'"17"'), *amount(b'"-0"')], 4)
@example([b'{"discount":0.5}', b'{"discount":%d,"cess":"x"}' % (2**64), b'{"discount":%d,"cess":1}' % -(2**64)], 3)
@example([b'{"discount":0.5,"cess":0.5}', b'{"discount":true,"cess":%d,"unitId":"x"}' % (2**64)], 1)
@example([*amount(b"0.5"), *amount(b"1e2"), *amount(b"1"), *amount(b"null")], 2)
@example(amount(b'1,"discount":2'), 1)
@example(amount(b'null,"discount":2'), 1)
@example(amount(b'1,"disc\\u006funt":"2"'), 1)
@example([b'{"id" :1,"cess":1,"cess":2}'], 1)
@example([b'{"id":1,"cess":1,"cess":2,"remarks":"\\u003a"}'], 1)
@example([b'{"id":1,"cess":1,"cess":2}', b'{"id":1,"remarks":"\\u003A"}'], 2)
@example([b'{"attr1":{"a":1}}', b'{"attr1":{"a":1},"cess":1,"cess":2}', b'{"attr1":1,"attr1":2}'], 1)
@example([b'{"attr2":1,"attr1":2}', b'{"attr3":1,"attr2":null}', b'{"attr1":1,"unitId":"x"}', b"{}"], 4)
@example([b'{"_rescued":1}', b'{"_rescued":null}', b'{"_rescued":"{}"}'], 3)
@example([b'{"createDate":253402300800000}'], 1)
@example([b'{"createDate":null}', b'{"createDate":-62135596800000}'], 2)
@example([b'{"id":1}', b"{}", b'{"id":\n2}'], 3)
@pytest.mark.slow
def test_the_way_that_orders_were_read_leaves_no_trace(sent, batches):
    assert files(sent, batches) == files_read_by_field(sent, batches)
    # Without a date, Arrow reads the orders that it can.
    assert files(sent, batches, WITHOUT_DATE) == files_read_by_field(sent, batches, WITHOUT_DATE)


def decoded(sent):
    """How many of the last orders are decoded, once there was one of each kind."""
    reader = OrderReader(FIELDS, Report())
    raws = [msgspec.Raw(each) for each in sent]
    reader.read(raws)
    return sum(each is not None for each in reader._decoder.decode(raws))


@pytest.mark.parametrize(
    "fields",
    [
        b'"discount":1',
        b'"discount":1.5',
        b'"discount":-0.000001,"cess":null',
        b'"deliveryStatus":"10:30","id2":null',
        b'"attr1":"27AAPFU0939F1ZV"',
        b'"attr1":{"a":[1,{"b":2}]},"attr2":null',
        b'"own_date":"2024-05-08","own_decimal":2.5',
    ],
)
def test_what_most_accounts_send_is_decoded(fields):
    assert decoded([b'{"id":%d,"remarks":"\xf0\x9f\x98\x80 a: b",%b}' % (number, fields) for number in range(3)]) == 3


@pytest.mark.parametrize("token", [b"1", b"1.5", b"-0.000001", b"null", b"1e2", b"9" * 32])
def test_arrow_reads_what_fits(token):
    raws = [msgspec.Raw(b'{"id":%d,"discount":%b,"remarks":"\xf0\x9f\x98\x80\\n"}' % (id_, token)) for id_ in range(3)]
    assert ArrowReader(column_types(), arrow_schema()).read(raws, json_lines(raws)).num_rows == 3


def test_some_fields_without_a_column_are_decoded_and_the_others_read_field_by_field():
    sent = [b'{"id":%d,"attr%d":1}' % (number, number) for number in range(130)]
    assert decoded(sent) == 100
    assert files(sent, 130) == files_read_by_field(sent, 130)


def test_one_order_that_does_not_fit_changes_nothing_for_the_others():
    raws = [msgspec.Raw(b'{"id":%d,"discount":0.5}' % number) for number in range(5_000)]
    raws[4_000] = msgspec.Raw(b'{"id":"D4000","discount":"Rs 5"}')
    sink = io.BytesIO()
    encoder = ENCODERS["parquet"](sink)
    encoder.write(raws)
    encoder.close()
    table = pq.read_table(io.BytesIO(sink.getvalue()))
    assert table["id"].to_pylist() == [*range(4_000), None, *range(4_001, 5_000)]
    assert table["_rescued"].drop_null().to_pylist() == ['{"discount":"Rs 5","id":"D4000"}']
