"""A window's orders as a value for XCom, within what Airflow's database can store."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from airflow_provider_kapture.client.api.records import to_dict
from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.client.pull.pull import OrderBatch

# A NUL in a text; the backslashes before it stand for themselves.
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def orders_for_xcom(batches: Iterable[OrderBatch], max_bytes: int, watch: Callable[[], None]) -> list[dict[str, Any]]:
    """Return the orders as dicts; stop reading once they are too many for Airflow's database, or one cannot be stored.

    :param max_bytes: the most that their JSON may take, as XCom stores it: characters outside ASCII are escaped
    :param watch: called now and then while orders come
    :raises KaptureSettingsError: they take more, or an order has a value that a database refuses
    """
    found: list[dict[str, Any]] = []
    size = len("[]")
    for batch in batches:
        for raw in batch.raws:
            order = to_dict(raw)
            size += _stored_size(order) + (len(", ") if found else 0)
            if size > max_bytes:
                raise KaptureSettingsError(
                    f"The orders take more than max_xcom_bytes ({max_bytes}) in XCom: set `destination` to write "
                    "them to files instead"
                )
            found.append(order)
        watch()
    return found


def _stored_size(order: Mapping[str, Any]) -> int:
    """Return the bytes that an order takes in XCom."""
    text = _stored(order)
    if text is None:
        name = next((name for name, value in order.items() if _stored({name: value}) is None), "")
        raise KaptureSettingsError(
            f"XCom cannot store field {name!a} of order {order.get('id')!a}: databases refuse NUL characters, NaN and "
            "numbers or nesting without bounds. Set `destination` to write the orders to files "
            "instead"
        )
    return len(text)


def _stored(value: Mapping[str, Any]) -> str | None:
    """Return the JSON that Airflow stores; None where PostgreSQL, MySQL or Airflow would refuse it."""
    try:
        text = json.dumps(value, allow_nan=False, default=_decimal)
    except (ValueError, RecursionError):
        return None
    return None if r"\u0000" in text and _NUL.search(text) else text


def _decimal(value: Decimal) -> dict[str, Any]:
    """Return what Airflow stores of a number beyond a float."""
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < 0:
        raise ValueError("Airflow would store infinity")
    return {"__classname__": "decimal.Decimal", "__version__": 1, "__data__": int(value)}
