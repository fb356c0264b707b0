"""Types of the operators' and the sensor's arguments, for editors and type checkers. Data only.

The values are checked in ``constructor_checks``; `docs/filters.md` gives the meaning of each filter.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Literal, TypedDict

DateField = Literal["create", "booking", "agreement", "generation", "nextFollowup", "lastFollowup", "expectedClosure"]
FileFormat = Literal["jsonl", "jsonl.gz", "jsonl.zst", "csv", "csv.gz", "parquet"]
OnEmpty = Literal["write", "skip", "fail"]
OnMisfit = Literal["keep", "fail"]
OnOverlap = Literal["fail", "replace"]
OnFindings = Literal["fail", "warn"]
# Durations as text are any text to a type checker.
WindowWidth = dt.timedelta | Literal["day"] | str  # noqa: PYI051 - editors offer "day"

Text = str | Sequence[str]
Number = int | float | Decimal | str | Sequence[int | float | Decimal | str]


class OrderFilters(TypedDict, total=False):
    """The documented filters: those of type ``Number`` take numbers or text, those of type ``Text`` text only.

    Source: Pull Order API, "Request Body".
    """

    name: Text
    phone: Text
    email: Text
    customerIds: Number
    leadIdStr: Number
    enquiryIds: Number
    clientReferenceIds: Text
    attr1: Text
    attr2: Text
    attr3: Text
    attr4: Text
    attr5: Text
    attr6: Text
    attr7: Text
    attr8: Text
    attr9: Text
    attr10: Text
    attr11: Text
    attr12: Text
    attr13: Text
    attr14: Text
    attr15: Text
    viewId: Number
    orderIds: Number
    erpOrderId: Text
    createStartDate: Text
    createEndDate: Text
    bookingStatus: Number
    bookingSubStatus: Number
    bookingStartDate: Text
    bookingEndDate: Text
    creatorIdStr: Number
    assignIdStr: Number
    zoneIdStr: Number
    blockId: Number
    unitId: Number
    approvalDesignationIds: Number
    agreementStartDate: Text
    agreementEndDate: Text
    erpInvoiceId: Text
    sortParam: Text
    generationStartDate: Text
    generationEndDate: Text
    nextFollowupStartDate: Text
    nextFollowupEndDate: Text
    lastFollowupStartDate: Text
    lastFollowupEndDate: Text
    expectedClosureStartDate: Text
    expectedClosureEndDate: Text
    statusStr: Number
    subStatusStr: Number
    creatorOrAssignedIdStr: Number
    assignToIdsStr: Number
    notAssignToIdsStr: Number
    country: Text
    city: Text
    state: Text
    leadPriorityStr: Number
    secondarySourceId: Number
    approvedIds: Number
    pricingStatus: Number
