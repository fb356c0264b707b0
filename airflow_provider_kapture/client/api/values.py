"""What a value of an order is, whichever way it is spelt: one function for the paginator and for every encoder. Pure.

Only lossless spellings fit: numbers as text, ``5.0`` and ``5e3`` for an integer, ``"true"`` and 1 for a flag. What does
not fit keeps its JSON; where that goes is the matter of ``storage.encoders.schema``.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from decimal import Context, Decimal, Inexact, InvalidOperation
from types import MappingProxyType
from typing import Any

from airflow_provider_kapture.client.orders import FieldType

# Of an amount: digits in all, and digits after the point.
PRECISION, SCALE = 38, 6
# Years 1 to 9999: what every reader of the files can show.
FIRST_MS, LAST_MS = -62_135_596_800_000, 253_402_300_799_999

INT64 = range(-(2**63), 2**63)

_TOO_LARGE: int = 10 ** (PRECISION - SCALE)
_STEP = Decimal(1).scaleb(-SCALE)
_EXACT = Context(prec=PRECISION, traps=[Inexact, InvalidOperation])
_MAX_INT_DIGITS = 19
# A number as JSON writes it: "007" and "+5" are texts.
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
# Matches the text of an amount that is its value: of digits that fit, without an exponent.
is_plain_amount = re.compile(rf"-?(?:0|[1-9][0-9]{{0,{PRECISION - SCALE - 1}}})(?:\.[0-9]{{1,{SCALE}}})?").fullmatch
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_FLAGS: Mapping[Any, bool] = MappingProxyType({"true": True, "false": False, "1": True, "0": False})


class DecimalText(str):
    """A number that is not whole, as it was written."""

    __slots__ = ()


def to_value(kind: FieldType, value: Any) -> Any:
    """Return the value of a field.

    Integers and instants (epoch milliseconds, UTC) are ints, amounts ints of 64 bits or texts without exponent, flags
    bools, text strings, dates dates. None stays None.

    :param value: the field's JSON, decoded; a number that is not whole is a :class:`DecimalText`
    :raises ValueError: the value does not fit the type
    """
    return None if value is None else _READERS[kind](value)


def to_integer(value: Any) -> int:
    """Return a whole number of 64 bits.

    :raises ValueError: the value is none
    """
    number = _whole(value)
    if number not in INT64:
        raise ValueError("not an integer of 64 bits")
    return number


def to_instant(value: Any) -> int:
    """Return epoch milliseconds of the years 1 to 9999; as text, with white space around or without.

    :raises ValueError: the value is none
    """
    number = _whole(value.strip() if type(value) is str else value)
    if not FIRST_MS <= number <= LAST_MS:
        raise ValueError("not an instant")
    return number


def to_decimal(amount: Any) -> int | str:
    """Return an amount that decimal(38, 6) represents exactly, as an int of 64 bits or a text without exponent.

    :raises ValueError: the value is not a number, or decimal(38, 6) cannot represent it
    """
    if type(amount) is int and -_TOO_LARGE < amount < _TOO_LARGE:
        return amount if amount in INT64 else str(amount)
    text = _number_text(amount)
    if is_plain_amount(text):
        return str(text)
    try:
        return format(_EXACT.quantize(Decimal(text), _STEP), "f")
    except (Inexact, InvalidOperation):
        raise ValueError("not an amount of this many digits") from None


def to_date(value: Any) -> dt.date:
    """Return a date, written ``YYYY-MM-DD``.

    :raises ValueError: the value is none
    """
    if type(value) is not str or not _DATE.fullmatch(value):
        raise ValueError("not a date")
    return dt.date.fromisoformat(value)


def to_flag(value: Any) -> bool:
    """Return a flag.

    :raises ValueError: the value is none
    """
    if type(value) is bool:
        return value
    if type(value) is int or type(value) is str:
        value = _FLAGS.get(str(value))
        if value is not None:
            return bool(value)
    raise ValueError("not a flag")


def to_text(value: Any) -> str:
    """Return a text.

    :raises ValueError: the value is none
    """
    if type(value) is not str:
        raise ValueError("not a text")
    return value


def _whole(value: Any) -> int:
    if type(value) is int:
        return value
    try:
        number = Decimal(_number_text(value))
    except InvalidOperation:
        raise ValueError("not a number with so large an exponent") from None
    if not number:
        return 0
    if number.adjusted() >= _MAX_INT_DIGITS or number != number.to_integral_value():
        raise ValueError("not a whole number of so many digits")
    return int(number)


def _number_text(value: Any) -> str:
    """Return a number as it was written, as a number or as text."""
    text = repr(value) if type(value) is float else value
    if not isinstance(text, str) or not _NUMBER.fullmatch(text):
        raise ValueError("not a number")
    return text


_READERS: Mapping[FieldType, Callable[[Any], Any]] = MappingProxyType(
    {
        FieldType.INTEGER: to_integer,
        FieldType.INSTANT: to_instant,
        FieldType.AMOUNT: to_decimal,
        FieldType.FLAG: to_flag,
        FieldType.TEXT: to_text,
        FieldType.DATE: to_date,
    }
)
