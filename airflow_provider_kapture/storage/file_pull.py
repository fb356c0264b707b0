"""A pull of a window into files: one file, or one for each of the account's days, with resume after a failed attempt.

How a file is encoded is in ``storage.encoders``; how it is written and published is in ``storage.destinations``.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from types import TracebackType
from typing import Any, Self

from airflow_provider_kapture.client import KaptureClient
from airflow_provider_kapture.client.api.request import OrderQuery
from airflow_provider_kapture.client.days import Window, day_start
from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.client.pull.stats import PullStats
from airflow_provider_kapture.client.pull.steps import OrderBatch
from airflow_provider_kapture.storage.checkpoint import SHA256, Checkpoint, run_key
from airflow_provider_kapture.storage.destinations.destination import check_destination, object_name, receipt_name
from airflow_provider_kapture.storage.destinations.publish import no_empty_folders, object_uri, stage
from airflow_provider_kapture.storage.destinations.stores.choose import open_store
from airflow_provider_kapture.storage.destinations.stores.store import ObjectState
from airflow_provider_kapture.storage.encoders.report import Report
from airflow_provider_kapture.storage.encoders.schema import COLUMNS
from airflow_provider_kapture.storage.receipt import total_rescued

log = logging.getLogger(__name__)

# Counters of orders that a resumed day keeps.
_COUNTS = ("trimmed", "moved", "repaired")
# The most names in one log line.
_MAX_NAMES = 50


@dataclass
class FilePull:
    """A pull into files. Use it as a context manager: at the end of the context, a pull without :meth:`finish` failed.

    :param client: client of the account
    :param query: date field and filters
    :param stats: counters, updated while the pull runs; parts that an earlier attempt published are included
    :param destination: a file name, or a folder that ends in ``/``
    :param file_format: one of :data:`~airflow_provider_kapture.storage.encoders.formats.ENCODERS`
    :param on_empty: as for the operator; with ``write``, a window without orders gets files
    :param watch: called after each batch of orders
    :param on_misfit: as for the operator
    """

    client: KaptureClient
    query: OrderQuery
    stats: PullStats
    destination: str
    file_format: str
    on_empty: str
    watch: Callable[[], None]
    on_misfit: str = "keep"
    _files: list[dict[str, Any]] = field(default_factory=list)
    _unknown: set[str] = field(default_factory=set)
    _checkpoint: Checkpoint | None = None
    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        self._stack.enter_context(no_empty_folders(self.destination))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            if self._checkpoint is not None:
                self._checkpoint.stop()

    def run(self, window: Window, days_back: int, context: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Pull and publish, and return the receipt's entries of the files, sorted by the start of their windows.

        :param window: the window of the run
        :param days_back: number of whole days before the window that are pulled as well
        :param context: the task's context, which identifies the run for its retries
        :raises KaptureError: the pull could not be completed; nothing of the failed part was published
        :raises OSError: a file could not be written or uploaded
        """
        check_destination(self.destination)
        self._store = open_store(self.destination)
        if not self.destination.endswith("/"):
            with closing(self.client.pull(self.query, [window], self.stats)) as batches:
                self._publish(window, "", batches, dict)
            self._log_set_aside()
            return self._files
        parts = {object_name(part, self.file_format): part for _, part in _widened(window, days_back).days()}
        self._start(window, context)
        self._pull_days(parts)
        self._log_set_aside()
        return sorted(self._files, key=lambda each: dt.datetime.fromisoformat(each["window_start"]))

    def finish(self, receipt: Mapping[str, Any]) -> None:
        """Write the receipt beside the data of a ``/`` destination; a retry resumes nothing from then on.

        :raises OSError: it could not be written
        """
        if self._checkpoint is not None:
            self._checkpoint.finish(receipt)
            self._checkpoint = None

    def _start(self, window: Window, context: Mapping[str, Any]) -> None:
        about = {
            "account": self.client.account.host,
            "window_start": window.start.isoformat(),
            "window_end": window.end.isoformat(),
            "date_field": self.query.date_field,
        }
        checkpoint = Checkpoint(self._store, receipt_name(window), key=run_key(context), work=self._work(), about=about)
        checkpoint.start()
        self._checkpoint = checkpoint

    def _pull_days(self, parts: Mapping[str, Window]) -> None:
        started = dt.datetime.now(dt.UTC)
        pending = {name: part for name, part in parts.items() if not self._resume(name)}
        if self.stats.resumed_days:
            log.info(
                "%d of %d days were published by an earlier attempt of this run", self.stats.resumed_days, len(parts)
            )
        empty = []
        with closing(self.client.pull(self.query, list(pending.values()), self.stats)) as batches:
            for name, part in pending.items():
                with self._counting(is_complete=part.end <= started) as counts:
                    if not self._publish(part, name, batches, counts):
                        empty.append(name)
        if self.stats.rows:
            # Days without orders in a window that has some: replace the objects of an earlier run.
            for name in empty:
                part = parts[name]
                with self._counting(is_complete=part.end <= started) as counts:
                    self._publish(part, name, iter([OrderBatch((), ends=part)]), counts, is_required=True)

    @contextmanager
    def _counting(self, *, is_complete: bool) -> Iterator[Callable[[], dict[str, Any]]]:
        """Give a function that returns the counts of what was pulled in the context so far."""
        before = replace(self.stats)
        self.stats.first_ms = self.stats.last_ms = None

        def counts() -> dict[str, Any]:
            return {
                "complete": is_complete,
                "first_ms": self.stats.first_ms,
                "last_ms": self.stats.last_ms,
                **{name: getattr(self.stats, name) - getattr(before, name) for name in _COUNTS},
            }

        try:
            yield counts
        finally:
            self._merge_instants(before.first_ms, before.last_ms)

    def _merge_instants(self, first: int | None, last: int | None) -> None:
        self.stats.first_ms = min((each for each in (self.stats.first_ms, first) if each is not None), default=None)
        self.stats.last_ms = max((each for each in (self.stats.last_ms, last) if each is not None), default=None)

    def _publish(
        self,
        part: Window,
        name: str,
        batches: Iterator[OrderBatch],
        counts: Callable[[], dict[str, Any]],
        *,
        is_required: bool = False,
    ) -> bool:
        """Write the next batches up to the end of a window, and return whether a file was published."""
        with stage(self.destination, self.file_format, self._store, name) as spool:
            for batch in batches:
                spool.write(batch.raws)
                self.watch()
                if batch.ends is not None:
                    break
            is_required = is_required or spool.rows > 0 or self.on_empty == "write"
            # Replace an older object: it contains orders that Kapture no longer returns.
            if not is_required and not (self.on_empty == "skip" and spool.replaces()):
                return False
            rescued = self._take_report(spool.finish())
            edges = {"window_start": part.start.isoformat(), "window_end": part.end.isoformat()}
            about = {"rescued": rescued, **edges}
            day = {"file": {"rows": spool.rows, **about}, **counts()}
            describe = None if self._checkpoint is None else partial(self._checkpoint.metadata, day)
            file = spool.publish(describe) | about
        log.debug("Published %s: %d orders, %d bytes", file["uri"], file["rows"], file["bytes"])
        self._files.append(file)
        # A day that was not over when it was pulled may have had more orders since.
        if self._checkpoint is not None and day["complete"]:
            self._checkpoint.save(name, {**day, "file": file})
        return True

    def _take_report(self, report: Report) -> dict[str, int]:
        """Add what an encoder has set aside to the counters, and return the orders whose values did not fit, by field.

        :raises KaptureSettingsError: there are some, and ``on_misfit`` is ``fail``
        """
        rescued = dict(sorted(report.rescued.items()))
        if rescued and self.on_misfit == "fail":
            raise KaptureSettingsError(
                f"Values do not fit their columns ({describe_counts(rescued)}), and `on_misfit` is 'fail'; nothing of "
                "this file was published. Set `on_misfit` to 'keep' to have them in `_rescued`"
            )
        self.stats.repaired += report.repaired
        self._unknown |= report.unknown
        return rescued

    def _log_set_aside(self) -> None:
        """Log the fields without a column, and warn of values that do not fit theirs."""
        if self._unknown:
            names = sorted(self._unknown)
            more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
            log.info("Fields without a column are in `_rescued`: %s%s", ", ".join(map(ascii, names[:_MAX_NAMES])), more)
        rescued = total_rescued(self._files)
        if rescued:
            log.warning(
                "Values that do not fit their columns are in `_rescued`: %s; `on_misfit` is 'keep'",
                describe_counts(rescued),
            )

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
            "file_format": self.file_format,
            "columns": COLUMNS,
            "on_empty": self.on_empty,
            "on_misfit": self.on_misfit,
        }

    def _resume(self, name: str) -> bool:
        """Take over a day that an earlier attempt has published, if its object is still there as it was."""
        assert self._checkpoint is not None
        if not self._checkpoint.is_resumed:
            return False
        state = self._store.stat(name)
        day = self._checkpoint.get(name, object_uri(self.destination, name), state)
        if day is None:
            return False
        file = self._file_as_published(name, day, state)
        if file is None:
            log.warning("%s is missing or differs from what this run has published; pulling it again", name)
            self._checkpoint.drop(name)
            return False
        log.debug("%s was published by an earlier attempt of this run", name)
        self._checkpoint.save(name, {**day, "file": file})
        self._files.append(file)
        self.stats.rows += file["rows"]
        self.stats.resumed += file["rows"]
        self.stats.days += 1
        self.stats.resumed_days += 1
        for counter in _COUNTS:
            setattr(self.stats, counter, getattr(self.stats, counter) + day[counter])
        self._merge_instants(day["first_ms"], day["last_ms"])
        return True

    def _file_as_published(self, name: str, day: Mapping[str, Any], state: ObjectState | None) -> dict[str, Any] | None:
        """Return the receipt's entry of a published file; None if the object is missing or may have other content."""
        file: dict[str, Any] = day["file"]
        if state is None or state.size != file["bytes"]:
            return None
        stored = state.metadata.get(SHA256) or self._store.sha256(name)
        if stored is None:
            is_same = bool(file.get("etag")) and state.receipt_keys.get("etag") == file["etag"]
        else:
            is_same = stored == file["sha256"]
        return file if is_same else None


def describe_counts(counts: Mapping[str, int]) -> str:
    """Return counts of orders by field as text."""
    return ", ".join(f"{name}: {count:,} order{'' if count == 1 else 's'}" for name, count in counts.items())


def _widened(window: Window, days_back: int) -> Window:
    if not days_back:
        return window
    first = window.start.date() - dt.timedelta(days=days_back)
    return replace(window, start_ms=day_start(first, window.zone))
