"""Read an order's ``id`` and ``createDate`` in every spelling that accounts use. No I/O.

The decoders of well-formed responses are in `rows.py`.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any

import msgspec

from airflow_provider_kapture.client import orders
from airflow_provider_kapture.client.api import json_repair
from airflow_provider_kapture.client.api.json_fault import find_fault
from airflow_provider_kapture.client.api.rows import INSTANTS, AnyKeys, RowDecoders
from airflow_provider_kapture.client.api.values import DecimalText, to_instant, to_integer
from airflow_provider_kapture.client.errors import KaptureShapeError

OrderKey = int | str

_ROW_DECODER = msgspec.json.Decoder(AnyKeys, float_hook=DecimalText)
# A whole number. "007" is not one: as an id it differs from 7.
_NUMERAL = re.compile(r"0|-?[1-9][0-9]{0,3999}")
_SURROGATE = re.compile("[\ud800-\udfff]")
# Beyond, a float cannot represent every integer, and two ids could become one.
_MAX_EXACT_FLOAT = 2**53


def order_key(value: Any) -> OrderKey:
    """Return an order's ``id``; a number and its text give the same value: that of its column, if it fits.

    :raises KaptureShapeError: the value is not usable as an id
    """
    if type(value) is int:
        return value
    with suppress(ValueError):
        number = to_integer(value)
        if type(value) is str or abs(number) < _MAX_EXACT_FLOAT:
            return number
    if type(value) is str and value.strip() and "\0" not in value:
        if _SURROGATE.search(value):
            # No database accepts such a text. The result cannot equal another id, because ids with NUL are refused.
            return "\0" + json.dumps(value)
        return int(value) if _NUMERAL.fullmatch(value) else value
    raise KaptureShapeError(
        "Kapture returned an order without a usable `id` (a whole number or text), so it cannot be told from others; "
        "ask Kapture's support",
        path=orders.PATH,
    )


def _to_instant(value: Any) -> int | None:
    try:
        instant = to_instant(value)
    except ValueError:
        return None
    return instant if instant in INSTANTS else None


def key_and_instant(raw: bytes) -> tuple[OrderKey, int | None]:
    """Return an order's ``id`` and ``createDate`` (epoch milliseconds) from JSON that may not be strict.

    :raises ValueError: the JSON is malformed
    """
    strict = json_repair.strict(raw, constant=b"{}")
    # With U+FFFD for each lone surrogate, two ids could become one.
    readable = [raw] if strict == raw or json_repair.replace_lone_surrogates(raw) != raw else [raw, strict]
    for text in readable:
        with suppress(msgspec.DecodeError, RecursionError):
            order = _ROW_DECODER.decode(text)
            return order_key(order.id), _to_instant(order.createDate)
    # msgspec also rejects deep nesting, and a number of thousands of digits.
    if find_fault(raw) is not None:
        raise ValueError("malformed")
    values = dict(json_repair.members(raw))
    found = (json_repair.scalar(values.get(name, b"null")) for name in ("id", "createDate"))
    return order_key(next(found)), _to_instant(next(found))


def keys_and_instants(body: bytes, decoders: RowDecoders) -> tuple[list[OrderKey], list[int | None]]:
    """Return the ``id`` and the ``createDate`` of each order of a response; None for an invalid ``createDate``."""
    with suppress(msgspec.ValidationError):
        common = decoders.common_keys(body)
        return [each.id for each in common], [each.createDate for each in common]
    found = decoders.any_keys(body)
    return [order_key(each.id) for each in found], [_to_instant(each.createDate) for each in found]
