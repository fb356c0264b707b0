"""What a request asks for, or why it is refused."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_kapture.client.orders import DATE_FIELDS
from airflow_provider_kapture.emulator.book import Order
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
_WINDOWS = tuple(key for field in DATE_FIELDS.values() for key in (field.start_key, field.end_key))

# The filters about what an order shows: which fields they look at. What an order doesn't show can't be filtered by.
_LOOKED_AT: Mapping[str, tuple[str, ...]] = {
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


class RefusalError(Exception):
    """The request gets a failure.

    :param status: the HTTP status
    :param message: what is said
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True)
class DaySpan:
    """Local dates asked for, as ordinals, both inclusive."""

    field: str
    first: int
    last: int

    @property
    def is_one_day(self) -> bool:
        """Whether it is about a single date."""
        return self.first == self.last


@dataclass(frozen=True, slots=True)
class Question:
    """What a request asks for.

    :param spans: the dates, for each date field that is asked for
    :param filters: the filters that can be applied, each with the values it takes
    :param limit: rows asked for; none where nothing is
    :param offset: rows to pass over
    """

    spans: tuple[DaySpan, ...]
    filters: tuple[tuple[str, frozenset[str]], ...]
    limit: int | None
    offset: int

    def accepts(self, order: Order) -> bool:
        """Whether an order passes the filters (not the dates)."""
        if not self.filters:
            return True
        shown = json.loads(order.record)
        return all(
            any(str(shown[field]) in values for field in _LOOKED_AT[name]) is not (name in _NEGATED)
            for name, values in self.filters
        )


def parse(raw: bytes, switches: Switches, cm_id: int) -> Question:
    """Read a request's body.

    :raises RefusalError: it can't be read, or asks for what can't be asked
    """
    body = _object(raw)
    _check_account(body, cm_id)
    given = {name: _text(value) for name, value in body.items() if _text(value)}
    enough = (*_AT_LEAST_ONE, *_WINDOWS) if switches.window_is_filter else _AT_LEAST_ONE
    if not given.keys() & set(enough):
        raise RefusalError(400, f"Atleast one of the value must be entered out of {', '.join(_AT_LEAST_ONE)}")
    return Question(
        spans=tuple(_spans(given, switches)),
        filters=tuple((name, _values(given[name])) for name in _LOOKED_AT if name in given),
        limit=_count(given, "limit") or None,
        offset=_count(given, "offset"),
    )


def _object(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise RefusalError(400, "Invalid Json.")
    return body


def _check_account(body: Mapping[str, Any], cm_id: int) -> None:
    given = _text(body.get("cmId"))
    if not given.isdecimal() or int(given) == 0:
        raise RefusalError(400, "cmId is a required field, value must be > 0.")
    if int(given) != cm_id:
        raise RefusalError(403, "You are not allowed to see the orders of this cmId.")


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
        raise RefusalError(400, f"{name} must be a number of at least 0.")
    return int(text)


def _spans(given: Mapping[str, str], switches: Switches) -> list[DaySpan]:
    spans = []
    for name, keys in DATE_FIELDS.items():
        if keys.start_key not in given and keys.end_key not in given:
            continue
        first = _ordinal(given, keys.start_key, switches, dt.date.min)
        last = _ordinal(given, keys.end_key, switches, dt.date.max)
        if switches.end_date == "exclusive" and keys.end_key in given:
            last -= 1
        if switches.max_days is not None and last - first >= switches.max_days:
            raise RefusalError(400, f"At one hit data of max {switches.max_days * 24} hours can be pulled.")
        spans.append(DaySpan(name, first, last))
    return spans


def _ordinal(given: Mapping[str, str], key: str, switches: Switches, otherwise: dt.date) -> int:
    if key not in given:
        return otherwise.toordinal()
    try:
        return dt.datetime.strptime(given[key], switches.date_format).toordinal()  # noqa: DTZ007 - a local date
    except ValueError:
        raise RefusalError(400, f"{key} is not in the right date format.") from None
