"""The plan of a pull into files: its objects, what is there in their place, and what an earlier attempt has left.

Looking at objects is in ``targets``, what was published is in ``checkpoint``; the pull itself is in ``file_pull``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from airflow_provider_kapture.client.api.request import OrderQuery
from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.days import Window, day_start
from airflow_provider_kapture.storage.checkpoint import Checkpoint, run_key
from airflow_provider_kapture.storage.destinations.destination import object_name, receipt_name
from airflow_provider_kapture.storage.destinations.object_store import store_error
from airflow_provider_kapture.storage.destinations.stores.store import ANY, Store
from airflow_provider_kapture.storage.folder import Claim, Owner, check_object_owner
from airflow_provider_kapture.storage.options import FileOptions
from airflow_provider_kapture.storage.targets import Target, with_overlaps, with_states


@dataclass(frozen=True)
class Plan:
    """What a pull is to write.

    :param targets: the objects, those that an earlier attempt has published among them
    :param checkpoint: what was published; None for a single object
    """

    targets: list[Target]
    checkpoint: Checkpoint | None = None

    @property
    def is_blind(self) -> bool:
        """Whether objects may be there that the connection may not read."""
        return any(target.state is ANY for target in self.targets)


def plan_object(store: Store, options: FileOptions, owner: Owner, window: Window) -> Plan:
    """Return the plan of a single object.

    :raises KaptureSettingsError: the object is another query's, or may not be written
    :raises OSError: the store cannot be reached
    """
    targets = with_states(store, options.destination, [Target("", window)], can_read=False)
    for target in targets:
        if target.state is not None:
            check_object_owner(options.destination, target.state.metadata, owner)
    try:
        store.probe("")
    except Exception as error:
        raise store_error(store, "write", options.destination, error) from error
    return Plan(targets)


@dataclass(frozen=True)
class FolderPull:
    """A pull into a folder.

    :param account: the account
    :param query: date field and filters
    :param window: the window of the run
    :param days_back: number of whole days before the window that are pulled as well
    :param started: when the pull began
    :param context: the task's context, which identifies the run for its retries
    """

    account: Account
    query: OrderQuery
    window: Window
    days_back: int
    started: dt.datetime
    context: Mapping[str, Any]


def plan_folder(store: Store, options: FileOptions, pull: FolderPull, claim: Claim) -> Plan:
    """Return the plan of a folder, with its checkpoint started.

    :raises KaptureSettingsError: objects overlap, or the folder may not be written to
    :raises OSError: the store cannot be reached
    """
    targets = [
        Target(object_name(pull.query.date_field, part, options.file_format), part)
        for _, part in _widened(pull.window, pull.days_back).days()
    ]
    targets = with_overlaps(store, options.destination, targets, options.on_overlap)
    targets = with_states(store, options.destination, targets, can_read=claim.can_read)
    checkpoint = Checkpoint(
        store,
        options.destination,
        receipt_name(pull.query.date_field, pull.window),
        key=run_key(pull.context),
        work=_work(pull, options, claim),
        about=_about(pull, claim),
        can_read=claim.can_read,
    )
    try:
        checkpoint.start()
    except Exception as error:
        raise store_error(store, "write", checkpoint.uri, error) from error
    return Plan(targets, checkpoint)


def _about(pull: FolderPull, claim: Claim) -> dict[str, Any]:
    return {
        "account": pull.account.host,
        "cm_id": pull.account.dialect.cm_id,
        "query_hash": claim.query_hash,
        "window_start": pull.window.start.isoformat(),
        "window_end": pull.window.end.isoformat(),
        "date_field": pull.query.date_field,
        "pulled_at": pull.started.astimezone(pull.account.zone).isoformat(),
    }


def _work(pull: FolderPull, options: FileOptions, claim: Claim) -> dict[str, Any]:
    account = pull.account
    return {
        "account": account.host,
        # Without `default_body`, which is in the hash of the query.
        "dialect": repr(account.dialect),
        "query_hash": claim.query_hash,
        "date_field": pull.query.date_field,
        "destination": options.destination,
        "encoding": options.encoding,
        "on_empty": options.on_empty,
        "upload_options": options.upload_options_hash,
        "on_misfit": options.on_misfit,
    }


def _widened(window: Window, days_back: int) -> Window:
    if not days_back:
        return window
    first = window.start.date() - dt.timedelta(days=days_back)
    return replace(window, start_ms=day_start(first, window.zone))
