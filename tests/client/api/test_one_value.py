"""What `id` and `createDate` are for the paginator is what they are in their columns."""

from __future__ import annotations

import datetime as dt
import json
import re

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_kapture.client import Account, errors
from airflow_provider_kapture.client.api.failures import Response
from airflow_provider_kapture.client.api.response import parse_response
from airflow_provider_kapture.storage.encoders.reader import OrderReader
from airflow_provider_kapture.storage.encoders.report import Report
from airflow_provider_kapture.storage.encoders.schema import COLUMNS

NOW = dt.datetime(2026, 1, 5, tzinfo=dt.UTC)
ACCOUNT = Account.from_connection("acme", "reader", "hush-hush", {"cm_id": 1})
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?(e[+-]?[0-9]+)?")
TOKENS = (
    st.integers(-(2**66), 2**66).map(str)
    | st.decimals(-(10**17), 10**17, allow_nan=False).map(lambda value: str(value).lower())
    | st.sampled_from(
        ["1e3", "5.0", "1700000000000.5", "17e11", "-0", "-0.0", "0e9", "007", " 7", "7 ", "+7", "", "A7"]
    )
)


@pytest.mark.parametrize("control", ["", "\n"], ids=["strict JSON", "a control character"])
@settings(max_examples=40, deadline=None)
@given(token=TOKENS, is_text=st.booleans())
def test_a_key_has_the_value_of_its_column(token: str, is_text: bool, control: str) -> None:
    value = json.dumps(token) if is_text or not NUMBER.fullmatch(token) else token
    order = f'{{"id":{value},"createDate":{value},"remarks":"{control}"}}'.encode()
    reader = OrderReader({}, Report())
    [record] = reader.read([msgspec.Raw(order)])
    id_, instant = (getattr(record, reader.attributes[COLUMNS.index(name)]) for name in ("id", "createDate"))
    body = b'{"success":true,"order_details":[%b]}' % order
    try:
        page = parse_response(Response(200, {}, body), ACCOUNT, NOW)
    except errors.KaptureShapeError:
        # Not an id, or a float that most readers round.
        assert id_ is None or abs(id_) >= 2**53
        return
    assert id_ in (None, page.keys[0])
    # Near the edges of the calendar an instant is no day in every time zone.
    assert page.instants[0] == instant or (page.instants[0] is None and abs(instant) > 62_135_400_000_000)
