"""Orders as rows of the declared schema; values that do not fit it stay as they were sent, in the column ``_rescued``.

Used by the CSV and Parquet encoders. The fields and their types are in ``client.orders``, what fits a type is in
``client.api.values``; what did not fit is counted in ``report``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any

import msgspec

from airflow_provider_kapture.client.api import json_repair
from airflow_provider_kapture.client.api.values import FIRST_MS, LAST_MS, DecimalText, to_decimal, to_value
from airflow_provider_kapture.client.orders import ORDER_FIELDS, FieldType
from airflow_provider_kapture.storage.encoders.report import Report

RESCUED = "_rescued"
COLUMNS: tuple[str, ...] = (*ORDER_FIELDS, RESCUED)

# What most orders have; any other spelling is looked at field by field. An amount is any value here, with
# :func:`to_decimal` as the judge: msgspec would make a float of it.
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

_ORDER = msgspec.json.Decoder(
    msgspec.defstruct(
        "_Order",
        [(name, _TYPES[kind] | msgspec.UnsetType, msgspec.UNSET) for name, kind in ORDER_FIELDS.items()],
        forbid_unknown_fields=True,
        gc=False,
    ),
    float_hook=DecimalText,
)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_VALUE = msgspec.json.Decoder(float_hook=DecimalText)
_AMOUNTS = tuple(at for at, kind in enumerate(ORDER_FIELDS.values()) if kind is FieldType.AMOUNT)


def to_rows(raws: Sequence[msgspec.Raw], report: Report | None = None) -> list[Row]:
    """Return each order's values in the order of :data:`COLUMNS`, as ``client.api.values`` reads them.

    A missing field and an explicit null are None. The last value is a JSON object of the fields that have no column or
    did not fit, or None; a field that occurs twice is a list of its values there.

    :param report: counts what did not fit
    """
    found = Report() if report is None else report
    return [_row(raw, found) for raw in raws]


def _row(raw: msgspec.Raw, report: Report) -> Row:
    try:
        values = list(msgspec.structs.astuple(_ORDER.decode(raw)))
        missing = values.count(msgspec.UNSET)
        if _repeats_names(raw, len(values) - missing):
            return _rescue(raw, report)
        if missing:
            values = [None if each is msgspec.UNSET else each for each in values]
        for at in _AMOUNTS:
            # Most amounts are none.
            if values[at] is not None and (type(values[at]) is not int or values[at]):
                values[at] = to_decimal(values[at])
    except _MISMATCH_ERRORS:
        return _rescue(raw, report)
    return (*values, None)


def _repeats_names(raw: msgspec.Raw, names: int) -> bool:
    """Return whether an order has a name twice, of which decoders see the last only.

    :param names: the number of its different names
    :raises ValueError: it is not strict JSON
    """
    order = bytes(raw)
    # Compact JSON has this once for each name; what is in nested objects and texts, or spaced, is looked at closely.
    if order.count(b'":') == names:
        return False
    pairs: list[tuple[str, Any]] = []

    def keep(found: list[tuple[str, Any]]) -> None:
        nonlocal pairs
        pairs = found

    # The outermost object is the last.
    json.loads(order, object_pairs_hook=keep, parse_float=str, parse_int=str)
    return len(pairs) != names


def _rescue(raw: msgspec.Raw, report: Report) -> Row:
    """Return the row of an order that does not fit the schema as most do, converted field by field."""
    values: dict[str, Any] = {}
    rescued: dict[str, msgspec.Raw] = {}
    for name, tokens, texts in _fields(raw, report):
        kind = ORDER_FIELDS.get(name)
        text = texts[0] if len(texts) == 1 else msgspec.Raw(b"[" + b",".join(map(bytes, texts)) + b"]")
        if kind is None:
            rescued[name] = text
            report.unknown.add(name)
            continue
        try:
            [token] = tokens
            values[name] = to_value(kind, _VALUE.decode(token))
        except _MISMATCH_ERRORS:
            rescued[name] = text
            report.rescued[name] += 1
    left = msgspec.json.encode(rescued).decode() if rescued else None
    return (*(values.get(name) for name in ORDER_FIELDS), left)


def _fields(raw: msgspec.Raw, report: Report) -> list[tuple[str, list[msgspec.Raw], list[msgspec.Raw]]]:
    """Return each field's name, its values to decode, and the same as strict JSON; a repeated name has several."""
    try:
        fields = _FIELDS.decode(raw)
        if not _repeats_names(raw, len(fields)):
            return [(name, [token], [token]) for name, token in fields.items()]
    except _MISMATCH_ERRORS:
        pass
    order = bytes(raw)
    if json_repair.replace_lone_surrogates(order) != order:
        report.repaired += 1
    texts = _grouped(json_repair.strict(order))
    # As strict JSON, NaN and the infinities are strings; no column may take them for texts.
    values = _grouped(json_repair.strict(order, constant=b"{}"))
    return [(name, found, texts[name]) for name, found in values.items()]


def _grouped(order: bytes) -> dict[str, list[msgspec.Raw]]:
    found: dict[str, list[msgspec.Raw]] = {}
    for name, value in json_repair.members(order):
        found.setdefault(name, []).append(msgspec.Raw(value))
    return found
