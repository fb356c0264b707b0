"""What an audit knows of a folder: its receipts, parsed and checked, and its objects. No I/O.

A receipt is written in ``storage.receipt``, and while its run is not finished in ``storage.checkpoint``.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_kapture.audit.names import ObjectName, parse_orders_name, parse_receipt_name, relative_name
from airflow_provider_kapture.client.days import to_ms

# Keys of a file's entry that identify the stored object, the strictest first.
MARKS = ("generation", "etag")


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object of the folder, as the store lists it.

    :param name: relative to the folder
    :param size: in bytes
    :param marks: what the store says of its content, by the keys of :data:`MARKS`
    :param modified: when it was last written; None if the store does not tell
    :param pull_id: the pull that wrote it; None if that was not looked up, or is not known
    :param sha256: of its content; None if it was not read
    """

    name: str
    size: int
    marks: Mapping[str, str] = field(default_factory=dict)
    modified: dt.datetime | None = None
    pull_id: str | None = None
    sha256: str | None = None

    @property
    def about(self) -> ObjectName | None:
        """What its name says; None if it is not an object of orders."""
        return parse_orders_name(self.name)


@dataclass(frozen=True, slots=True)
class FileEntry:
    """What a receipt says of an object.

    :param name: relative to the folder
    :param about: what its name says
    :param rows: number of orders
    :param size: in bytes
    :param sha256: of its content
    :param marks: as for :class:`StoredObject`
    :param rescued: number of values that did not fit their column
    """

    name: str
    about: ObjectName
    rows: int
    size: int
    sha256: str
    marks: Mapping[str, str]
    rescued: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt of the folder.

    :param name: relative to the folder
    :param about: what its name says: date field and window
    :param source: account, ``cm_id`` and hash of the query
    :param pulled_at: when the pull began, or, where an unfinished run does not say so, last wrote; None if not known
    :param files: the objects that it names
    :param zone: offset of the account's time zone at the start of the window
    :param is_unfinished: whether the run that wrote it has not finished
    :param pull_id: id of an unfinished run's pull
    :param run: ids of the run in Airflow; None if it was not pulled in a task
    :param empty_proof: what proves that the window is empty; None unless it is
    """

    name: str
    about: ObjectName
    source: tuple[str, int, str]
    pulled_at: dt.datetime | None
    files: tuple[FileEntry, ...]
    zone: dt.tzinfo | None
    is_unfinished: bool = False
    pull_id: str | None = None
    run: Mapping[str, Any] | None = None
    empty_proof: str | None = None

    @property
    def order(self) -> tuple[float, str]:
        """Sort key: of several receipts that name an object, the last one counts."""
        at = float("inf") if self.pulled_at is None else self.pulled_at.timestamp()
        return at, self.name


@dataclass(frozen=True, slots=True)
class BadReceipt:
    """A receipt that cannot be read.

    :param name: relative to the folder
    :param about: what its name says; None if the name is not that of a receipt
    :param reason: what is wrong with it
    """

    name: str
    about: ObjectName | None
    reason: str


def parse_receipt(name: str, text: bytes | None, modified: dt.datetime | None) -> Iterator[Receipt | BadReceipt]:
    """Yield the receipt in an object, or why it is none; of an unfinished run also the receipt that it replaces.

    :param name: the object, relative to the folder
    :param text: its content; None if it has vanished
    :param modified: when it was last written
    """
    about = parse_receipt_name(name)
    if about is None:
        yield BadReceipt(name, None, "its name is not that of a receipt")
        return
    try:
        found = json.loads(text or b"")
        if found.get("in_progress"):
            yield _unfinished(name, about, found, modified)
            found = found["previous"]
        if found is not None:
            yield _finished(name, about, found)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        yield BadReceipt(name, about, _reason(error))


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"it lacks the key {error}"
    return "it is not JSON" if isinstance(error, json.JSONDecodeError | UnicodeDecodeError) else str(error)[:200]


def _finished(name: str, about: ObjectName, found: Mapping[str, Any]) -> Receipt:
    files = tuple(_file(each) for each in found["files"])
    rows = _number(found, "rows")
    if rows != sum(each.rows for each in files):
        raise ValueError(f"its `rows` is {rows}, but its files have {sum(each.rows for each in files)}")
    pulled_at = _instant(found, "pulled_at")
    run = found.get("run")
    return Receipt(
        name,
        about,
        _source(found),
        pulled_at,
        files,
        _checked_zone(about, found),
        run=run if isinstance(run, Mapping) else None,
        empty_proof=found.get("empty_proof") if not rows else None,
    )


def _unfinished(name: str, about: ObjectName, found: Mapping[str, Any], modified: dt.datetime | None) -> Receipt:
    pulled_at = _instant(found, "pulled_at") if "pulled_at" in found else modified
    files = tuple(_file(each["file"]) for each in found["days"].values())
    key = found.get("run_key")
    run = dict(zip(("dag_id", "run_id", "task_id", "map_index"), key, strict=False)) if isinstance(key, list) else None
    zone = _checked_zone(about, found)
    return Receipt(
        name,
        about,
        _source(found),
        pulled_at,
        files,
        zone,
        is_unfinished=True,
        pull_id=found.get("pull_id"),
        run=run,
    )


def _source(found: Mapping[str, Any]) -> tuple[str, int, str]:
    return str(found["account"]), _number(found, "cm_id"), str(found["query_hash"])


def _checked_zone(about: ObjectName, found: Mapping[str, Any]) -> dt.tzinfo | None:
    start, end = _instant(found, "window_start"), _instant(found, "window_end")
    if (found["date_field"], to_ms(start), to_ms(end)) != (about.date_field, about.start_ms, about.end_ms):
        raise ValueError("its window or date field is not that of its name")
    return start.tzinfo


def _file(found: Mapping[str, Any]) -> FileEntry:
    name = relative_name(found["uri"])
    about = parse_orders_name(name)
    edges = tuple(to_ms(_instant(found, each)) for each in ("window_start", "window_end"))
    if about is None or edges != (about.start_ms, about.end_ms):
        raise ValueError(f"the window of {name!r:.120} is not that of its name")
    rescued = found.get("rescued") or {}
    return FileEntry(
        name,
        about,
        _number(found, "rows"),
        _number(found, "bytes"),
        str(found["sha256"]),
        {key: str(found[key]) for key in MARKS if found.get(key)},
        sum(_number(rescued, key) for key in rescued),
    )


def _number(found: Mapping[str, Any], key: str) -> int:
    value = found[key]
    if type(value) is not int or value < 0:
        raise ValueError(f"its `{key}` is not a number")
    return value


def _instant(found: Mapping[str, Any], key: str) -> dt.datetime:
    instant = dt.datetime.fromisoformat(found[key])
    if instant.tzinfo is None:
        raise ValueError(f"its `{key}` has no time zone")
    return instant
