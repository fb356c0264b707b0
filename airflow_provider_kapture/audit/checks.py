"""The checks of an audit: from the state of a folder to its days and findings. No I/O.

Whether Kapture has as many orders is compared in ``recount``.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from airflow_provider_kapture.audit.folder_state import Claim, FolderState
from airflow_provider_kapture.audit.intervals import Interval, uncovered
from airflow_provider_kapture.audit.names import ObjectName, folder_date, is_hidden
from airflow_provider_kapture.audit.records import MARKS, FileEntry, Receipt, StoredObject
from airflow_provider_kapture.audit.report import AuditReport, Day, Finding
from airflow_provider_kapture.client.days import day_start, from_ms, to_ms
from airflow_provider_kapture.storage.destinations.publish import object_uri

# How long a run may take.
MAX_RUN = dt.timedelta(hours=24)
_DAY = dt.timedelta(days=1)


def build_report(state: FolderState, now: dt.datetime, more: Iterable[Finding] = ()) -> AuditReport:
    """Return the report of a folder.

    :param state: the folder
    :param now: the time of the audit
    :param more: findings of other checks
    """
    findings = [*_of_receipts(state, now), *_of_objects(state), *_of_coverage(state, now), *more]
    findings.sort(key=lambda each: (each.date or dt.date.min, each.kind, each.uri or ""))
    return AuditReport(state.destination, tuple(days(state)), tuple(findings), now.astimezone(state.zone))


def days(state: FolderState) -> list[Day]:
    """Return the days that receipts cover, in order."""
    entries: defaultdict[tuple[str, dt.date], list[tuple[FileEntry, Receipt]]] = defaultdict(list)
    for file, receipt in state.current.values():
        entries[file.about.date_field, state.date_of(file.about)].append((file, receipt))
    keys = sorted(state.claims, key=lambda each: (each[1], each[0]))
    return [_day(state, date_field, date, entries[date_field, date]) for date_field, date in keys]


def _day(state: FolderState, date_field: str, date: dt.date, entries: list[tuple[FileEntry, Receipt]]) -> Day:
    claims = state.claims[date_field, date]
    files = sorted((file for file, _ in entries), key=lambda each: each.about.start_ms)
    last = max((each.receipt for each in claims), key=lambda each: each.order)
    # A backfill ignores `lookback`.
    own = max((each.receipt for each in claims if each.is_own), key=lambda each: each.order, default=last)
    rows = sum(each.rows for each in files)
    whole = (day_start(date, state.zone), day_start(date + _DAY, state.zone))
    return Day(
        date,
        rows,
        None if last.pulled_at is None else last.pulled_at.astimezone(state.zone),
        not uncovered(*whole, (each.interval for each in claims if each.is_complete)),
        tuple(object_uri(state.destination, each.name) for each in files),
        sum(each.size for each in files),
        date_field,
        None if rows else last.empty_proof,
        sum(each.rescued for each in files),
        not uncovered(*whole, (each.interval for each in claims if each.is_pulled)),
        own.run,
    )


def _of_receipts(state: FolderState, now: dt.datetime) -> Iterator[Finding]:
    for each in state.bad:
        date = None if each.about is None else state.date_of(each.about)
        yield Finding(
            "bad_receipt",
            date,
            object_uri(state.destination, each.name),
            f"This receipt cannot be read: {each.reason}; pull its window again",
        )
    for receipt in state.unfinished:
        if receipt.pulled_at is not None and now - receipt.pulled_at <= MAX_RUN:
            continue
        since = "an unknown time" if receipt.pulled_at is None else _duration(now - receipt.pulled_at)
        yield Finding(
            "incomplete",
            state.date_of(receipt.about),
            object_uri(state.destination, receipt.name),
            f"The run of {_written(state, receipt.about)} has not finished for {since}; clear its task, or pull this "
            "window again",
        )
    yield from _mixed(state)


def _mixed(state: FolderState) -> Iterator[Finding]:
    """Yield a finding for each account or query other than the folder's, or than that of most receipts."""
    counts = Counter(each.source for each in state.receipts)
    if state.owner is not None:
        expected = tuple(state.owner[key] for key in ("account", "cm_id", "query_hash"))
    else:
        expected = counts.most_common(1)[0][0] if counts else ()
    for source, count in counts.items():
        if source == expected:
            continue
        first = min(each.name for each in state.receipts if each.source == source)
        what = "another query" if source[:2] == expected[:2] else f"account {source[0]!r}, cm_id {source[1]}"
        yield Finding(
            "mixed",
            None,
            object_uri(state.destination, first),
            f"The folder has {count} receipts of {what}, the first of them {first}; move their objects and receipts to "
            "a folder of their own",
        )


def _of_objects(state: FolderState) -> Iterator[Finding]:
    for file, receipt in state.current.values():
        item = state.objects.get(file.name)
        date, uri = state.date_of(file.about), object_uri(state.destination, file.name)
        if item is None:
            yield Finding(
                "missing", date, uri, f"The object with {file.rows:,} orders of {date} is gone; pull that day again"
            )
        elif not receipt.is_unfinished and (what := _altered(file, item)) and not state.is_in_doubt(item):
            yield Finding("altered", date, uri, f"The object is not as it was published: {what}; pull {date} again")
    for item in state.objects.values():
        if item.name in state.entries or is_hidden(item.name):
            continue
        if not state.is_in_doubt(item) and not state.is_of_bad_receipt(item):
            uri = object_uri(state.destination, item.name)
            yield Finding(
                "unknown",
                folder_date(item.name),
                uri,
                "No receipt names this object; remove it if it does not belong here",
            )
    yield from _overlaps(state)


