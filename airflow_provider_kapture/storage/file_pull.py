"""A pull of a window into files: one file, or one for each of the account's days, with resume after a failed attempt.

How a file is encoded is in ``storage.encoders``; how it is written and published is in ``storage.destinations``.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_provider_kapture.client import KaptureClient
from airflow_provider_kapture.client.api.request import OrderQuery
from airflow_provider_kapture.client.days import Window, day_start
from airflow_provider_kapture.client.pull.stats import PullStats
from airflow_provider_kapture.client.pull.steps import OrderBatch
from airflow_provider_kapture.storage.checkpoint import Checkpoint, load_checkpoint
from airflow_provider_kapture.storage.destinations.destination import check_destination, object_name
from airflow_provider_kapture.storage.destinations.publish import no_empty_folders, stage

log = logging.getLogger(__name__)

# Counters of orders that a resumed day keeps.
_COUNTS = ("trimmed", "moved", "repaired")


@dataclass
class FilePull:
    """A pull into files.

    :param client: client of the account
    :param query: date field and filters
    :param stats: counters, updated while the pull runs; parts that an earlier attempt published are included
    :param destination: a file name, or a folder that ends in ``/``
    :param file_format: one of :data:`~airflow_provider_kapture.storage.encoders.formats.ENCODERS`
    :param on_empty: as for the operator; with ``write``, a window without orders gets files
    :param watch: called after each batch of orders
    """

    client: KaptureClient
    query: OrderQuery
    stats: PullStats
    destination: str
    file_format: str
    on_empty: str
    watch: Callable[[], None]
    _files: list[dict[str, Any]] = field(default_factory=list)

    def run(self, window: Window, days_back: int, context: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Pull and publish, and return the receipt's entries of the files, sorted by the start of their windows.

        :param window: the window of the run
        :param days_back: number of whole days before the window that are pulled as well
        :param context: the task's context, for the checkpoint
        :raises KaptureError: the pull could not be completed; nothing of the failed part was published
        :raises OSError: a file could not be written or uploaded
        """
        with no_empty_folders(self.destination):
            return self._run(window, days_back, context)

    def _run(self, window: Window, days_back: int, context: Mapping[str, Any]) -> list[dict[str, Any]]:
        check_destination(self.destination)
        if not self.destination.endswith("/"):
            with closing(self.client.pull(self.query, [window], self.stats)) as batches:
                self._publish(window, self.destination, batches)
            return self._files
        self._pull_days([part for _, part in _widened(window, days_back).days()], context)
        return sorted(self._files, key=lambda each: dt.datetime.fromisoformat(each["window_start"]))

    def _pull_days(self, parts: Sequence[Window], context: Mapping[str, Any]) -> None:
        checkpoint = load_checkpoint(context, self._work())
        started = dt.datetime.now(dt.UTC)
        empty: list[Window] = []
        pending = [part for part in parts if not self._resume(checkpoint, self._name(part))]
        if self.stats.resumed_days:
            log.info(
                "%d of %d days were published by an earlier attempt of this run", self.stats.resumed_days, len(parts)
            )
        with closing(self.client.pull(self.query, pending, self.stats)) as batches:
            for part in pending:
                before = replace(self.stats)
                if not self._publish(part, self.destination + self._name(part), batches):
                    empty.append(part)
                elif part.end <= started and part is not pending[-1]:
                    self._save_checkpoint(checkpoint, self._name(part), before)
        if self.stats.rows:
            # Days without orders in a window that has some: replace the objects of an earlier run.
            for part in empty:
                self._publish(
                    part, self.destination + self._name(part), iter([OrderBatch((), ends=part)]), is_required=True
                )
        checkpoint.clear()

    def _name(self, part: Window) -> str:
        return object_name(part, self.file_format)

    def _publish(
        self, part: Window, destination: str, batches: Iterator[OrderBatch], *, is_required: bool = False
    ) -> bool:
        """Write the next batches up to the end of a window, and return whether a file was published."""
        with stage(destination, self.file_format) as spool:
            for batch in batches:
                spool.write(batch.raws)
                self.watch()
                if batch.ends is not None:
                    break
            is_required = is_required or spool.rows > 0 or self.on_empty == "write"
            # Replace an older object: it contains orders that Kapture no longer returns.
            if is_required or (self.on_empty == "skip" and spool.replaces()):
                self._add(spool.publish(), part)
                return True
            return False

    def _add(self, file: dict[str, Any], part: Window) -> None:
        log.debug("Published %s: %d orders, %d bytes", file["uri"], file["rows"], file["bytes"])
        self._files.append({**file, "window_start": part.start.isoformat(), "window_end": part.end.isoformat()})

    def _work(self) -> dict[str, Any]:
        account = self.client.account
        return {
            "account": account.host,
            "dialect": repr(account.dialect),
            # Not in the dialect's repr, because it may identify customers. Here it is only hashed.
            "default_body": dict(account.dialect.default_body),
            "date_field": self.query.date_field,
            "body": dict(self.query.body),
            "destination": self.destination,
            "on_empty": self.on_empty,
        }

    def _save_checkpoint(self, checkpoint: Checkpoint, name: str, before: PullStats) -> None:
        instants = [self.stats.first_ms, self.stats.last_ms]
        checkpoint.save(
            name,
            {
                "file": self._files[-1],
                "instants": instants,
                **{name: getattr(self.stats, name) - getattr(before, name) for name in _COUNTS},
            },
        )

    def _resume(self, checkpoint: Checkpoint, name: str) -> bool:
        entry = checkpoint.get(name)
        if entry is None:
            return False
        log.debug("%s was published by an earlier attempt of this run", name)
        self._files.append(entry["file"])
        self.stats.rows += entry["file"]["rows"]
        self.stats.resumed += entry["file"]["rows"]
        self.stats.days += 1
        self.stats.resumed_days += 1
        for counter in _COUNTS:
            setattr(self.stats, counter, getattr(self.stats, counter) + entry[counter])
        first, last = entry["instants"]
        self.stats.first_ms = min((each for each in (self.stats.first_ms, first) if each is not None), default=None)
        self.stats.last_ms = max((each for each in (self.stats.last_ms, last) if each is not None), default=None)
        return True


def _widened(window: Window, days_back: int) -> Window:
    if not days_back:
        return window
    first = window.start.date() - dt.timedelta(days=days_back)
    return replace(window, start_ms=day_start(first, window.zone))
