"""Connection extra ``fields``: the account's own fields of an order, which become columns, and their types.

The documented fields are in `../orders.py`, what fits a type is in `../api/values.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from airflow_provider_kapture.client.config.checks import did_you_mean
from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.client.orders import DATE_COLUMNS, ORDER_FIELDS, FieldType

MAX_NAME = 128
# Other columns of the files: readers do not tell names apart by their case.
_TAKEN: Mapping[str, str] = MappingProxyType(
    {
        **{name.casefold(): "a documented field" for name in ORDER_FIELDS},
        **dict.fromkeys(("_rescued", "_op", "_seen_at"), "a column that the files have anyway"),
        **dict.fromkeys(DATE_COLUMNS.values(), "the name of a folder, which readers take for a column"),
    }
)


def parse_fields(key: str, value: Any) -> Mapping[str, FieldType]:
    """Return the type of each field, in the order given.

    :raises KaptureSettingsError: names the field
    """
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise KaptureSettingsError(
            f'Connection extra `{key}` must be a JSON object of names and types, such as {{"attr1": "string"}}'
        )
    found: dict[str, FieldType] = {}
    folded: set[str] = set()
    for name, kind in value.items():
        if problem := name_problem(name) or ("is there twice" if name.casefold() in folded else ""):
            raise KaptureSettingsError(f"Connection extra `{key}` contains {name!r:.140}, which {problem}; remove it")
        found[name] = _type_of(key, name, kind)
        folded.add(name.casefold())
    return MappingProxyType(found)


def name_problem(name: str) -> str:
    """Return why a field of an order cannot be a column; an empty text if it can."""
    if not name or not name.isprintable() or '"' in name or "\\" in name:
        return "is empty, or has characters that a column's name cannot have"
    if len(name) > MAX_NAME:
        return f"is longer than {MAX_NAME} characters"
    taken = _TAKEN.get(name.casefold())
    return f"is {taken}" if taken else ""


def _type_of(key: str, name: str, kind: Any) -> FieldType:
    try:
        return FieldType(kind)
    except ValueError:
        hint = did_you_mean(kind, [each.value for each in FieldType]) if isinstance(kind, str) else ""
        raise KaptureSettingsError(
            f"Connection extra `{key}` has the type {kind!r:.40} for {name!r}; the types are "
            f"{', '.join(FieldType)}{hint}"
        ) from None
