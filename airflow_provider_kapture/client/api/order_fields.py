"""Read the fields of one order as they were sent, also where it is no strict JSON or has a name twice. No I/O.

What a value is, is in `values.py`. Used for the few orders that no typed decoder reads, and by the doctor.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from airflow_provider_kapture.client.api import json_repair
from airflow_provider_kapture.client.api.values import DecimalText, to_value
from airflow_provider_kapture.client.orders import FieldType

# Errors of older versions of msgspec are not ValueErrors. It recurses into nested values.
MISMATCH_ERRORS = (msgspec.DecodeError, ValueError, RecursionError)

# A space before a colon, or an escaped backslash at the end of a string.
_UNUSUAL = re.compile(rb'\s:|\\\\":')
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_VALUE = msgspec.json.Decoder(float_hook=DecimalText)


@dataclass(frozen=True, slots=True)
class OrderField:
    """One field of an order.

    :ivar text: its value as strict JSON; a list of its values if the name occurs twice
    :ivar tokens: its values to decode
    """

    name: str
    text: msgspec.Raw
    tokens: Sequence[msgspec.Raw]

    def value(self, kind: FieldType) -> Any:
        """Return the value, as :func:`~airflow_provider_kapture.client.api.values.to_value` does.

        :raises ValueError: it does not fit the type, or the name occurs twice
        """
        try:
            [token] = self.tokens
            return to_value(kind, _VALUE.decode(token))
        except MISMATCH_ERRORS as error:
            raise ValueError(f"no {kind.value}") from error


@dataclass(frozen=True, slots=True)
class SentOrder:
    """An order, field by field.

    :ivar fields: its fields; each name once
    :ivar is_repaired: whether it has lone surrogates, which are U+FFFD here
    """

    fields: Sequence[OrderField]
    is_repaired: bool = False


def read_fields(order: bytes) -> SentOrder:
    """Return the fields of an order."""
    try:
        fields = _FIELDS.decode(order)
        if not repeats_names(order, len(fields)):
            return SentOrder([OrderField(name, token, (token,)) for name, token in fields.items()])
    except MISMATCH_ERRORS:
        pass
    texts = _grouped(json_repair.strict(order))
    # As strict JSON, NaN and the infinities are strings; no column may take them for texts.
    values = _grouped(json_repair.strict(order, constant=b"{}"))
    found = [
        OrderField(
            name, texts[name][0] if len(tokens) == 1 else msgspec.Raw(b"[" + b",".join(texts[name]) + b"]"), tokens
        )
        for name, tokens in values.items()
    ]
    return SentOrder(found, json_repair.replace_lone_surrogates(order) != order)


def repeats_names(order: bytes, names: int) -> bool:
    """Return whether an order has a name twice, of which decoders see the last only.

    :param names: the number of its different names
    :raises ValueError: it is not strict JSON
    """
    # Each name has a colon. Others are in texts and nested objects, and only these follow a quotation mark as well.
    if order.count(b":") == names:
        return False
    if not _UNUSUAL.search(order) and order.count(b'":') - order.count(b'\\":') == names:
        return False
    pairs: list[tuple[str, Any]] = []

    def keep(found: list[tuple[str, Any]]) -> None:
        nonlocal pairs
        pairs = found

    # The outermost object is the last.
    json.loads(order, object_pairs_hook=keep, parse_float=str, parse_int=str)
    return len(pairs) != names


def _grouped(order: bytes) -> dict[str, list[msgspec.Raw]]:
    found: dict[str, list[msgspec.Raw]] = {}
    for name, value in json_repair.members(order):
        found.setdefault(name, []).append(msgspec.Raw(value))
    return found
