"""A pull of a window into files: one file, or one for each of the account's days, with resume after a failed attempt.

What is to be written is in ``plan``, how a day is published in ``publication``. How a file is encoded is in
``storage.encoders``; how it is written and put in place is in ``storage.destinations``.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from airflow_provider_kapture.client import KaptureClient
from airflow_provider_kapture.client.api.request import OrderQuery
from airflow_provider_kapture.client.days import Window
from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.client.pull.stats import PullStats
from airflow_provider_kapture.client.pull.steps import OrderBatch
from airflow_provider_kapture.storage.changes.files import Folder
from airflow_provider_kapture.storage.changes.folder import ChangesFolder
from airflow_provider_kapture.storage.checkpoint import Checkpoint, run_id
from airflow_provider_kapture.storage.day_counts import counting
from airflow_provider_kapture.storage.destinations.destination import check_destination
from airflow_provider_kapture.storage.destinations.object_store import store_error
from airflow_provider_kapture.storage.destinations.publish import no_empty_folders, object_uri
from airflow_provider_kapture.storage.destinations.stores.choose import open_store
from airflow_provider_kapture.storage.destinations.stores.store import ChangedError
from airflow_provider_kapture.storage.folder import OWNER_FILE, Claim, Owner, claim, hash_query
from airflow_provider_kapture.storage.options import FileOptions
from airflow_provider_kapture.storage.plan import FolderPull, Plan, plan_folder, plan_object
from airflow_provider_kapture.storage.publication import Publisher
from airflow_provider_kapture.storage.receipt import total_rescued
from airflow_provider_kapture.storage.set_aside import log_set_aside
from airflow_provider_kapture.storage.targets import Target, look_at, with_states

log = logging.getLogger(__name__)


@dataclass
class FilePull:
    """A pull into files. Use it as a context manager: at the end of the context, a pull without :meth:`finish` failed.

    :param client: client of the account
    :param query: date field and filters
    :param stats: counters, updated while the pull runs; parts that an earlier attempt published are included
    :param options: where and how files are written
    :param owner: the account and the query, which a folder or an object belongs to
    :param watch: called after each batch of orders
    :param started: when the pull began, as its receipt says
    """

    client: KaptureClient
    query: OrderQuery
    stats: PullStats
    options: FileOptions
    owner: Owner
    watch: Callable[[], None]
    started: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))
    _files: list[dict[str, Any]] = field(default_factory=list)
    _publisher: Publisher | None = None
    _claim: Claim | None = None
    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        for folder in filter(None, (self.options.destination, self.options.changes)):
            self._stack.enter_context(no_empty_folders(folder))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            if self._checkpoint is not None:
                self._checkpoint.stop()
            has_published = self._publisher is not None and self._publisher.files
            if self._claim is not None and self._claim.is_new and not has_published:
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
        check_destination(self.options.destination)
        self._store = open_store(self.options.destination, self.options.upload_options)
        plan = self._make_plan(window, days_back, context)
        if plan.is_blind:
            self.stats.warnings.append(
                "The objects at the destination may not be read: every day counts as changed, and is written again"
            )
        publisher = Publisher(
            self._store, self.options, self.owner, self.stats, self.watch, run_id(context), plan.checkpoint
        )
        self._publisher, self._files = publisher, publisher.files
        publisher.changes = self._prepare_changes(plan)
        pending = [target for target in plan.targets if not publisher.take_over(target)]
        if self.stats.resumed_days:
            resumed, all_days = self.stats.resumed_days, len(plan.targets)
            log.info("%d of %d days were published by an earlier attempt of this run", resumed, all_days)
        self._pull(publisher, pending)
        log_set_aside(publisher.unknown, total_rescued(publisher.files))
        return sorted(publisher.files, key=lambda each: dt.datetime.fromisoformat(each["window_start"]))

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

    @property
    def _checkpoint(self) -> Checkpoint | None:
        return None if self._publisher is None else self._publisher.checkpoint

    def finish(self, receipt: Mapping[str, Any]) -> None:
        """Write the receipt beside the data of a ``/`` destination; a retry resumes nothing from then on.

        :raises OSError: it could not be written
        """
        checkpoint = self._checkpoint
        if checkpoint is not None:
            if self._claim is not None and self._claim.can_read and not self._claim.is_new:
                # The pull that has created it may have failed since, and taken it back.
                claim(self._store, self.options.destination, self.owner)
            try:
                checkpoint.finish(receipt)
            except Exception as error:
                raise store_error(self._store, "write", checkpoint.uri, error) from error
            self._publisher = self._claim = None

    def _make_plan(self, window: Window, days_back: int, context: Mapping[str, Any]) -> Plan:
        if not self.options.is_folder:
            return plan_object(self._store, self.options, self.owner, window)
        self._claim = claim(self._store, self.options.destination, self.owner)
        pull = FolderPull(self.client.account, self.query, window, days_back, self.started, context)
        return plan_folder(self._store, self.options, pull, self._claim)

    def _prepare_changes(self, plan: Plan) -> ChangesFolder | None:
        """Return where changes are written, with nothing left there of killed pulls.

        :raises KaptureSettingsError: a permission is missing
        """
        if self.options.changes is None:
            return None
        if plan.is_blind or (self._claim is not None and not self._claim.can_read):
            raise KaptureSettingsError(
                f"`changes` needs to read the objects of `destination` {self.options.destination!r}, which the "
                f"connection may not: grant {self._store.actions['read']}, or remove `changes`"
            )
        check_destination(self.options.changes)
        folder = Folder(self.options.changes, self.options.upload_options)
        changes = ChangesFolder(folder, Folder(self.options.destination), self.started, self.options.fields)
        changes.check(plan.targets[0].name)
        look_at(lambda target: changes.recover(target.name, target.covered), plan.targets, folder.store)
        return changes

    def _pull(self, publisher: Publisher, targets: Sequence[Target]) -> None:
        """Pull and publish; objects that another pull has replaced meanwhile are pulled once more."""
        changed = self._pull_and_publish(publisher, targets)
        if not changed:
            return
        log.warning(
            "Another pull has replaced %d objects while their orders were read; pulling them again", len(changed)
        )
        destination = self.options.destination
        changed = self._pull_and_publish(publisher, with_states(self._store, destination, changed, can_read=False))
        if changed:
            raise OSError(
                f"{object_uri(destination, changed[0].name)!r} was replaced by another pull while its orders were "
                "read, twice; let one pull at a time write to a destination"
            )

    def _pull_and_publish(self, publisher: Publisher, targets: Sequence[Target]) -> list[Target]:
        """Pull and publish, and return the targets whose objects have changed meanwhile."""
        empty, changed = [], []
        windows = [target.window for target in targets]
        with closing(self.client.pull(self.query, windows, self.stats)) as batches:
            for target in targets:
                try:
                    with counting(self.stats, is_complete=target.window.end <= self.started) as counts:
                        if not publisher.publish(target, batches, counts):
                            empty.append(target)
                except ChangedError:
                    changed.append(target)
        if self.stats.rows and publisher.checkpoint is not None:
            changed += self._publish_empty(publisher, empty)
        return changed

    def _publish_empty(self, publisher: Publisher, targets: Sequence[Target]) -> list[Target]:
        """Publish the days without orders of a folder's window that has some; they replace those of an earlier run.

        :return: the targets whose objects have changed meanwhile
        """
        changed = []
        for target in targets:
            end = iter([OrderBatch((), ends=target.window)])
            try:
                with counting(self.stats, is_complete=target.window.end <= self.started) as counts:
                    publisher.publish(target, end, counts, is_required=True)
            except ChangedError:
                changed.append(target)
        return changed
