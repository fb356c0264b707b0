"""Parsing of a request's body into a query, or the rejection of the request. Dates are parsed in ``spans``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_kapture.client.orders import DATE_FIELDS
from airflow_provider_kapture.emulator.book import Order
from airflow_provider_kapture.emulator.rejections import RequestRejectedError, rejection
from airflow_provider_kapture.emulator.spans import DaySpan, parse_spans
from airflow_provider_kapture.emulator.switches import Switches

# The filters of the vendor documentation's "at least one" note, in its order. createStartDate is not among them: see
# Switches.window_is_filter.
_AT_LEAST_ONE = (
    "name",
    "enquiryIds",
    "generationStartDate",
    "generationEndDate",
    "nextFollowupStartDate",
    "nextFollowupEndDate",
    "lastFollowupStartDate",
    "lastFollowupEndDate",
    "expectedClosureStartDate",
    "expectedClosureEndDate",
    "customerIds",
    "statusStr",
    "subStatusStr",
    "creatorOrAssignedIdStr",
    "assignToIdsStr",
    "creatorIdStr",
    "notAssignToIdsStr",
    "country",
    "city",
    "state",
    "leadPriorityStr",
    "secondarySourceId",
    "clientReferenceIds",
    "approvedIds",
    "pricingStatus",
    *(f"attr{number}" for number in range(1, 16)),
)
# All keys of the example body in the vendor's documentation.
_EXAMPLE_KEYS = (
    *("cmId", "name", "phone", "email", "customerIds", "leadIdStr", "enquiryIds", "clientReferenceIds", "viewId"),
    *("orderIds", "erpOrderId", "createStartDate", "createEndDate", "bookingStatus", "bookingSubStatus"),
    *("bookingStartDate", "bookingEndDate", "creatorIdStr", "assignIdStr", "zoneIdStr", "blockId", "unitId"),
    *("approvalDesignationIds", "agreementStartDate", "agreementEndDate", "erpInvoiceId", "sortParam"),
    *("limit", "offset", *(f"attr{number}" for number in range(1, 16))),
)
_WINDOWS = tuple(key for field in DATE_FIELDS.values() for key in (field.start_key, field.end_key))

# The filters that compare fields of an order, and these fields. Filters on other properties are ignored.
_FILTERED_FIELDS: Mapping[str, tuple[str, ...]] = {
    "orderIds": ("id",),
    "customerIds": ("customerId",),
    "enquiryIds": ("enquiryId",),
    "creatorIdStr": ("creatorId",),
    "assignIdStr": ("assignedToId",),
    "assignToIdsStr": ("assignedToId",),
    "notAssignToIdsStr": ("assignedToId",),
    "creatorOrAssignedIdStr": ("creatorId", "assignedToId"),
    "unitId": ("unitId",),
    "blockId": ("blockId",),
    "zoneIdStr": ("zoneId",),
    "bookingStatus": ("deliveryStatus",),
    "statusStr": ("deliveryStatus",),
}
_NEGATED = frozenset({"notAssignToIdsStr"})


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed request.

    :param spans: the dates of each date field in the request
    :param filters: the filters that can be applied, each with the accepted values
    :param limit: maximum number of rows; None if the request has none
    :param offset: the offset, in the unit of the switch ``paging``
    :param start_date: the first date, as it was sent
    """

    spans: tuple[DaySpan, ...]
    filters: tuple[tuple[str, frozenset[str]], ...]
    limit: int | None
    offset: int
    start_date: str = ""

    def accepts(self, order: Order) -> bool:
        """Return whether an order matches the filters; dates are not compared."""
        if not self.filters:
            return True
        shown = json.loads(order.record)
        return all(
            any(str(shown[field]) in values for field in _FILTERED_FIELDS[name]) is not (name in _NEGATED)
            for name, values in self.filters
        )


def parse(raw: bytes, switches: Switches, cm_id: int, today: int) -> Query:
    """Parse a request's body.

    :param raw: the body
    :param switches: what is accepted
    :param cm_id: the account's id
    :param today: the account's current date, as an ordinal
    :raises RequestRejectedError: the body is invalid, or the switches reject it
    :raises NothingFoundError: the same, if the switches require a response without orders
    """
    body = _object(raw, switches)
    _check_account(body.get(switches.cm_id_key), cm_id)
    _check_keys(body, switches)
    given = {name: _text(value) for name, value in body.items() if _text(value)}
    enough = (*_AT_LEAST_ONE, *_WINDOWS) if switches.window_is_filter else _AT_LEAST_ONE
    if not given.keys() & set(enough):
        message = f"Atleast one of the value must be entered out of {', '.join(_AT_LEAST_ONE)}"
        raise rejection(switches.missing_filter, switches.missing_filter_message or message)
    return Query(
        spans=tuple(parse_spans(given, switches, today)),
        filters=tuple((name, _values(given[name])) for name in _FILTERED_FIELDS if name in given),
        limit=_count(given, "limit") or None,
        offset=_count(given, "offset"),
        start_date=next((given[key] for key in _WINDOWS if key in given), ""),
    )


def _object(raw: bytes, switches: Switches) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        body = None
    if switches.body == "list":
        body = body[0] if isinstance(body, list) and len(body) == 1 else None
    if not isinstance(body, dict):
        raise RequestRejectedError(400, "Invalid Json.")
    return body


def _check_account(given: Any, cm_id: int) -> None:
    text = _text(given)
    if not text.isdecimal() or int(text) == 0:
        raise RequestRejectedError(400, "cmId is a required field, value must be > 0.")
    if int(text) != cm_id:
        raise RequestRejectedError(403, "You are not allowed to see the orders of this cmId.")


def _check_keys(body: Mapping[str, Any], switches: Switches) -> None:
    missing = [key for key in _EXAMPLE_KEYS if key not in body and key != "cmId"]
    if switches.all_keys != "optional" and missing:
        raise rejection(switches.all_keys, "Server error while processing the request.")
    if switches.view_id == "required" and not _text(body.get("viewId")):
        raise RequestRejectedError(400, "viewId is a required field.")
    if switches.view_id == "refused" and "viewId" in body:
        raise RequestRejectedError(400, "Unknown field viewId.")
    expected = {"text": str, "number": int}.get(switches.count_type)
    for name in ("limit", "offset"):
        if expected is not None and name in body and not isinstance(body[name], expected):
            raise RequestRejectedError(400, f"{name} must be a {switches.count_type}.")


def _text(value: Any) -> str:
    """Return a value as text, the documented type; numbers and lists are accepted as well."""
    if isinstance(value, list):
        return ",".join(map(_text, value))
    return "" if value is None else str(value).strip()


def _values(listed: str) -> frozenset[str]:
    return frozenset(each.strip() for each in listed.split(","))


def _count(given: Mapping[str, str], name: str) -> int:
    text = given.get(name, "0")
    if not text.isdecimal() or len(text) > 9:
        raise RequestRejectedError(400, f"{name} must be a number of at least 0.")
    return int(text)
