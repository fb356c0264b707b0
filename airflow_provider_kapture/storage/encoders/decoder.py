"""A typed decoder of orders, made for the columns and for what the orders of an account have besides.

It reads orders whose values have their usual types; which orders it is made for, and the others, are up to ``reader``.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from functools import partial
from operator import attrgetter
from types import MappingProxyType
from typing import Annotated, Any, TypeAlias

import msgspec

from airflow_provider_kapture.client.api.order_fields import MISMATCH_ERRORS, repeats_names
from airflow_provider_kapture.client.api.values import FIRST_MS, LAST_MS
from airflow_provider_kapture.client.orders import FieldType
from airflow_provider_kapture.storage.encoders.schema import RESCUED

_INT64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | None
_TYPES: Mapping[FieldType, Any] = MappingProxyType(
    {
        FieldType.TEXT: str | None,
        FieldType.INTEGER: _INT64,
        FieldType.AMOUNT: _INT64,
        FieldType.FLAG: bool | None,
        FieldType.INSTANT: Annotated[int, msgspec.Meta(ge=FIRST_MS, le=LAST_MS)] | None,
        FieldType.DATE: dt.date | None,
    }
)
# Of a column whose name no order may have: nothing fits.
_NEVER = Annotated[int, msgspec.Meta(ge=1, le=0)]
# Names that JSON escapes are not decoded here.
is_plain_name = re.compile(r'[^"\\\x00-\x1f]*').fullmatch

# An object with an attribute for each column, and more behind them.
Record: TypeAlias = Any


class OrderDecoder:
    """Decodes orders whose values have their usual types.

    :param types: the columns without ``_rescued``
    :param others: names of fields without a column, plain and sorted
    :param decimals: names of the amounts that may have decimals; they are any value, to be checked by the caller, since
        msgspec would make a float of an amount
    :ivar columns: the attributes of a record that are columns, in order; the last is ``_rescued``
    :ivar amounts: those of ``decimals``
    :ivar record: makes a record of values
    """

    def __init__(
        self, types: Mapping[str, FieldType], others: Sequence[str] = (), decimals: frozenset[str] = frozenset()
    ) -> None:
        self.others = others
        self.decimals = decimals
        kinds = {
            **{name: Any if name in decimals else _TYPES[kind] for name, kind in types.items()},
            RESCUED: _NEVER,
            **dict.fromkeys(self.others, msgspec.Raw),
        }
        # Not every name of a field can be a name in Python.
        attributes = dict(zip(kinds, (f"field_{at}" for at in range(len(kinds))), strict=True))
        self.columns = (*(attributes[name] for name in types), attributes[RESCUED])
        self.amounts = tuple(attributes[name] for name in decimals)
        # Counts the fields that an order does not have, and returns None for their value.
        self._missing: list[None] = []
        absent = msgspec.field(default_factory=partial(self._missing.append, None))
        self.record = msgspec.defstruct(
            "Record",
            [(attributes[name], kind, absent) for name, kind in kinds.items()],
            rename={attribute: name for name, attribute in attributes.items()},
            forbid_unknown_fields=True,
            gc=False,
        )
        self._decode = msgspec.json.Decoder(self.record, float_hook=str).decode
        self._names = len(kinds)
        self._texts = [attrgetter(attributes[name]) for name, kind in types.items() if kind is FieldType.TEXT]
        left = [attributes[name] for name in self.others]
        self._left = [attrgetter(attribute) for attribute in left]
        self._left_as_object = msgspec.defstruct(
            "Left",
            [(attribute, msgspec.Raw, None) for attribute in left],
            rename=dict(zip(left, self.others, strict=True)),
            omit_defaults=True,
        )

    def decode(self, raws: Sequence[msgspec.Raw]) -> list[Record | None]:
        """Return a record of each order; None for an order with other types or fields, or a name twice."""
        return [*self._decode_all(raws)] or [record for raw in raws for record in self._decode_all([raw]) or [None]]

    def _decode_all(self, raws: Sequence[msgspec.Raw]) -> list[Record]:
        """Return a record of each order; none if any order cannot be decoded."""
        self._missing.clear()
        try:
            records = [*map(self._decode, raws)]
            if self._repeats_names(b"".join(raws), records):
                return []
        except MISMATCH_ERRORS:
            return []
        if self.others:
            self._set_rescued(records)
        return records

    def _repeats_names(self, text: bytes, records: Sequence[Record]) -> bool:
        """Return whether orders may have a name twice: exactly of one order, else as far as their colons show it."""
        # Each name has a colon. The other colons are in texts, where one may be escaped, and in nested values.
        names = len(records) * self._names - len(self._missing)
        colons = text.count(b":")
        if colons != names:
            colons -= sum("".join(filter(None, map(get, records))).count(":") for get in self._texts)
            colons -= sum(b"".join(filter(None, map(get, records))).count(b":") for get in self._left)
            # The longer search takes twenty times as long.
            if colons != names or (b"\\u" in text and b"\\u003" in text):
                return len(records) > 1 or repeats_names(text, names)
        return False

    def _set_rescued(self, records: Sequence[Record]) -> None:
        columns = [[*map(get, records)] for get in self._left]
        if not any(map(any, columns)):
            return
        for record, *values in zip(records, *columns, strict=True):
            text = msgspec.json.encode(self._left_as_object(*values))
            if text != b"{}":
                setattr(record, self.columns[-1], text.decode())
