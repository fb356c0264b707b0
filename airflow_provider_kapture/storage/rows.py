"""Orders as rows of one declared schema. What does not fit it is kept as it came, under ``_rescued``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Context, Decimal, Inexact, InvalidOperation
from types import MappingProxyType
from typing import Annotated, Any

import msgspec

from airflow_provider_kapture.client.orders import ORDER_FIELDS, FieldType

RESCUED = "_rescued"
COLUMNS: tuple[str, ...] = (*ORDER_FIELDS, RESCUED)

# Of an amount: digits in all, and digits after the point.
PRECISION, SCALE = 38, 6

_TOO_LARGE: int = 10 ** (PRECISION - SCALE)
_STEP = Decimal(1).scaleb(-SCALE)
_EXACT = Context(prec=PRECISION, traps=[Inexact, InvalidOperation])

# Years 1 to 9999: what every reader of the files can show.
_FIRST_MS, _LAST_MS = -62_135_596_800_000, 253_402_300_799_999

# An amount is any value here, with :func:`fits` as the judge: msgspec would take "12" for Decimal, and that is text.
_TYPES: Mapping[FieldType, Any] = MappingProxyType(
    {
        FieldType.INTEGER: Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | None,
        FieldType.INSTANT: Annotated[int, msgspec.Meta(ge=_FIRST_MS, le=_LAST_MS)] | None,
        FieldType.AMOUNT: Any,
        FieldType.FLAG: bool | None,
        FieldType.TEXT: str | None,
    }
)

# The second: a number whose exponent is beyond what Python's decimals hold.
_MISFIT = (msgspec.DecodeError, InvalidOperation)

Row = tuple[Any, ...]

_ORDER = msgspec.json.Decoder(
    msgspec.defstruct(
        "_Order", [(name, _TYPES[kind], None) for name, kind in ORDER_FIELDS.items()], forbid_unknown_fields=True
    ),
    float_hook=Decimal,
)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_FIELD = MappingProxyType(
    {kind: msgspec.json.Decoder(each, float_hook=Decimal) for kind, each in _TYPES.items()},
)
_AMOUNTS = tuple(at for at, kind in enumerate(ORDER_FIELDS.values()) if kind is FieldType.AMOUNT)


def fits(amount: object) -> bool:
    """Whether a value is an amount that decimal(38, 6) holds exactly, or null."""
    if amount is None:
        return True
    if isinstance(amount, bool) or not isinstance(amount, int | Decimal):
        return False
    if isinstance(amount, int):
        return -_TOO_LARGE < amount < _TOO_LARGE
    try:
        _EXACT.quantize(amount, _STEP)
    except (Inexact, InvalidOperation):
        return False
    return True


def rows_of(raws: Sequence[msgspec.Raw]) -> list[Row]:
    """Each order's values in the order of :data:`COLUMNS`.

    Integers and instants (epoch milliseconds, UTC) are ints, amounts ints or exact decimals, flags bools, text strings;
    a missing field and an explicit null are none. The last value is the JSON object of what did not fit, or none.
    """
    return [_row(raw) for raw in raws]


def _row(raw: msgspec.Raw) -> Row:
    try:
        values: Row = msgspec.structs.astuple(_ORDER.decode(raw))
    except _MISFIT:
        return _rescue(raw)
    for at in _AMOUNTS:
        amount = values[at]
        # Nearly all amounts are small whole numbers; that they fit needs no proof.
        if not (type(amount) is int and -(2**63) <= amount < 2**63) and not fits(amount):
            return _rescue(raw)
    return (*values, None)


def _rescue(raw: msgspec.Raw) -> Row:
    """The row of an order that does not fit the schema whole: field by field."""
    values: dict[str, Any] = {}
    rescued: dict[str, msgspec.Raw] = {}
    for name, token in _FIELDS.decode(raw).items():
        kind = ORDER_FIELDS.get(name)
        try:
            value = None if kind is None else _FIELD[kind].decode(token)
        except _MISFIT:
            kind = value = None
        if kind is None or (kind is FieldType.AMOUNT and not fits(value)):
            rescued[name] = token
        else:
            values[name] = value
    left = msgspec.json.encode(rescued).decode() if rescued else None
    return (*(values.get(name) for name in ORDER_FIELDS), left)
