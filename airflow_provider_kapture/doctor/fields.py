"""Connection extra `fields`, and values that do not fit their columns: what the fields of orders have. Pure.

What a value is, is in `client/api/values.py`, for the doctor as for the files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from airflow_provider_kapture.client.api.keys import OrderKey
from airflow_provider_kapture.client.api.order_fields import OrderField, read_fields
from airflow_provider_kapture.client.config.fields import name_problem
from airflow_provider_kapture.client.orders import ORDER_FIELDS, FieldType
from airflow_provider_kapture.doctor.findings import Finding

# A number is taken for an instant if it is one of the years 2000 to 2099.
_INSTANTS = range(946_684_800_000, 4_102_444_800_000)
_MAX_NAMES = 20


@dataclass
class _Values:
    """The values of one field, other than null.

    :ivar kinds: the types that all of them fit
    :ivar are_texts: whether all of them are texts
    :ivar are_containers: whether all of them are objects or lists
    """

    kinds: set[FieldType] = field(default_factory=lambda: set(FieldType))
    are_texts: bool = True
    are_containers: bool = True

    def add(self, sent: OrderField) -> None:
        self.kinds = {kind for kind in self.kinds if _fits(sent, kind)}
        if FieldType.INSTANT in self.kinds and sent.value(FieldType.INSTANT) not in _INSTANTS:
            self.kinds.remove(FieldType.INSTANT)
        first = bytes(sent.text)[:1]
        self.are_texts = self.are_texts and first == b'"'
        self.are_containers = self.are_containers and first in (b"{", b"[")

    @property
    def type(self) -> FieldType | None:
        """The type of a column for them: none if no column holds them."""
        if self.are_containers:
            return None
        if self.are_texts:
            # The next number as text may have leading zeros.
            order: Sequence[FieldType] = (FieldType.DATE,)
            if FieldType.INTEGER not in self.kinds:
                order = (FieldType.DATE, FieldType.FLAG)
        else:
            order = (FieldType.INSTANT, FieldType.INTEGER, FieldType.FLAG, FieldType.AMOUNT)
        return next((kind for kind in order if kind in self.kinds), FieldType.TEXT)


@dataclass
class FieldSurvey:
    """The fields of the orders that the doctor has read, each order once.

    :param types: the columns: the documented fields and those of the connection's ``fields``
    """

    types: Mapping[str, FieldType]
    _seen: set[OrderKey] = field(default_factory=set)
    _misfits: Counter[str] = field(default_factory=Counter)
    _others: dict[str, _Values] = field(default_factory=dict)

    @classmethod
    def from_fields(cls, fields: Mapping[str, FieldType]) -> FieldSurvey:
        """Return a survey of an account with these ``fields``."""
        return cls({**ORDER_FIELDS, **fields})

    def add(self, keys: Iterable[OrderKey], raws: Iterable[msgspec.Raw]) -> None:
        """Add the orders of a page."""
        for key, raw in zip(keys, raws, strict=False):
            if key in self._seen:
                continue
            self._seen.add(key)
            for each in read_fields(bytes(raw)).fields:
                if each.name in self.types:
                    self._misfits[each.name] += not _fits(each, self.types[each.name])
                elif bytes(each.text) != b"null":
                    self._others.setdefault(each.name, _Values()).add(each)

    def proposed(self) -> dict[str, FieldType]:
        """Return types for the fields without a column."""
        folded = Counter(name.casefold() for name in (*self.types, *self._others))
        found = {
            name: values.type
            for name, values in self._others.items()
            if not name_problem(name) and folded[name.casefold()] == 1
        }
        return {name: kind for name, kind in found.items() if kind is not None}

    def finding(self) -> Finding | None:
        """Return what was found out; None if no order was read."""
        if not self._seen:
            return None
        proposed, misfits = self.proposed(), +self._misfits
        has_own = {name: kind.value for name, kind in self.types.items() if name not in ORDER_FIELDS}
        settings = {"fields": {**has_own, **{name: kind.value for name, kind in proposed.items()}}} if proposed else {}
        without = _listed([f"{name} ({kind.value})" for name, kind in proposed.items()])
        if misfits:
            counts = _listed([f"{name}: {count}" for name, count in misfits.items()])
            evidence = f"of {len(self._seen)} orders, these have values that do not fit their columns: {counts}"
            if proposed:
                evidence += f"; without a column: {without}"
            return Finding("fields", "not all fit", evidence, is_good=False, settings=settings)
        if proposed:
            evidence = f"{len(self._seen)} orders have fields without a column: {without}"
            return Finding("fields", "more than documented", evidence, settings=settings)
        return Finding("fields", "all fit", f"the values of {len(self._seen)} orders fit their columns")


def _fits(sent: OrderField, kind: FieldType) -> bool:
    try:
        sent.value(kind)
    except ValueError:
        return False
    return True


def _listed(items: Sequence[str]) -> str:
    return ", ".join(items[:_MAX_NAMES]) + (f" and {len(items) - _MAX_NAMES} more" if len(items) > _MAX_NAMES else "")
