"""The report of an audit: days and findings as plain data. How they are found is in ``checks``."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

# Called with what is being done, in a few words, and with what several such texts have in common.
Progress = Callable[[str, str], None]

KINDS: Mapping[str, str] = {
    "gap": "no receipt covers it",
    "overlap": "objects hold the same orders",
    "missing": "an object of a receipt is gone",
    "altered": "an object is not as it was published",
    "incomplete": "pulled before its end",
    "different": "Kapture has another number of orders",
    "unknown": "no receipt names the object",
    "bad_receipt": "the receipt cannot be read",
    "mixed": "receipts of several accounts or queries",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not right.

    :param kind: ``gap``, ``overlap``, ``missing``, ``altered``, ``incomplete``, ``different``, ``unknown``,
        ``bad_receipt`` or ``mixed``
    :param date: the account's day; None if it concerns no single day
    :param uri: the object or the receipt; None if it concerns none
    :param message: what is wrong, and what to do
    """

    kind: str
    date: dt.date | None
    uri: str | None
    message: str

    def to_json(self) -> dict[str, Any]:
        """Return the finding as JSON."""
        date = None if self.date is None else self.date.isoformat()
        return {"kind": self.kind, "date": date, "uri": self.uri, "message": self.message}


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the account in the folder.

    :param date: the local date
    :param rows: number of orders, by the receipts
    :param pulled_at: when it was last pulled, in the account's time zone; None if that is not known
    :param complete: whether the whole day was pulled after its end
    :param uris: its objects
    :param size: bytes of its objects
    :param date_field: the time of an order that the day is of
    :param empty_proof: what proves that a day without orders is empty, where that is known
    :param rescued: number of values that did not fit their column
    :param is_covered: whether finished runs have pulled the whole day
    :param run: ids of the last run whose window has it; None outside of Airflow
    """

    date: dt.date
    rows: int
    pulled_at: dt.datetime | None
    complete: bool
    uris: tuple[str, ...]
    size: int = 0
    date_field: str = "create"
    empty_proof: str | None = None
    rescued: int = 0
    is_covered: bool = True
    run: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the day as JSON; keys beyond the usual ones are there only where they say something."""
        found: dict[str, Any] = {
            "date": self.date.isoformat(),
            "rows": self.rows,
            "pulled_at": None if self.pulled_at is None else self.pulled_at.isoformat(),
            "complete": self.complete,
            "uris": list(self.uris),
        }
        if self.date_field != "create":
            found["date_field"] = self.date_field
        if self.empty_proof is not None:
            found["empty_proof"] = self.empty_proof
        if self.rescued:
            found["rescued"] = self.rescued
        return found


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What a folder holds, held against its receipts.

    :param destination: the folder
    :param days: the account's days, in order
    :param findings: what is not right, by date
    :param made_at: when the audit was made, in the account's time zone
    """

    destination: str
    days: tuple[Day, ...]
    findings: tuple[Finding, ...]
    made_at: dt.datetime

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON: ``destination``, ``days`` and ``findings``."""
        return {
            "destination": self.destination,
            "days": [each.to_json() for each in self.days],
            "findings": [each.to_json() for each in self.findings],
        }

    def totals(self) -> dict[str, Any]:
        """Return the numbers of days, complete days, orders and objects, and the number of findings by kind."""
        return {
            "days": len(self.days),
            "complete_days": sum(each.complete for each in self.days),
            "rows": sum(each.rows for each in self.days),
            "objects": sum(len(each.uris) for each in self.days),
            "findings": dict(sorted(Counter(each.kind for each in self.findings).items())),
        }
