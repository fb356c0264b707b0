"""A pull of a window into files: one file, or one for each of the account's days, with resume after a failed attempt.

How a file is encoded is in ``storage.encoders``; how it is written and published is in ``storage.destinations``.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from types import TracebackType
from typing import Any, Self

from airflow_provider_kapture.client import KaptureClient
from airflow_provider_kapture.client.api.request import OrderQuery
from airflow_provider_kapture.client.days import Window, day_start
from airflow_provider_kapture.client.pull.stats import PullStats
from airflow_provider_kapture.client.pull.steps import OrderBatch
from airflow_provider_kapture.storage.checkpoint import SHA256, Checkpoint, run_key
from airflow_provider_kapture.storage.day_counts import add_resumed_day, counting
from airflow_provider_kapture.storage.destinations.destination import check_destination, object_name, receipt_name
from airflow_provider_kapture.storage.destinations.object_store import store_error
from airflow_provider_kapture.storage.destinations.publish import no_empty_folders, object_uri, stage
from airflow_provider_kapture.storage.destinations.stores.choose import open_store
from airflow_provider_kapture.storage.destinations.stores.store import ChangedError
from airflow_provider_kapture.storage.encoders.schema import COLUMNS
from airflow_provider_kapture.storage.folder import (
    OWNER_FILE,
    Claim,
    Owner,
    check_object_owner,
    claim,
    hash_query,
    owner_metadata,
)
from airflow_provider_kapture.storage.receipt import total_rescued
from airflow_provider_kapture.storage.set_aside import check_misfits, log_set_aside
from airflow_provider_kapture.storage.targets import Target, file_as_published, with_overlaps, with_states

log = logging.getLogger(__name__)


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
    :param owner: the account and the query, which a folder or an object belongs to
    :param on_misfit: as for the operator
    :param on_overlap: as for the operator
    :param upload_options: as for the operator
    """

    client: KaptureClient
    query: OrderQuery
    stats: PullStats
    destination: str
    file_format: str
    on_empty: str
    watch: Callable[[], None]
    owner: Owner
    on_misfit: str = "keep"
    on_overlap: str = "fail"
    upload_options: Mapping[str, Any] | None = None
    _files: list[dict[str, Any]] = field(default_factory=list)
    _unknown: set[str] = field(default_factory=set)
    _checkpoint: Checkpoint | None = None
    _claim: Claim | None = None
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
            if self._claim is not None and self._claim.is_new and not self._files:
                # The settings may be wrong, and the next pull's be others.
                with suppress(Exception):
                    self._store.delete(OWNER_FILE)

    def run(self, window: Window, days_back: int, context: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Pull and publish, and return the receipt's entries of the files, sorted by the start of their windows.

        :param window: the window of the run
        :param days_back: number of whole days before the window that are pulled as well
        :param context: the task's context, which identifies the run for its retries
        :raises KaptureError: the pull could not be completed; nothing of the failed part was published
        :raises OSError: a file could not be written or uploaded
        """
        check_destination(self.destination)
        self._store = open_store(self.destination, self.upload_options)
        if self.destination.endswith("/"):
            targets = self._folder_targets(window, _widened(window, days_back), context)
        else:
            targets = with_states(self._store, self.destination, [Target("", window)], can_read=False)
            for target in targets:
                if target.state is not None:
                    check_object_owner(self.destination, target.state.metadata, self.owner)
            try:
                self._store.probe("")
            except Exception as error:
                raise store_error(self._store, "write", self.destination, error) from error
        self._pull(targets)
        log_set_aside(self._unknown, total_rescued(self._files))
        return sorted(self._files, key=lambda each: dt.datetime.fromisoformat(each["window_start"]))

    @property
    def files(self) -> list[dict[str, Any]]:
        """Return the receipt's entries of the files that are published so far."""
        return list(self._files)

    @property
    def query_hash(self) -> str:
        """Return the hash of the query: in a folder that can be read, with the folder's salt."""
        if self._claim is not None and self._claim.query_hash is not None:
            return self._claim.query_hash
        return hash_query(self.owner.query, f"{self.owner.account}/{self.owner.cm_id}")

    @property
    def receipt_uri(self) -> str | None:
        """Return where the receipt is stored; None for a single object."""
        return None if self._checkpoint is None else self._checkpoint.uri

    def finish(self, receipt: Mapping[str, Any]) -> None:
        """Write the receipt beside the data of a ``/`` destination; a retry resumes nothing from then on.

        :raises OSError: it could not be written
        """
        if self._checkpoint is not None:
            if self._claim is not None and self._claim.can_read and not self._claim.is_new:
                # The pull that has created it may have failed since, and taken it back.
                claim(self._store, self.destination, self.owner)
            try:
                self._checkpoint.finish(receipt)
            except Exception as error:
                raise store_error(self._store, "write", self._checkpoint.uri, error) from error
            self._checkpoint = self._claim = None

    def _folder_targets(self, window: Window, widened: Window, context: Mapping[str, Any]) -> list[Target]:
        """Return the days to pull into a folder: without those that an earlier attempt has published."""
        self._claim = claim(self._store, self.destination, self.owner)
        can_read = self._claim.can_read
        targets = [
            Target(object_name(self.query.date_field, part, self.file_format), part) for _, part in widened.days()
        ]
        targets = with_overlaps(self._store, self.destination, targets, self.on_overlap)
        about = {
            "account": self.client.account.host,
            "cm_id": self.client.account.dialect.cm_id,
            "query_hash": self._claim.query_hash,
            "window_start": window.start.isoformat(),
            "window_end": window.end.isoformat(),
            "date_field": self.query.date_field,
        }
        checkpoint = Checkpoint(
            self._store,
            self.destination,
            receipt_name(self.query.date_field, window),
            key=run_key(context),
            work=self._work(),
            about=about,
            can_read=can_read,
        )
        try:
            checkpoint.start()
        except Exception as error:
            raise store_error(self._store, "write", checkpoint.uri, error) from error
        self._checkpoint = checkpoint
        targets = with_states(self._store, self.destination, targets, can_read=can_read)
        pending = [target for target in targets if not self._resume(checkpoint, target)]
        if self.stats.resumed_days:
            log.info(
                "%d of %d days were published by an earlier attempt of this run", self.stats.resumed_days, len(targets)
            )
        return pending

    def _pull(self, targets: Sequence[Target]) -> None:
        """Pull and publish; objects that another pull has replaced meanwhile are pulled once more."""
        started = dt.datetime.now(dt.UTC)
        empty, changed = self._pull_each(targets, started)
        changed += self._publish_empty(empty, started)
        if not changed:
            return
        log.warning(
            "Another pull has replaced %d objects while their orders were read; pulling them again", len(changed)
        )
        empty, changed = self._pull_each(with_states(self._store, self.destination, changed, can_read=False), started)
        changed += self._publish_empty(empty, started)
        if changed:
            raise OSError(
                f"{object_uri(self.destination, changed[0].name)!r} was replaced by another pull while its orders were "
                "read, twice; let one pull at a time write to a destination"
            )

    def _publish_empty(self, targets: Sequence[Target], started: dt.datetime) -> list[Target]:
        """Publish the days without orders of a folder's window that has some, and return those that have changed.

        They replace the objects of an earlier run.
        """
        if not self.stats.rows or self._checkpoint is None:
            return []
        changed = []
        for target in targets:
            end = iter([OrderBatch((), ends=target.window)])
            try:
                with counting(self.stats, is_complete=target.window.end <= started) as counts:
                    self._publish(target, end, counts, is_required=True)
            except ChangedError:
                changed.append(target)
        return changed

    def _pull_each(self, targets: Sequence[Target], started: dt.datetime) -> tuple[list[Target], list[Target]]:
        """Pull and publish, and return the targets that are not published: empty ones, and those that have changed."""
        empty, changed = [], []
        windows = [target.window for target in targets]
        with closing(self.client.pull(self.query, windows, self.stats)) as batches:
            for target in targets:
                try:
                    with counting(self.stats, is_complete=target.window.end <= started) as counts:
                        if not self._publish(target, batches, counts):
                            empty.append(target)
                except ChangedError:
                    changed.append(target)
        return empty, changed

    def _publish(
        self,
        target: Target,
        batches: Iterator[OrderBatch],
        counts: Callable[[], dict[str, Any]],
        *,
        is_required: bool = False,
    ) -> bool:
        """Write the next batches up to the end of a window, and return whether a file was published."""
        with stage(self.destination, self.file_format, self._store, target.name) as spool:
            for batch in batches:
                spool.write(batch.raws)
                self.watch()
                if batch.ends is not None:
                    break
            is_required = is_required or spool.rows > 0 or self.on_empty == "write"
            # Replace an older object: it contains orders that Kapture no longer returns.
            if not is_required and not (self.on_empty == "skip" and (target.state is not None or target.covered)):
                return False
            report = spool.finish()
            rescued = check_misfits(report, self.on_misfit)
            self.stats.repaired += report.repaired
            self._unknown |= report.unknown
            edges = {"window_start": target.window.start.isoformat(), "window_end": target.window.end.isoformat()}
            about = {"rescued": rescued, "content_sha256": report.content.hexdigest(), "changed": True, **edges}
            day = {"file": {"rows": spool.rows, **about}, **counts()}
            file = spool.publish(partial(self._metadata, day), target.state) | about
        log.debug("Published %s: %d orders, %d bytes", file["uri"], file["rows"], file["bytes"])
        self._files.append(file)
        # A day that was not over when it was pulled may have had more orders since.
        if self._checkpoint is not None and day["complete"]:
            self._checkpoint.save(target.name, {**day, "file": file})
        self._remove_covered(target)
        return True

    def _metadata(self, day: Mapping[str, Any], sha256: str) -> dict[str, str]:
        if self._checkpoint is not None:
            return self._checkpoint.metadata(day, sha256)
        return {SHA256: sha256, **owner_metadata(self.owner)}

    def _remove_covered(self, target: Target) -> None:
        for name in target.covered:
            try:
                self._store.delete(name)
            except Exception as error:
                raise store_error(self._store, "delete", self.destination + name, error) from error
            log.info("Removed %s, which %s covers", name, target.name)

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
            "upload_options": self.upload_options,
            "on_misfit": self.on_misfit,
        }

    def _resume(self, checkpoint: Checkpoint, target: Target) -> bool:
        """Take over a day that an earlier attempt has published, if its object is still there as it was."""
        day = checkpoint.get(target.name, object_uri(self.destination, target.name), target.state)
        if day is None:
            return False
        file = file_as_published(self._store, target, day["file"])
        if file is None:
            log.warning("%s is missing or differs from what this run has published; pulling it again", target.name)
            checkpoint.drop(target.name)
            return False
        log.debug("%s was published by an earlier attempt of this run", target.name)
        checkpoint.save(target.name, {**day, "file": file})
        self._files.append(file)
        add_resumed_day(self.stats, file["rows"], day)
        self._remove_covered(target)
        return True


def _widened(window: Window, days_back: int) -> Window:
    if not days_back:
        return window
    first = window.start.date() - dt.timedelta(days=days_back)
    return replace(window, start_ms=day_start(first, window.zone))
