"""What a request asks for, or why it is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_kapture.client.orders import DATE_FIELDS
from airflow_provider_kapture.emulator.book import Order
from airflow_provider_kapture.emulator.refusals import RequestRejectedError, refuse
from airflow_provider_kapture.emulator.spans import DaySpan, spans
from airflow_provider_kapture.emulator.switches import Switches

# The page's "at least one" note, in its order. It names no createStartDate: see Switches.window_is_filter.
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
# The example body of the page, whole.
_EXAMPLE_KEYS = (
    *("cmId", "name", "phone", "email", "customerIds", "leadIdStr", "enquiryIds", "clientReferenceIds", "viewId"),
    *("orderIds", "erpOrderId", "createStartDate", "createEndDate", "bookingStatus", "bookingSubStatus"),
    *("bookingStartDate", "bookingEndDate", "creatorIdStr", "assignIdStr", "zoneIdStr", "blockId", "unitId"),
    *("approvalDesignationIds", "agreementStartDate", "agreementEndDate", "erpInvoiceId", "sortParam"),
    *("limit", "offset", *(f"attr{number}" for number in range(1, 16))),
)
_WINDOWS = tuple(key for field in DATE_FIELDS.values() for key in (field.start_key, field.end_key))

# The filters about what an order shows: which fields they look at. What an order doesn't show can't be filtered by.
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
    """What a request asks for.

    :param spans: the dates, for each date field that is asked for
    :param filters: the filters that can be applied, each with the values it takes
    :param limit: rows asked for; none where nothing is
    :param offset: rows to pass over
    :param start_date: the first date, as it is written in the request
    """

    spans: tuple[DaySpan, ...]
    filters: tuple[tuple[str, frozenset[str]], ...]
    limit: int | None
    offset: int
    start_date: str = ""

    def accepts(self, order: Order) -> bool:
        """Whether an order passes the filters (not the dates)."""
        if not self.filters:
            return True
        shown = json.loads(order.record)
        return all(
            any(str(shown[field]) in values for field in _FILTERED_FIELDS[name]) is not (name in _NEGATED)
            for name, values in self.filters
        )


def parse(raw: bytes, switches: Switches, cm_id: int, today: int) -> Query:
    """Read a request's body.

    :param today: the account's date, as an ordinal
    :raises RequestRejectedError: it can't be read, or asks for what can't be asked
    :raises NothingFoundError: the same, where the switches say that nothing is found then
    """
    body = _object(raw, switches)
    _check_account(body.get(switches.cm_id_key), cm_id)
    _check_keys(body, switches)
    given = {name: _text(value) for name, value in body.items() if _text(value)}
    enough = (*_AT_LEAST_ONE, *_WINDOWS) if switches.window_is_filter else _AT_LEAST_ONE
    if not given.keys() & set(enough):
        message = f"Atleast one of the value must be entered out of {', '.join(_AT_LEAST_ONE)}"
        raise refuse(switches.missing_filter, switches.missing_filter_message or message)
    return Query(
        spans=tuple(spans(given, switches, today)),
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
        raise refuse(switches.all_keys, "Server error while processing the request.")
    if switches.view_id == "required" and not _text(body.get("viewId")):
        raise RequestRejectedError(400, "viewId is a required field.")
    if switches.view_id == "refused" and "viewId" in body:
        raise RequestRejectedError(400, "Unknown field viewId.")
    expected = {"text": str, "number": int}.get(switches.count_type)
    for name in ("limit", "offset"):
        if expected is not None and name in body and not isinstance(body[name], expected):
            raise RequestRejectedError(400, f"{name} must be a {switches.count_type}.")


def _text(value: Any) -> str:
    """A value as the page has it, a string; numbers and lists are taken as well."""
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
