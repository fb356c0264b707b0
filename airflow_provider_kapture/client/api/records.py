"""Decode orders to dicts, for callers that do not write files. Files are written from the JSON, in `storage/`."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any

import msgspec

from airflow_provider_kapture.client import orders
from airflow_provider_kapture.client.api.json_repair import members, replace_lone_surrogates
from airflow_provider_kapture.client.api.redaction import shorten
from airflow_provider_kapture.client.errors import KaptureShapeError

_ORDER = msgspec.json.Decoder(dict[str, Any])


def to_dict(raw: msgspec.Raw) -> dict[str, Any]:
    """Return an order as a dict.

    :raises KaptureShapeError: Python cannot represent the order; a file can
    """
    order = _decode(raw)
    if order is None:
        order_id = dict(members(bytes(raw))).get("id", b"null").decode()
        error = KaptureShapeError(
            "Kapture sent an order that a Python dict cannot represent (a number of thousands of digits, or too deep "
            f"nesting): `id` {shorten(order_id)}. Write the orders to a file instead",
            path=orders.PATH,
        )
        error.permanent = True
        raise error
    return order


def _decode(raw: msgspec.Raw) -> dict[str, Any] | None:
    try:
        return _ORDER.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:  # a number beyond the range of floats, NaN, a control character in a string, a lone surrogate
        order = json.loads(replace_lone_surrogates(bytes(raw)), parse_float=_number, strict=False)
    except (ValueError, ArithmeticError, RecursionError):
        return None
    assert isinstance(order, dict)
    return order


def _number(text: str) -> float | Decimal:
    number = float(text)
    return number if math.isfinite(number) else Decimal(text)
