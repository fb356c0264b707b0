"""What Arrow reads at once is what is read order by order, or Arrow reads nothing."""

from __future__ import annotations

import io
import json

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from airflow_provider_kapture.client.orders import ORDER_FIELDS, FieldType
from airflow_provider_kapture.storage.encoders import parquet
from airflow_provider_kapture.storage.encoders.schema import to_rows

quick = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

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
}
NAMES = st.sampled_from([*ORDER_FIELDS])
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
        token = draw(TOKENS[ORDER_FIELDS[name]] if fits else NUMBERS | TEXTS | OTHERS)
        spelt = escaped if draw(st.integers(0, 15)) == 0 else written
        pairs.append((spelt(name), token))
    if draw(st.integers(0, 9)) == 0:
        pairs.append(
            (written(draw(st.sampled_from(["orderScore", "_rescued", "", "ID", "id "]))), draw(NUMBERS | OTHERS))
        )
    gap = draw(GAPS) if draw(st.integers(0, 5)) == 0 else ""
    return ("{" + ",".join(f"{gap}{name}{gap}:{gap}{token}{gap}" for name, token in pairs) + "}").encode()


def amount(token):
    return [b'{"discount":%b}' % token]


@quick
@given(st.lists(orders(), min_size=1, max_size=8))
@example(amount(b'"12.50"'))
@example(amount(rb'"\u0031"'))
@example(amount(b"1" + b"0" * 32))
@example(amount(b"0.0000001"))
@example(amount(b'1,"discount":2'))
@example(amount(b'null,"discount":2'))
@example(amount(b'1,"disc\\u006funt":"2"'))
@example([b'{"createDate":253402300800000}'])
@example([b'{"createDate":null}', b'{"createDate":-62135596800000}'])
@example([b'{"id":1}', b"{}", b'{"id":\n2}'])
def test_arrow_reads_what_is_read_order_by_order_or_nothing(sent):
    raws = [msgspec.Raw(each) for each in sent]
    exact = parquet._converted(to_rows(raws))
    exact.validate(full=True)
    try:
        read = parquet._read(raws)
    except parquet._MISMATCH_ERRORS:
        return
    assert read.equals(exact)


@pytest.mark.parametrize("token", [b"1", b"1.5", b"-0.000001", b"null", b"1e2", b"9" * 32])
def test_arrow_reads_what_fits(token):
    raws = [msgspec.Raw(b'{"id":%d,"discount":%b,"remarks":"\xf0\x9f\x98\x80\\n"}' % (id_, token)) for id_ in range(3)]
    assert parquet._read(raws).num_rows == 3


@quick
@given(st.lists(orders(), min_size=1, max_size=8))
def test_the_way_that_orders_were_read_leaves_no_trace(sent):
    raws = [msgspec.Raw(each) for each in sent]

    def file(read):
        sink = io.BytesIO()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(parquet, "_read", read)
            encoder = parquet.ParquetEncoder(sink)
            encoder.write(raws)
            encoder.close()
        return sink.getvalue()

    def nothing(_raws):
        raise pa.ArrowInvalid

    assert file(parquet._read) == file(nothing)


def test_one_order_that_does_not_fit_changes_nothing_for_the_others():
    raws = [msgspec.Raw(b'{"id":%d,"discount":0.5}' % number) for number in range(5_000)]
    raws[4_000] = msgspec.Raw(b'{"id":"D4000","discount":"Rs 5"}')
    sink = io.BytesIO()
    encoder = parquet.ParquetEncoder(sink)
    encoder.write(raws)
    encoder.close()
    table = pq.read_table(io.BytesIO(sink.getvalue()))
    assert table["id"].to_pylist() == [*range(4_000), None, *range(4_001, 5_000)]
    assert table["_rescued"].drop_null().to_pylist() == ['{"id":"D4000","discount":"Rs 5"}']