def _altered(file: FileEntry, item: StoredObject) -> str:
    """Return in which respect an object differs from what was published; empty if in none."""
    if item.size != file.size:
        return f"it has {item.size:,} bytes instead of {file.size:,}"
    mark = next((each for each in MARKS if each in item.marks and each in file.marks), None)
    if mark is not None and item.marks[mark] != file.marks[mark]:
        return f"its {mark} is {item.marks[mark]} instead of {file.marks[mark]}"
    return "its SHA-256 is another one" if item.sha256 not in {None, file.sha256} else ""


def _overlaps(state: FolderState) -> Iterator[Finding]:
    """Yield a finding for each group of objects whose windows overlap."""
    by_field: defaultdict[str, list[tuple[ObjectName, str]]] = defaultdict(list)
    for name, item in state.objects.items():
        if (about := item.about) is not None:
            by_field[about.date_field].append((about, name))
    for found in by_field.values():
        # The widest first, of those that start at once.
        found.sort(key=lambda each: (each[0].start_ms, -each[0].end_ms, each[1]))
        group: list[tuple[ObjectName, str]] = []
        end = 0
        for each in found:
            if each[0].start_ms >= end:
                yield from _overlap(state, group)
                group = []
            group.append(each)
            end = max(end, each[0].end_ms)
        yield from _overlap(state, group)


def _overlap(state: FolderState, group: list[tuple[ObjectName, str]]) -> Iterator[Finding]:
    if len(group) < 2:
        return
    names = [name for _, name in group]
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    yield Finding(
        "overlap",
        state.date_of(group[1][0]),
        object_uri(state.destination, names[1]),
        f"The windows of {len(names)} objects overlap, so that readers get orders twice: {shown}; pull that day again "
        "with on_overlap='replace', or remove what is superfluous",
    )


def _of_coverage(state: FolderState, now: dt.datetime) -> Iterator[Finding]:
    by_field: defaultdict[str, list[Interval]] = defaultdict(list)
    for (date_field, _), claims in state.claims.items():
        by_field[date_field] += [each.interval for each in claims]
    for bad in state.bad:
        if bad.about is not None:
            by_field[bad.about.date_field].append((bad.about.start_ms, bad.about.end_ms))
    for intervals in by_field.values():
        yield from _gaps(state, intervals)
    for (_, date), claims in state.claims.items():
        early = _pulled_early(claims, to_ms(now))
        if early is not None:
            assert early.receipt.pulled_at is not None
            at = early.receipt.pulled_at.astimezone(state.zone).isoformat(timespec="minutes")
            yield Finding(
                "incomplete",
                date,
                None,
                f"{date} was pulled at {at}, before its end, and not again since; pull that day again",
            )


def _gaps(state: FolderState, intervals: list[Interval]) -> Iterator[Finding]:
    span = (min(start for start, _ in intervals), max(end for _, end in intervals))
    by_day: defaultdict[dt.date, list[Interval]] = defaultdict(list)
    for interval in uncovered(*span, intervals):
        for date, part in state.parts(interval):
            by_day[date].append(part)
    for date, parts in by_day.items():
        whole = [(day_start(date, state.zone), day_start(date + _DAY, state.zone))]
        hours = "" if parts == whole else " from " + ", from ".join(_hours(state, date, *each) for each in parts)
        yield Finding("gap", date, None, f"No receipt covers {date}{hours}; pull that day")


def _hours(state: FolderState, date: dt.date, start: int, end: int) -> str:
    first, after = from_ms(start, state.zone), from_ms(end, state.zone)
    last = "24:00" if end == day_start(date + _DAY, state.zone) else _time(after)
    return f"{_time(first)} to {last}"


def _time(moment: dt.datetime) -> str:
    # With the offset, because an hour occurs twice when the clocks are set back.
    return moment.isoformat(timespec="minutes").partition("T")[2]


def _pulled_early(claims: list[Claim], now_ms: int) -> Claim | None:
    """Return a part of a day that is over, was pulled before its end, and not again since."""
    complete = [each.interval for each in claims if each.is_complete]
    for each in claims:
        is_early = each.is_pulled and not each.is_complete and each.interval[1] <= now_ms
        if is_early and uncovered(*each.interval, complete):
            return each
    return None


def _written(state: FolderState, about: ObjectName) -> str:
    start, end = (from_ms(each, state.zone).isoformat(timespec="minutes") for each in (about.start_ms, about.end_ms))
    return f"[{start}, {end})"


def _duration(elapsed: dt.timedelta) -> str:
    hours = elapsed // dt.timedelta(hours=1)
    return f"{hours} hours" if hours < 48 else f"{hours // 24} days"


def suspects(state: FolderState) -> set[str]:
    """Return the names of objects to look at once more: a pull may have replaced them while the folder was read."""
    uris = {each.uri for each in _of_objects(state) if each.kind in {"missing", "altered", "unknown"}}
    return {name for name in {*state.current, *state.objects} if object_uri(state.destination, name) in uris}
