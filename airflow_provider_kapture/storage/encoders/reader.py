"""Orders as records of the declared schema; values that do not fit it stay as they were sent, in ``_rescued``.

Used by the CSV and Parquet encoders. The columns are in ``schema``, what fits a type is in ``client.api.values``, the
decoder of most orders is in ``decoder``; what did not fit is counted in ``report``.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from types import NoneType
from typing import Any

import msgspec

from airflow_provider_kapture.client.api.order_fields import OrderField, SentOrder, read_fields
from airflow_provider_kapture.client.api.values import INT64, is_plain_amount
from airflow_provider_kapture.client.orders import FieldType
from airflow_provider_kapture.storage.encoders.decoder import OrderDecoder, Record, is_plain_name
from airflow_provider_kapture.storage.encoders.report import Report
from airflow_provider_kapture.storage.encoders.schema import RESCUED, column_types

# Orders that are decoded at once, and one by one if any of them is odd.
_BATCH_ROWS = 64
# The most fields without a column that the decoder is made for.
_MAX_OTHERS = 100
_AMOUNT_TYPES = frozenset({int, str, NoneType})


class OrderReader:
    """Reads orders as records: with a typed decoder if possible, else field by field, with the same result.

    The decoder is made anew when orders have other fields, or amounts with decimals, so that it reads such orders too.

    :param fields: connection extra ``fields``
    :param report: counts what did not fit
    """

    def __init__(self, fields: Mapping[str, FieldType], report: Report) -> None:
        self._types = {name: kind for name, kind in column_types(fields).items() if name != RESCUED}
        self._report = report
        self._decoder = OrderDecoder(self._types)

    def read(self, raws: Sequence[msgspec.Raw]) -> list[Record]:
        """Return the orders; the first values of each are its columns, in order, and its ``attributes``.

        Values are as ``client.api.values`` reads them; a missing field and an explicit null are None. ``_rescued`` is
        a JSON object, sorted by name, of the fields that have no column or did not fit, or None; a name that occurs
        twice is a list of its values there.
        """
        records: list[Record] = []
        for at in range(0, len(raws), _BATCH_ROWS):
            records += self._read(raws[at : at + _BATCH_ROWS])
        for attribute in self._decoder.amounts:
            for at in _odd_amounts([*map(attrgetter(attribute), records)]):
                records[at] = self._record(read_fields(bytes(raws[at])))
        return records

    @property
    def attributes(self) -> tuple[str, ...]:
        """Return the attributes of a record that are columns, in order."""
        return self._decoder.columns

    @property
    def amounts(self) -> tuple[str, ...]:
        """Return the attributes that may be amounts with decimals; the other amounts are whole or None."""
        return self._decoder.amounts

    @property
    def has_others(self) -> bool:
        """Return whether records may have values behind their columns."""
        return bool(self._decoder.others)

    def _read(self, raws: Sequence[msgspec.Raw]) -> Iterator[Record]:
        records = self._decoder.decode(raws)
        odd = {at: read_fields(bytes(raws[at])) for at, record in enumerate(records) if record is None}
        if odd and self._learn(odd.values()):
            for at, record in zip(odd, self._decoder.decode([raws[at] for at in odd]), strict=True):
                records[at] = record
        return (self._record(odd[at]) if record is None else record for at, record in enumerate(records))

    def _learn(self, orders: Iterable[SentOrder]) -> bool:
        """Make a decoder that reads such orders too, and return whether it is another one."""
        fields = [each for order in orders for each in order.fields]
        unknown = {each.name for each in fields if each.name not in self._types}
        self._report.unknown |= unknown
        known, decimals = self._decoder.others, self._decoder.decimals
        new = sorted(filter(is_plain_name, unknown.difference(known)))[: _MAX_OTHERS - len(known)]
        amounts = (each for each in fields if self._types.get(each.name) is FieldType.AMOUNT)
        more = {each.name for each in amounts if each.name not in decimals and _has_decimals(each)}
        if new or more:
            self._decoder = OrderDecoder(self._types, sorted((*known, *new)), decimals | more)
        return bool(new or more)

    def _record(self, order: SentOrder) -> Record:
        values: dict[str, Any] = {}
        left: dict[str, msgspec.Raw] = {}
        self._report.repaired += order.is_repaired
        for each in order.fields:
            kind = self._types.get(each.name)
            if kind is None:
                left[each.name] = each.text
                self._report.unknown.add(each.name)
                continue
            try:
                values[each.name] = each.value(kind)
            except ValueError:
                left[each.name] = each.text
                self._report.rescued[each.name] += 1
        text = msgspec.json.encode(dict(sorted(left.items()))).decode() if left else None
        return self._decoder.record(*(values.get(name) for name in self._types), text)


def _has_decimals(field: OrderField) -> bool:
    try:
        return isinstance(field.value(FieldType.AMOUNT), str)
    except ValueError:
        return False


def _odd_amounts(column: Sequence[Any]) -> Iterable[int]:
    """Return the places of the values that are not plainly amounts: those that have to be looked at one by one."""
    if {*map(type, column)} <= _AMOUNT_TYPES and all(
        map(is_plain_amount, [each for each in column if type(each) is str])
    ):
        try:
            # Raises for a number of more than 64 bits.
            array("q", [each for each in column if type(each) is int])
        except OverflowError:
            pass
        else:
            return ()
    return [at for at, value in enumerate(column) if not _is_plain_value(value)]


def _is_plain_value(value: Any) -> bool:
    if type(value) is str:
        return is_plain_amount(value) is not None
    return value is None or (type(value) is int and value in INT64)
