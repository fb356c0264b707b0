"""A window's orders as an XCom value, limited to what Airflow's database can store."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from airflow_provider_kapture.client.api.records import to_dict
from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.client.pull.steps import OrderBatch

# An escaped NUL character: an even number of backslashes before it are escaped backslashes.
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def orders_for_xcom(batches: Iterable[OrderBatch], max_bytes: int, watch: Callable[[], None]) -> list[dict[str, Any]]:
    """Return the orders as dicts; stop reading at the first order that does not fit or cannot be stored.

    :param batches: the orders of the pull
    :param max_bytes: maximum size of their JSON in bytes, as XCom stores it: characters outside ASCII are escaped
    :param watch: called after each batch of orders
    :raises KaptureSettingsError: the orders take more, or an order has a value that a database rejects
    """
    found: list[dict[str, Any]] = []
    size = len("[]")
    for batch in batches:
        for raw in batch.raws:
            order = to_dict(raw)
            size += _stored_size(order) + (len(", ") if found else 0)
            if size > max_bytes:
                raise KaptureSettingsError(
                    f"The orders take more than `max_xcom_bytes` ({max_bytes}) in XCom; set `destination` to write "
                    "them to files instead"
                )
            found.append(order)
        watch()
    return found


def _stored_size(order: Mapping[str, Any]) -> int:
    """Return the size of an order in XCom, in bytes.

    :raises KaptureSettingsError: XCom cannot store it
    """
    text = _stored_json(order)
    if text is None:
        name = next((name for name, value in order.items() if _stored_json({name: value}) is None), "")
        raise KaptureSettingsError(
            f"XCom cannot store field {name!a} of order {order.get('id')!a}: databases reject NUL characters, NaN, and "
            "numbers or nesting beyond their limits. Set `destination` to write the orders to files instead"
        )
    return len(text)


def _stored_json(value: Mapping[str, Any]) -> str | None:
    """Return the JSON that Airflow stores; None if PostgreSQL, MySQL or Airflow would reject it."""
    try:
        text = json.dumps(value, allow_nan=False, default=_decimal)
    except (ValueError, RecursionError):
        return None
    return None if r"\u0000" in text and _NUL.search(text) else text


def _decimal(value: Decimal) -> dict[str, Any]:
    """Return Airflow's serialized form of a number that a float cannot represent."""
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < 0:
        raise ValueError("Airflow would store infinity")
    return {"__classname__": "decimal.Decimal", "__version__": 1, "__data__": int(value)}
