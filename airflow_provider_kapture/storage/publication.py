"""The publication of a day: its orders are written, compared with the object that is there, and put in its place.

What is compared is in ``fingerprint`` and ``reported``; which days there are is in ``plan``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_kapture.client.pull.stats import PullStats
from airflow_provider_kapture.client.pull.steps import OrderBatch
from airflow_provider_kapture.storage.changes.files import LocalCopy
from airflow_provider_kapture.storage.changes.folder import ChangesFolder, DayFile
from airflow_provider_kapture.storage.checkpoint import PULL_ID, PULLED_AT, RECEIPT, Checkpoint
from airflow_provider_kapture.storage.day_counts import add_resumed_day
from airflow_provider_kapture.storage.destinations.object_store import store_error
from airflow_provider_kapture.storage.destinations.publish import StagedObject, object_uri, stage
from airflow_provider_kapture.storage.destinations.stores.store import ANY, ChangedError, ObjectState, Store
from airflow_provider_kapture.storage.encoders.report import Report
from airflow_provider_kapture.storage.fingerprint import Fingerprint
from airflow_provider_kapture.storage.folder import Owner, owner_metadata
from airflow_provider_kapture.storage.options import FileOptions
from airflow_provider_kapture.storage.reported import ReportedFiles
from airflow_provider_kapture.storage.set_aside import check_misfits
from airflow_provider_kapture.storage.targets import Target, file_as_published

log = logging.getLogger(__name__)


@dataclass
class Publisher:
    """Publishes one target after another.

    :param store: the store of the destination
    :param options: how files are written
    :param owner: the account and the query, which a single object is marked with
    :param stats: counters of the pull
    :param watch: called after each batch of orders
    :param run: as :func:`run_id` returns it
    :param checkpoint: what was published; None for a single object
    :param changes: where changes are written; None to write none
    :ivar files: the receipt's entries of the files
    :ivar unknown: names of fields without a column
    """

    store: Store
    options: FileOptions
    owner: Owner
    stats: PullStats
    watch: Callable[[], None]
    run: str | None = None
    checkpoint: Checkpoint | None = None
    changes: ChangesFolder | None = None
    files: list[dict[str, Any]] = field(default_factory=list)
    unknown: set[str] = field(default_factory=set)
    _reported: ReportedFiles | None = None

    def __post_init__(self) -> None:
        if self.checkpoint is not None:
            self._reported = self.checkpoint.reported_files()

    def publish(
        self,
        target: Target,
        batches: Iterator[OrderBatch],
        counts: Callable[[], dict[str, Any]],
        *,
        is_required: bool = False,
    ) -> bool:
        """Write the next batches up to the end of a window, and return whether there is a file of it.

        :param counts: returns the counts of the orders that were read for it
        :param is_required: whether a file is published in any case
        :raises ChangedError: another pull has replaced the object meanwhile
        :raises KaptureError: the orders cannot be published
        :raises OSError: the file could not be written or uploaded
        """
        options = self.options
        with stage(options.destination, options.file_format, self.store, target.name, options.fields) as spool:
            for batch in batches:
                spool.write(batch.raws)
                self.watch()
                if batch.ends is not None:
                    break
            is_required = is_required or spool.rows > 0 or self.options.on_empty == "write"
            is_replacing = target.state is not None or bool(target.covered)
            # Replace an older object: it contains orders that Kapture no longer returns.
            if not is_required and not (self.options.on_empty == "skip" and is_replacing):
                return False
            report = spool.finish()
            rescued = check_misfits(report, self.options.on_misfit)
            self.stats.repaired += report.repaired
            self.unknown |= report.unknown
            edges = {"window_start": target.window.start.isoformat(), "window_end": target.window.end.isoformat()}
            day = {"file": {"rows": spool.rows, "rescued": rescued, **edges}, **counts()}
            file = self._put_in_place(target, spool, self._fingerprint(spool, report), day)
        self.files.append(file)
        # A day that was not over when it was pulled may have had more orders since.
        if self.checkpoint is not None and day["complete"]:
            self.checkpoint.save(target.name, {**day, "file": file})
        self._remove_covered(target)
        return True

    def take_over(self, target: Target) -> bool:
        """Take over a day that an earlier attempt has published, if its object is still there as it was."""
        if self.checkpoint is None:
            return False
        day = self.checkpoint.get(target.name, object_uri(self.options.destination, target.name), target.state)
        if day is None:
            return False
        file = file_as_published(self.store, target, day["file"])
        if file is None:
            log.warning("%s is missing or differs from what this run has published; pulling it again", target.name)
            self.checkpoint.drop(target.name)
            return False
        log.debug("%s was published by an earlier attempt of this run", target.name)
        self.checkpoint.save(target.name, {**day, "file": file})
        self.files.append(file)
        add_resumed_day(self.stats, file["rows"], day)
        self._remove_covered(target)
        return True

    def _fingerprint(self, spool: StagedObject, report: Report) -> Fingerprint:
        return Fingerprint(
            spool.sha256,
            spool.sha256 if report.content is None else report.content.hexdigest(),
            report.unordered_sha256,
            self.options.encoding,
            None if self.store.is_local else self.options.upload_options_hash,
        )

    def _put_in_place(
        self, target: Target, spool: StagedObject, new: Fingerprint, day: dict[str, Any]
    ) -> dict[str, Any]:
        """Publish a file unless the object that is there has the same orders; return the receipt's entry."""
        state = target.state
        found = None if state is None or state is ANY else self._existing(target.name, state)
        if state is not None and found is not None and found.is_same(new) and _is_whole(state, found, spool):
            log.debug("%s has the same orders already", target.name or self.options.destination)
            uri = object_uri(self.options.destination, target.name)
            known = new if found.sha256 == new.sha256 else found
            stored = {"uri": uri, "bytes": state.size, **known.to_entry(), **state.receipt_keys}
            return {**stored, **day["file"], "changed": not self._is_reported(target, state, found)}
        about = {**new.to_entry(), **day["file"], "changed": True}
        with self._recorded(target, spool, found, new), self._announced(target, spool, {**day, "file": about}):
            file = spool.publish(self._metadata({**day, "file": {**day["file"], "changed": True}}, new), state) | about
        log.debug("Published %s: %d orders, %d bytes", file["uri"], file["rows"], file["bytes"])
        return file

    @contextmanager
    def _announced(self, target: Target, spool: StagedObject, day: dict[str, Any]) -> Iterator[None]:
        """Give a context in which a day is published.

        A local file has no metadata that tell a retry of it: it is in the checkpoint before it is put in place.
        """
        if self.checkpoint is None or not self.store.is_local or not day["complete"]:
            yield
            return
        uri = object_uri(self.options.destination, target.name)
        self.checkpoint.save(target.name, {**day, "file": {"uri": uri, "bytes": spool.size, **day["file"]}})
        try:
            yield
        except BaseException:
            self.checkpoint.drop(target.name)
            raise

    def _existing(self, name: str, state: ObjectState) -> Fingerprint:
        """Return the fingerprint of the object that is there.

        :raises ChangedError: a local file is not the one that was there before the orders were requested
        """
        if not self.store.is_local:
            return Fingerprint.from_metadata(state.metadata)
        sha256 = self.store.sha256(name)
        if sha256 is None or self.store.stat(name) != state:
            raise ChangedError(name)
        entry = None if self._reported is None else self._reported.latest(name, sha256)
        return Fingerprint.from_entry(sha256, entry or {})

    def _recorded(
        self, target: Target, spool: StagedObject, found: Fingerprint | None, new: Fingerprint
    ) -> AbstractContextManager[None]:
        """Return a context in which a target is published, so that its changes are written."""
        if self.changes is None:
            return nullcontext()
        former = {} if found is None else {target.name: found}
        for name in target.covered:
            state = self.store.stat(name)
            if state is not None:
                former[name] = self._existing(name, state)
        is_rewritten = any(
            not name.endswith(f".{self.options.file_format}") or each.encoding not in {None, new.encoding}
            for name, each in former.items()
        )
        file = LocalCopy(spool.path, spool.size, spool.sha256)
        return self.changes.recorded(DayFile(target.name, file, list(former), is_rewritten))

    def _is_reported(self, target: Target, state: ObjectState, found: Fingerprint) -> bool:
        """Return whether a finished pull has reported the object: for a single one, any run but this one's."""
        if self._reported is None:
            return self.run is None or state.metadata.get(PULL_ID) != self.run
        written_by, since = state.metadata.get(RECEIPT), state.metadata.get(PULLED_AT)
        return found.sha256 is not None and self._reported.is_reported(target.name, found.sha256, written_by, since)

    def _metadata(self, day: Mapping[str, Any], new: Fingerprint) -> dict[str, str]:
        if self.store.is_local:
            return {}
        if self.checkpoint is not None:
            return {**new.to_metadata(), **self.checkpoint.metadata(day)}
        mark = {} if self.run is None else {PULL_ID: self.run}
        return {**new.to_metadata(), **mark, **owner_metadata(self.owner)}

    def _remove_covered(self, target: Target) -> None:
        for name in target.covered:
            try:
                self.store.delete(name)
            except Exception as error:
                raise store_error(self.store, "delete", self.options.destination + name, error) from error
            log.info("Removed %s, which %s covers", name, target.name)


def _is_whole(state: ObjectState, found: Fingerprint, spool: StagedObject) -> bool:
    """Return whether an object that its metadata call equal to the new file has at least its size."""
    return found.sha256 != spool.sha256 or state.size == spool.size
