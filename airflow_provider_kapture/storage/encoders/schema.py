"""Orders as rows of the declared schema; values that do not fit it stay as they were sent, in the column ``_rescued``.

Used by the CSV and Parquet encoders. The fields and their types are in ``client.orders``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Context, Decimal, Inexact, InvalidOperation
from types import MappingProxyType
from typing import Annotated, Any

import msgspec

from airflow_provider_kapture.client.api import json_repair
from airflow_provider_kapture.client.orders import ORDER_FIELDS, FieldType

RESCUED = "_rescued"
COLUMNS: tuple[str, ...] = (*ORDER_FIELDS, RESCUED)

# Digits of an amount in total, and after the point.
PRECISION, SCALE = 38, 6

_TOO_LARGE: int = 10 ** (PRECISION - SCALE)
_STEP = Decimal(1).scaleb(-SCALE)
_EXACT = Context(prec=PRECISION, traps=[Inexact, InvalidOperation])

# Years 1 to 9999, which every reader of the files can represent.
FIRST_MS, LAST_MS = -62_135_596_800_000, 253_402_300_799_999

# Amounts are of any type here and are checked by :func:`to_decimal`: msgspec would accept the text "12" for a Decimal.
_TYPES: Mapping[FieldType, Any] = MappingProxyType(
    {
        FieldType.INTEGER: Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | None,
        FieldType.INSTANT: Annotated[int, msgspec.Meta(ge=FIRST_MS, le=LAST_MS)] | None,
        FieldType.AMOUNT: Any,
        FieldType.FLAG: bool | None,
        FieldType.TEXT: str | None,
    }
)

# Errors of older versions of msgspec are not ValueErrors. It recurses into nested values.
_MISMATCH_ERRORS = (msgspec.DecodeError, ValueError, RecursionError)

Row = tuple[Any, ...]


class DecimalText(str):
    """A number that is not whole, as it was written."""

    __slots__ = ()


_ORDER = msgspec.json.Decoder(
    msgspec.defstruct(
        "_Order",
        [(name, _TYPES[kind], None) for name, kind in ORDER_FIELDS.items()],
        forbid_unknown_fields=True,
        gc=False,
    ),
    float_hook=DecimalText,
)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_FIELD = MappingProxyType(
    {kind: msgspec.json.Decoder(each, float_hook=DecimalText) for kind, each in _TYPES.items()},
)
_AMOUNTS = tuple(at for at, kind in enumerate(ORDER_FIELDS.values()) if kind is FieldType.AMOUNT)
_PLAIN_DECIMAL = re.compile(rf"-?\d{{1,{PRECISION - SCALE}}}\.\d{{1,{SCALE}}}")


def to_decimal(amount: Any) -> Any:
    """Return an amount that decimal(38, 6) represents exactly, as an int or a :class:`DecimalText` without exponent.

    None stays None.

    :raises ValueError: the value is not a number, or decimal(38, 6) cannot represent it
    """
    if amount is None or (type(amount) is int and -_TOO_LARGE < amount < _TOO_LARGE):
        return amount
    if type(amount) is not DecimalText:
        raise ValueError("not an amount")
    if _PLAIN_DECIMAL.fullmatch(amount):
        return amount
    try:
        return DecimalText(format(_EXACT.quantize(Decimal(amount), _STEP), "f"))
    except (Inexact, InvalidOperation):
        raise ValueError("not an amount of this many digits") from None


def to_rows(raws: Sequence[msgspec.Raw]) -> list[Row]:
    """Return each order's values in the order of :data:`COLUMNS`.

    Integers and instants (epoch milliseconds, UTC) are ints, amounts as :func:`to_decimal` returns them, flags bools,
    text strings; a missing field and an explicit null are None. The last value is a JSON object of the fields that did
    not fit, or None.
    """
    return [_row(raw) for raw in raws]


def _row(raw: msgspec.Raw) -> Row:
    try:
        values = list(msgspec.structs.astuple(_ORDER.decode(raw)))
        for at in _AMOUNTS:
            # Most amounts are null.
            if type(values[at]) is not int or values[at]:
                values[at] = to_decimal(values[at])
    except _MISMATCH_ERRORS:
        return _rescue(raw)
    return (*values, None)


def _rescue(raw: msgspec.Raw) -> Row:
    """Return the row of an order that does not fit the schema, converted field by field."""
    values: dict[str, Any] = {}
    rescued: dict[str, msgspec.Raw] = {}
    for name, token, text in _fields(raw):
        kind = ORDER_FIELDS.get(name)
        if kind is None:
            rescued[name] = text
            continue
        try:
            value = _FIELD[kind].decode(token)
            values[name] = to_decimal(value) if kind is FieldType.AMOUNT else value
        except _MISMATCH_ERRORS:
            rescued[name] = text
    left = msgspec.json.encode(rescued).decode() if rescued else None
    return (*(values.get(name) for name in ORDER_FIELDS), left)


def _fields(raw: msgspec.Raw) -> list[tuple[str, msgspec.Raw, msgspec.Raw]]:
    """Return each field's name, its value to decode, and the same as strict JSON."""
    try:
        return [(name, token, token) for name, token in _FIELDS.decode(raw).items()]
    except (msgspec.DecodeError, RecursionError):
        pass
    texts = _split(json_repair.strict(bytes(raw)))
    # Strict JSON has NaN and the infinities as strings, which text columns must not accept.
    values = _split(json_repair.strict(bytes(raw), constant=b"{}"))
    return [(name, value, texts[name]) for name, value in values.items()]


def _split(order: bytes) -> Mapping[str, msgspec.Raw]:
    try:
        return _FIELDS.decode(order)
    except RecursionError:
        return {name: msgspec.Raw(value) for name, value in json_repair.members(order)}
