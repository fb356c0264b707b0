"""The catalogue: what the Pull Order API can be asked, and what an order looks like.

Source: Pull Order API, "Request Body" and "Response Body". Names are the vendor's own,
so that what a user reads there is what they write here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

PATH = "/ms/customer-search/order-search/api/v1/pull-internal"


class FieldType(StrEnum):
    """What the value of an order's field is, once it leaves the vendor's JSON."""

    INTEGER = "integer"
    INSTANT = "instant"  # epoch milliseconds, UTC
    AMOUNT = "amount"  # money and measures: exact decimals, never floats
    FLAG = "flag"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class DateField:
    """A time of an order that a window can be about.

    :param start_key: the body key of the first day asked for
    :param end_key: the body key of the last day asked for
    :param cut_by: the answer's field to cut to the millisecond by; none where the answer has no such instant
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

# Keys that the pull itself sets: a filter or an account's own key can't have them.
PULL_KEYS = frozenset({"cmId", "limit", "offset"})

# A filter that every order passes, for accounts that want one: "assigned to anybody but user -1".
NEUTRAL_FILTER = ("notAssignToIdsStr", "-1")

# Those that tell who a customer is. The account's own attributes may hold anything.
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

# Every key of the page's example body, and of its "at least one" note, but those the pull sets.
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

# Those that take numbers. The other ids are texts of other systems: leading zeros count there.
ID_FILTERS: frozenset[str] = frozenset(
    name
    for name in FILTERS
    if name.endswith(("Id", "Ids", "IdStr", "IdsStr"))
    and name not in {"clientReferenceIds", "erpOrderId", "erpInvoiceId"}
)
STATUS_FILTERS: frozenset[str] = frozenset(
    {"bookingStatus", "bookingSubStatus", "statusStr", "subStatusStr", "leadPriorityStr", "pricingStatus"}
)

# The page's example body, but for the keys that the pull sets: a key that is not used is "".
EXAMPLE_BODY: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(FILTERS[: FILTERS.index("sortParam") + 1], ""),
        "viewId": "2",
    }
)

# The fields of an order, in the order of the page's sample.
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
