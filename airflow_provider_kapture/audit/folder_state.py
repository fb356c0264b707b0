"""The state of a folder as an audit has read it, and its receipts by day. No I/O: the folder is read in ``reading``."""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast
from zoneinfo import ZoneInfo

from airflow_provider_kapture.audit.intervals import Interval, uncovered
from airflow_provider_kapture.audit.names import RECEIPTS, ObjectName
from airflow_provider_kapture.audit.records import BadReceipt, FileEntry, Receipt, StoredObject, parse_receipt
from airflow_provider_kapture.client.days import Window, from_ms, to_ms
from airflow_provider_kapture.storage.folder import OWNER_FILE


@dataclass(frozen=True, slots=True)
class Claim:
    """A part of a day that a receipt covers.

    :param interval: the part
    :param receipt: the receipt
    :param is_pulled: whether its run has pulled it; false for what an unfinished run has not published
    """

    interval: Interval
    receipt: Receipt
    is_pulled: bool = True

    @property
    def is_own(self) -> bool:
        """Whether it lies in the run's window, not in the days that the run has looked back at."""
        return _is_within(self.interval, (self.receipt.about.start_ms, self.receipt.about.end_ms))

    @property
    def is_complete(self) -> bool:
        """Whether it was pulled after its end. Of the days of an unfinished run, only such are recorded."""
        if self.receipt.is_unfinished or self.receipt.pulled_at is None:
            return self.is_pulled
        return self.is_pulled and self.interval[1] <= to_ms(self.receipt.pulled_at)


DayKey = tuple[str, dt.date]


@dataclass(frozen=True)
class FolderState:
    """A folder at the time of the audit.

    :param destination: the folder, as an absolute path or a URL that ends in ``/``
    :param owner: content of its ``_kapture.json``; None if there is none that can be read
    :param zone: the account's time zone
    :param objects: its objects by name, receipts aside
    :param receipts: its receipts
    :param bad: its receipts that cannot be read
    """

    destination: str
    owner: Mapping[str, Any] | None
    zone: ZoneInfo
    objects: Mapping[str, StoredObject]
    receipts: tuple[Receipt, ...]
    bad: tuple[BadReceipt, ...]

    def date_of(self, about: ObjectName) -> dt.date:
        """Return the account's day on which a window starts."""
        return about.date or from_ms(about.start_ms, self.zone).date()

    def parts(self, interval: Interval) -> Iterator[tuple[dt.date, Interval]]:
        """Yield the account's days of an interval with their parts of it."""
        for day, part in Window(*interval, self.zone).days():
            yield day, (part.start_ms, part.end_ms)

    @cached_property
    def claims(self) -> Mapping[DayKey, list[Claim]]:
        """By date field and day, what the receipts cover of it."""
        found: defaultdict[DayKey, list[Claim]] = defaultdict(list)
        for receipt in self.receipts:
            window = (receipt.about.start_ms, receipt.about.end_ms)
            for day, part in self.parts(window):
                found[receipt.about.date_field, day].append(Claim(part, receipt, not receipt.is_unfinished))
            for file in receipt.files:
                edges = (file.about.start_ms, file.about.end_ms)
                if receipt.is_unfinished or not _is_within(edges, window):
                    found[file.about.date_field, self.date_of(file.about)].append(Claim(edges, receipt))
        return found

    @cached_property
    def entries(self) -> Mapping[str, tuple[FileEntry, Receipt]]:
        """By name, what the last receipt says of each object."""
        found: dict[str, tuple[FileEntry, Receipt]] = {}
        for receipt in sorted(self.receipts, key=lambda each: each.order):
            for file in receipt.files:
                found[file.name] = (file, receipt)
        return found

    @cached_property
    def current(self) -> Mapping[str, tuple[FileEntry, Receipt]]:
        """The entries of objects that no later pull of the same hours into other objects has replaced."""
        return {name: pair for name, pair in self.entries.items() if not self._is_replaced(*pair)}

    def _is_replaced(self, file: FileEntry, receipt: Receipt) -> bool:
        claims = self.claims.get((file.about.date_field, self.date_of(file.about)), ())
        later = [
            each.interval
            for each in claims
            if each.is_pulled and each.receipt is not receipt and each.receipt.order[0] > receipt.order[0]
        ]
        return bool(later) and not uncovered(file.about.start_ms, file.about.end_ms, later)

    @cached_property
    def unfinished(self) -> tuple[Receipt, ...]:
        """The receipts of runs that have not finished."""
        return tuple(each for each in self.receipts if each.is_unfinished)

    def is_in_doubt(self, item: StoredObject) -> bool:
        """Return whether an unfinished run may have written the object, so that no receipt describes it yet."""
        pull_ids = {each.pull_id for each in self.unfinished if each.pull_id is not None}
        return item.pull_id in pull_ids or self._is_within_any(item, [each.about for each in self.unfinished])

    def is_of_bad_receipt(self, item: StoredObject) -> bool:
        """Return whether the object may be that of a receipt that cannot be read."""
        return self._is_within_any(item, [each.about for each in self.bad if each.about is not None])

    def _is_within_any(self, item: StoredObject, windows: list[ObjectName]) -> bool:
        about = item.about
        return about is not None and any(
            each.date_field == about.date_field
            and _is_within((about.start_ms, about.end_ms), (each.start_ms, each.end_ms))
            for each in windows
        )


def _is_within(inner: Interval, outer: Interval) -> bool:
    return outer[0] <= inner[0] and inner[1] <= outer[1]


def folder_state(
    destination: str,
    objects: Mapping[str, StoredObject],
    receipts: Mapping[str, bytes | None],
    owner: bytes | None,
) -> FolderState:
    """Return the state of a folder from what was read.

    :param destination: the folder
    :param objects: all its objects by name
    :param receipts: the contents of its receipts by name
    :param owner: content of its ``_kapture.json``; None if there is none
    """
    found = [
        each
        for name, text in receipts.items()
        for each in parse_receipt(name, text, objects[name].modified if name in objects else None)
    ]
    good = tuple(each for each in found if isinstance(each, Receipt))
    record = _owner(owner)
    own = {
        name: each for name, each in objects.items() if not name.startswith(RECEIPTS) and not _is_nested(name, objects)
    }
    return FolderState(
        destination,
        record,
        _zone(record, good),
        own,
        good,
        tuple(each for each in found if isinstance(each, BadReceipt)),
    )


def _is_nested(name: str, objects: Mapping[str, StoredObject]) -> bool:
    """Return whether an object is in the folder of another query, below this one."""
    parts = name.split("/")
    return any(f"{'/'.join(parts[:depth])}/{OWNER_FILE}" in objects for depth in range(1, len(parts)))


def _owner(text: bytes | None) -> dict[str, Any] | None:
    try:
        found = json.loads(text or b"")
        ZoneInfo(found["timezone"])
        return {key: found[key] for key in ("account", "cm_id", "timezone", "salt", "query_hash")}
    except (ValueError, KeyError, TypeError, OSError):
        return None


def _zone(owner: Mapping[str, Any] | None, receipts: tuple[Receipt, ...]) -> ZoneInfo:
    if owner is not None:
        return ZoneInfo(owner["timezone"])
    # Without the owner, days are those of the offset that the last receipt has.
    last = max(receipts, key=lambda each: each.order, default=None)
    return cast("ZoneInfo", (last and last.zone) or dt.UTC)
