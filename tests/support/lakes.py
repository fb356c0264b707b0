"""A folder of orders in memory, with its receipts, as pulls of each day leave it; and faults to plant in it."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from airflow_provider_kapture.audit.folder_state import FolderState, folder_state
from airflow_provider_kapture.audit.records import StoredObject
from airflow_provider_kapture.client.days import Window, day_start, from_ms
from airflow_provider_kapture.storage.destinations.destination import object_name, receipt_name

DAY = dt.timedelta(days=1)
HOUR_MS = 3_600_000
SOURCE = {"account": "acme.kapturecrm.com", "cm_id": 7, "query_hash": "ab" * 32}


def window_of(day: dt.date, zone: ZoneInfo) -> Window:
    return Window(day_start(day, zone), day_start(day + DAY, zone), zone)


class Lake:
    """The folder.

    :ivar objects: objects by name
    :ivar receipts: receipts by name, parsed
    :ivar texts: receipts that are no JSON, by name
    """

    def __init__(self, zone: str = "Asia/Kolkata", destination: str = "/lake/") -> None:
        self.zone = ZoneInfo(zone)
        self.destination = destination
        self.owner: dict[str, Any] | None = {**SOURCE, "timezone": zone, "salt": "00"}
        self.objects: dict[str, StoredObject] = {}
        self.receipts: dict[str, dict[str, Any]] = {}
        self.texts: dict[str, bytes] = {}

    def pull(
        self, window: Window, *, lookback: int = 0, after: dt.timedelta = dt.timedelta(hours=3), **more: Any
    ) -> str:
        """Pull a window, so long after its end, and return the name of the receipt."""
        first = window.start.date() - lookback * DAY
        start_ms = day_start(first, self.zone) if lookback else window.start_ms
        file_format = more.pop("file_format", "jsonl.gz")
        files = [self._file(part, file_format) for _, part in Window(start_ms, window.end_ms, self.zone).days()]
        pulled_at = window.end + after
        name = receipt_name("create", window)
        self.receipts[name] = {
            **SOURCE,
            "window_start": window.start.isoformat(),
            "window_end": window.end.isoformat(),
            "date_field": "create",
            "rows": sum(each["rows"] for each in files),
            "files": files,
            "pulled_at": pulled_at.isoformat(),
            "complete": after >= dt.timedelta(),
            **more,
        }
        return name

    def pull_day(self, day: dt.date, **options: Any) -> str:
        return self.pull(window_of(day, self.zone), **options)

    def pull_hours(self, day: dt.date, first: int, after: int, **options: Any) -> str:
        start = day_start(day, self.zone)
        return self.pull(Window(start + first * HOUR_MS, start + after * HOUR_MS, self.zone), **options)

    def _file(self, part: Window, file_format: str) -> dict[str, Any]:
        name = object_name("create", part, file_format)
        rows = part.start.day
        self.objects[name] = StoredObject(name, 100 + rows, {"etag": f"e{rows}"})
        return {
            "uri": self.destination + name,
            "rows": rows,
            "bytes": 100 + rows,
            "sha256": "cd" * 32,
            "etag": f"e{rows}",
            "window_start": part.start.isoformat(),
            "window_end": part.end.isoformat(),
        }

    def name_of(self, day: dt.date) -> str:
        return object_name("create", window_of(day, self.zone), "jsonl.gz")

    def receipt_of(self, day: dt.date) -> str:
        return receipt_name("create", window_of(day, self.zone))

    def forget(self, day: dt.date, *, keep_own: bool = False) -> None:
        """Take a day out of the receipts of other days, whose runs have looked back at it."""
        uri, own = self.destination + self.name_of(day), self.receipt_of(day)
        for name, receipt in self.receipts.items():
            if (keep_own and name == own) or "files" not in receipt:
                continue
            for each in [each for each in receipt["files"] if each["uri"] == uri]:
                receipt["files"].remove(each)
                receipt["rows"] -= each["rows"]

    def make_unfinished(self, name: str, modified: dt.datetime, *, keep: bool = True) -> None:
        """Turn a receipt into that of a run that has not finished.

        :param keep: whether the former receipt is the one that it is to replace
        """
        former = self.receipts[name]
        self.receipts[name] = {
            **{key: former[key] for key in (*SOURCE, "window_start", "window_end", "date_field")},
            "in_progress": True,
            "pull_id": "p1",
            "run_key": ["orders", "scheduled__1", "pull", -1, 0, None],
            "work": "",
            "days": {},
            "previous": former if keep else None,
        }
        self.objects[name] = StoredObject(name, 1, modified=modified)

    def state(self) -> FolderState:
        texts = {name: json.dumps(each).encode() for name, each in self.receipts.items()} | self.texts
        owner = None if self.owner is None else json.dumps(self.owner).encode()
        return folder_state(self.destination, self.objects, texts, owner)

    def write(self, folder: Path) -> None:
        """Write it to a local folder."""
        texts = {name: json.dumps(each).encode() for name, each in self.receipts.items()} | self.texts
        contents = {name: b"x" * each.size for name, each in self.objects.items()} | texts
        for name, content in (contents | {"_kapture.json": json.dumps(self.owner).encode()}).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def year(zone: str = "Asia/Kolkata", days: int = 365, lookback: int = 0, first: dt.date = dt.date(2024, 1, 1)) -> Lake:
    """A lake in which each day was pulled once, and again by the runs of the days after it."""
    lake = Lake(zone)
    for number in range(days):
        lake.pull_day(first + number * DAY, lookback=min(lookback, number))
    return lake


def local(lake: Lake, ms: int) -> dt.datetime:
    return from_ms(ms, lake.zone)
