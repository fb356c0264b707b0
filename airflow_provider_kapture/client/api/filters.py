"""Convert filter values to the API's format: text, with lists joined by commas. No I/O.

A value that would match every order or none, or that the API would read as another value, is an error. Which filters
exist is in `../orders.py`; the request is built in `request.py`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from decimal import Decimal
from numbers import Integral
from typing import Any

from airflow_provider_kapture.client import orders
from airflow_provider_kapture.client.errors import KaptureSettingsError

# What Python, JSON and pandas write for a missing value. As a text filter only these spellings: "Null" is a surname.
_MISSING = frozenset({"None", "null", "nan", "NaN", "NaT", "<NA>"})
_NO_ID_WORDS = frozenset({"none", "null", "nan", "nat", "<na>", "undefined", "true", "false"})
_NOT_IN_AN_ID = re.compile(r"[\s\[\](){}'\";]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_WHOLE = re.compile(r"(-?\d+)\.0+")
_NOT_WHOLE = re.compile(r"[+-]?(\d+\.?\d*[eE][+-]?\d+|\d*\.\d+)")
# From here on, a float cannot represent every integer.
_FLOAT_LIMIT = 2**53


def filter_value(name: str, value: Any) -> str:
    """Return a filter's value in the API's format.

    :param name: filter name, such as `customerIds`
    :raises KaptureSettingsError: the value is invalid; the message contains no value that may identify a customer
    """
    return ",".join(_items(name, value, in_list=False))


def _items(name: str, value: Any, *, in_list: bool) -> list[str]:
    if isinstance(value, Sequence | AbstractSet) and not isinstance(value, str | bytes | bytearray | memoryview):
        if not len(value):
            raise _error(name, "is an empty list", "omit it to apply no filter")
        items = sorted(value, key=str) if isinstance(value, AbstractSet) else value
        return [text for item in items for text in _items(name, item, in_list=True)]
    if isinstance(value, str):
        return _texts(name, value, in_list=in_list)
    return [_number(name, value)]


def _texts(name: str, text: str, *, in_list: bool) -> list[str]:
    if in_list and "," in text:
        raise _error(
            name, "contains a list item with a comma, which the API would read as two values", "split the item"
        )
    if "{{" in text or "{%" in text:
        raise _error(name, "contains a template that was not rendered", "pass it through a templated argument")
    bare = text.strip()
    if bare[:1] + bare[-1:] in {"[]", "{}"}:
        raise _error(
            name,
            "is the text of a list or an object",
            "join the items with commas (`| join(',')`), or set `render_template_as_native_obj=True` on the DAG",
        )
    parts = [_checked(name, part) for part in text.split(",")]
    return parts if _takes_numbers(name) else [text]


def _checked(name: str, part: str) -> str:
    """Return one value of a text, stripped.

    :raises KaptureSettingsError: the value is blank, missing or malformed
    """
    bare = part.strip()
    if not bare or bare in _MISSING or (name in orders.ID_FILTERS and bare.lower() in _NO_ID_WORDS):
        seen = "blank" if not bare else repr(bare)
        raise _error(name, f"is {seen}, or a value in it is", "give a value, or omit the filter (`filters={}`)")
    if _CONTROL.search(bare if _takes_numbers(name) else part):
        raise _error(name, "contains a line break or another control character", "remove it")
    return _id(name, bare) if name in orders.ID_FILTERS else bare


def _id(name: str, text: str) -> str:
    if _NOT_IN_AN_ID.search(text):
        raise _error(name, "contains an id with white space, quotes or brackets", "separate ids by commas")
    if _NOT_WHOLE.fullmatch(text) and not _WHOLE.fullmatch(text):
        raise _error(name, "contains a number that is not whole", "give the id as an integer or as its text")
    whole = _WHOLE.fullmatch(text)
    if whole is None:
        return text
    _check_exact(name, int(whole[1]))
    return whole[1]


def _number(name: str, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, Integral | float | Decimal):
        raise _error(name, f"contains a {type(value).__name__}", "it must be a string, a number or a list of them")
    if not _takes_numbers(name):
        raise _error(
            name,
            "contains a number, where leading zeros and '+' are lost",
            "quote it, or switch `render_template_as_native_obj` off",
        )
    if isinstance(value, Integral):
        return str(int(value))
    if (isinstance(value, Decimal) and not value.is_finite()) or not math.isfinite(value) or value != int(value):
        raise _error(name, "contains a number that is not whole", "give the id as an integer or as its text")
    if isinstance(value, float):
        _check_exact(name, int(value))
    return str(int(value))


def _check_exact(name: str, number: int) -> None:
    if abs(number) >= _FLOAT_LIMIT:
        raise _error(name, "contains a float from 2**53 up, whose last digits are lost", "give the id as its text")


def _takes_numbers(name: str) -> bool:
    return name in orders.ID_FILTERS or name in orders.STATUS_FILTERS


def _error(name: str, what: str, remedy: str) -> KaptureSettingsError:
    return KaptureSettingsError(f"Filter {name!r} {what}; {remedy}")
