"""The columns of CSV and Parquet: the documented fields, the account's own ones, and ``_rescued``.

The documented fields and their types are in ``client.orders``; orders are read as columns in ``reader``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from airflow_provider_kapture.client.orders import ORDER_FIELDS, FieldType

RESCUED = "_rescued"
NO_FIELDS: Mapping[str, FieldType] = MappingProxyType({})


def column_types(fields: Mapping[str, FieldType] = NO_FIELDS) -> Mapping[str, FieldType]:
    """Return the columns and their types, in order.

    :param fields: connection extra ``fields``
    """
    return {**ORDER_FIELDS, **fields, RESCUED: FieldType.TEXT}


# Of an account without own fields.
COLUMNS: tuple[str, ...] = tuple(column_types())
