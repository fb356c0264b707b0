"""Names of objects in a ``/`` destination, read back: what is written is named in ``storage.destinations``."""

from __future__ import annotations

import calendar
import datetime as dt
import re
from dataclasses import dataclass

from airflow_provider_kapture.client.orders import DATE_COLUMNS

RECEIPTS = "_receipts/"
_DATE_FIELDS = {folder: name for name, folder in DATE_COLUMNS.items()}
_STAMP = r"(\d{8}T\d{6}(?:\d{3})?Z)"
_ORDERS = re.compile(rf"([a-z_]+)=(\d{{4}}-\d\d-\d\d)/orders_{_STAMP}_{_STAMP}\.[a-z.]+")
_FOLDER = re.compile(r"[a-z_]+=(\d{4}-\d\d-\d\d)/")
_RECEIPT = re.compile(rf"{RECEIPTS}([a-z_]+)/{_STAMP}_{_STAMP}\.json")


@dataclass(frozen=True, slots=True)
class ObjectName:
    """What the name of an object of orders, or of a receipt, says.

    :param date_field: the time of an order that the window selects by
    :param start_ms: start of the window, epoch milliseconds
    :param end_ms: end of the window, exclusive
    :param date: the account's day; None for a receipt
    """

    date_field: str
    start_ms: int
    end_ms: int
    date: dt.date | None = None


def parse_orders_name(name: str) -> ObjectName | None:
    """Return what the name of an object of orders says; None for any other object."""
    found = _ORDERS.fullmatch(name)
    if found is None:
        return None
    folder, day, start, end = found.groups()
    try:
        return _object_name(folder, start, end, dt.date.fromisoformat(day))
    except ValueError:
        return None


def parse_receipt_name(name: str) -> ObjectName | None:
    """Return what the name of a receipt says; None for any other object."""
    found = _RECEIPT.fullmatch(name)
    if found is None:
        return None
    try:
        return _object_name(found[1], found[2], found[3])
    except ValueError:
        return None


def folder_date(name: str) -> dt.date | None:
    """Return the account's day whose folder an object is in; None for an object elsewhere."""
    found = _FOLDER.match(name)
    try:
        return dt.date.fromisoformat(found[1]) if found is not None else None
    except ValueError:
        return None


def relative_name(uri: str) -> str:
    """Return the name of an object of orders in its folder, wherever the folder was when its receipt was written."""
    return "/".join(uri.rsplit("/", 2)[-2:])


def is_hidden(name: str) -> bool:
    """Return whether readers of a folder ignore an object: a part of its name begins with ``_`` or ``.``."""
    return any(part.startswith(("_", ".")) for part in name.split("/"))


def _object_name(folder: str, start: str, end: str, date: dt.date | None = None) -> ObjectName | None:
    start_ms, end_ms = _epoch_ms(start), _epoch_ms(end)
    if folder not in _DATE_FIELDS or start_ms >= end_ms:
        return None
    return ObjectName(_DATE_FIELDS[folder], start_ms, end_ms, date)


def _epoch_ms(stamp: str) -> int:
    digits = stamp.replace("T", "").rstrip("Z")
    year, month, day, hour, minute, second = (
        int(digits[at:after]) for at, after in ((0, 4), (4, 6), (6, 8), (8, 10), (10, 12), (12, 14))
    )
    moment = dt.datetime(year, month, day, hour, minute, second, tzinfo=dt.UTC)
    return calendar.timegm(moment.utctimetuple()) * 1000 + int(digits[14:] or 0)
