"""The vocabulary of the Pull Order API: path, body keys, date fields, filters and fields of an order.

Source: Pull Order API, "Request Body" and "Response Body". Names are the vendor's own. Data only: filter values are
converted in `api/filters.py`, columns are defined in `storage/encoders/schema.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

PATH = "/ms/customer-search/order-search/api/v1/pull-internal"


class FieldType(StrEnum):
    """Type of a field of an order, as connection extra ``fields`` names it."""

    TEXT = "string"
    INTEGER = "integer"
    AMOUNT = "decimal"  # money and measures, exact
    FLAG = "boolean"
    INSTANT = "timestamp_ms"  # epoch milliseconds, UTC
    DATE = "date"


@dataclass(frozen=True, slots=True)
class DateField:
    """A date of an order that a window can apply to.

    :param start_key: body key of the first requested day
    :param end_key: body key of the last requested day
    :param cut_by: response field with the instant (epoch milliseconds); None if the response has none
    """

    start_key: str
    end_key: str
    cut_by: str | None = None


def _date_field(name: str, cut_by: str | None = None) -> DateField:
    return DateField(f"{name}StartDate", f"{name}EndDate", cut_by)


DATE_FIELDS: Mapping[str, DateField] = MappingProxyType(
    {
        "create": _date_field("create", cut_by="createDate"),
        "booking": _date_field("booking"),
        "agreement": _date_field("agreement"),
        "generation": _date_field("generation"),
        "nextFollowup": _date_field("nextFollowup"),
        "lastFollowup": _date_field("lastFollowup"),
        "expectedClosure": _date_field("expectedClosure"),
    }
)

# Names of the folders of days, which readers take for a column: the date field in snake case.
DATE_COLUMNS: Mapping[str, str] = MappingProxyType(
    {name: f"{re.sub('[A-Z]', lambda found: '_' + found[0].lower(), name)}_date" for name in DATE_FIELDS}
)

# Keys that the pull sets itself, which filters and extra bodies must not contain.
PULL_KEYS = frozenset({"cmId", "limit", "offset"})

# A filter that matches every order ("not assigned to user -1"), for accounts that require a filter.
NEUTRAL_FILTER = ("notAssignToIdsStr", "-1")

# Filters that may identify a customer. The account's own attributes may contain anything.
PERSONAL_FILTERS: tuple[str, ...] = (
    "name",
    "phone",
    "email",
    "customerIds",
    "leadIdStr",
    "enquiryIds",
    "clientReferenceIds",
    *(f"attr{number}" for number in range(1, 16)),
)

# All filters: the keys of the vendor's example body and of its "at least one" note, except those that the pull sets.
FILTERS: tuple[str, ...] = (
    *PERSONAL_FILTERS,
    "viewId",
    "orderIds",
    "erpOrderId",
    "createStartDate",
    "createEndDate",
    "bookingStatus",
    "bookingSubStatus",
    "bookingStartDate",
    "bookingEndDate",
    "creatorIdStr",
    "assignIdStr",
    "zoneIdStr",
    "blockId",
    "unitId",
    "approvalDesignationIds",
    "agreementStartDate",
    "agreementEndDate",
    "erpInvoiceId",
    "sortParam",
    "generationStartDate",
    "generationEndDate",
    "nextFollowupStartDate",
    "nextFollowupEndDate",
    "lastFollowupStartDate",
    "lastFollowupEndDate",
    "expectedClosureStartDate",
    "expectedClosureEndDate",
    "statusStr",
    "subStatusStr",
    "creatorOrAssignedIdStr",
    "assignToIdsStr",
    "notAssignToIdsStr",
    "country",
    "city",
    "state",
    "leadPriorityStr",
    "secondarySourceId",
    "approvedIds",
    "pricingStatus",
)

# Filters that accept numbers. The other ids are texts of other systems, in which leading zeros matter.
ID_FILTERS: frozenset[str] = frozenset(
    name
    for name in FILTERS
    if name.endswith(("Id", "Ids", "IdStr", "IdsStr"))
    and name not in {"clientReferenceIds", "erpOrderId", "erpInvoiceId"}
)
STATUS_FILTERS: frozenset[str] = frozenset(
    {"bookingStatus", "bookingSubStatus", "statusStr", "subStatusStr", "leadPriorityStr", "pricingStatus"}
)

# The vendor's example body without the keys that the pull sets; unused keys are "".
EXAMPLE_BODY: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(FILTERS[: FILTERS.index("sortParam") + 1], ""),
        "viewId": "2",
    }
)

# Fields of an order, in the order of the vendor's sample.
ORDER_FIELDS: Mapping[str, FieldType] = MappingProxyType(
    {
        "id": FieldType.INTEGER,
        "cmId": FieldType.INTEGER,
        "customerId": FieldType.INTEGER,
        "enquiryId": FieldType.INTEGER,
        "createDate": FieldType.INSTANT,
        "creatorId": FieldType.INTEGER,
        "productQuantity": FieldType.AMOUNT,
        "productValue": FieldType.AMOUNT,
        "discount": FieldType.AMOUNT,
        "remarks": FieldType.TEXT,
        "deliveryStatus": FieldType.TEXT,
        "lastModificationTime": FieldType.INSTANT,
        "unitId": FieldType.INTEGER,
        "blockId": FieldType.INTEGER,
        "zoneId": FieldType.INTEGER,
        "basePrice": FieldType.AMOUNT,
        "serviceTax": FieldType.AMOUNT,
        "bookingAmount": FieldType.AMOUNT,
        "retainerFrequency": FieldType.INTEGER,
        "retainerAmount": FieldType.AMOUNT,
        "subOfficeId": FieldType.INTEGER,
        "retainerCreditPeriod": FieldType.INTEGER,
        "parentOrderId": FieldType.INTEGER,
        "assignedToId": FieldType.INTEGER,
        "invoiceSent": FieldType.FLAG,
        "commissionAmount": FieldType.AMOUNT,
        "totalSaleableArea": FieldType.AMOUNT,
        "builderInvoiceId": FieldType.INTEGER,
        "enquiryAssignedTo": FieldType.INTEGER,
        "sellingPrice": FieldType.AMOUNT,
        "cess": FieldType.AMOUNT,
        "extraCharges": FieldType.AMOUNT,
        "warrantyInDays": FieldType.INTEGER,
        "parentCustomerId": FieldType.INTEGER,
        "checkedIn": FieldType.FLAG,
        "includeInterest": FieldType.FLAG,
        "channelId": FieldType.INTEGER,
        "deliveredOrderId": FieldType.INTEGER,
        "commissionPaidAmount": FieldType.AMOUNT,
        "onwardCruiseId": FieldType.INTEGER,
        "returnCruiseId": FieldType.INTEGER,
        "approvedByEmployeeId": FieldType.INTEGER,
        "vatamount": FieldType.AMOUNT,
    }
)
