"""The checkpoint of a pull: the days that it has published, in its receipt beside the data until it is finished.

A pull replaces the receipt of its window by one with ``in_progress``, which holds the published days with their
counts, and the former receipt under ``previous``. Airflow's retry of the same run finds it there and resumes; any other
run, and a user's Clear, starts over. Nothing is stored in Airflow: its task state survives a Clear, and its XComs do
not survive a retry. What the final receipt says is in ``storage.receipt``; whether a published day is still there is
checked in ``storage.publication``. The window that outlives success is in ``window_store``.
"""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from airflow_provider_kapture.storage.destinations.object_store import one_line
from airflow_provider_kapture.storage.destinations.stores.store import (
    ANY,
    ChangedError,
    ObjectState,
    Store,
    is_forbidden,
)
from airflow_provider_kapture.storage.fingerprint import Fingerprint
from airflow_provider_kapture.storage.reported import ReportedFiles, decode_receipt

log = logging.getLogger(__name__)

# Minimum seconds between two rewrites in an object store. A local file is rewritten after each day.
REWRITE_INTERVAL = 10.0

# Keys of an object's metadata.
PULL_ID = "kapture_pull_id"
_ENTRY = "kapture_day"
RECEIPT = "kapture_receipt"
PULLED_AT = "kapture_pulled_at"


def run_key(context: Mapping[str, Any]) -> list[Any] | None:
    """Return what identifies a run of a task over its automatic retries; None outside a task.

    Airflow raises ``max_tries`` when a task is cleared, and, from 3.2 on, ``clear_number`` when a running task is.
    """
    task_instance = context.get("ti")
    if task_instance is None:
        return None
    names = ("dag_id", "run_id", "task_id", "map_index", "max_tries")
    clears = getattr(context.get("dag_run"), "clear_number", None)
    return [*(getattr(task_instance, name, None) for name in names), clears]


def run_id(context: Mapping[str, Any]) -> str | None:
    """Return a hash of what :func:`run_key` returns; None outside a task."""
    key = run_key(context)
    return None if key is None else hashlib.sha256(json.dumps(key, default=str).encode()).hexdigest()[:32]


class Checkpoint:
    """The published days of a pull into a folder.

    :param store: the store of the folder
    :param destination: the folder
    :param name: name of the receipt in the folder
    :param key: as :func:`run_key` returns it; None to resume nothing
    :param work: the settings that decide what is pulled and how it is written; days that were published with other
        settings are pulled again
    :param about: keys of the receipt that are known at the start
    :param can_read: whether the folder may be read; if not, nothing is resumed
    :param clock: returns seconds since any fixed origin
    """

    def __init__(
        self,
        store: Store,
        destination: str,
        name: str,
        *,
        key: list[Any] | None,
        work: Mapping[str, Any],
        about: Mapping[str, Any],
        can_read: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self.uri = destination + name
        self._name = name
        self._key = key
        self._work = json.dumps(work, sort_keys=True, default=str).encode()
        self._about = dict(about)
        self._clock = clock
        self._pull_id = secrets.token_hex(16)
        self._can_read = can_read
        self._replaced: bytes | None = None
        self._written = ANY
        self._previous: Any = None
        self._done: dict[str, dict[str, Any]] = {}
        self._is_dirty = False
        self._rewritten = clock()

    def start(self) -> None:
        """Read what an earlier attempt has left, and replace the receipt by one that is in progress.

        :raises Exception: the store refuses to write, or cannot be reached
        """
        if not self._can_read:
            return
        try:
            self._replaced = self._store.read(self._name)
        except Exception as error:
            # The folder may be read: where listing is not permitted, S3 refuses to read what does not exist.
            if not is_forbidden(error):
                raise
        self._load(decode_receipt(self._replaced))
        self._write()
        if self._replaced is None and self._store.needs_more_to_replace:
            # The final receipt replaces this one: that must not fail after everything was published.
            self._write()

    def _load(self, found: Mapping[str, Any]) -> None:
        if not found.get("in_progress"):
            self._previous = found or None
            return
        self._previous = found.get("previous")
        pull_id = found.get("pull_id")
        if self._key is None or found.get("run_key") != self._key or not isinstance(pull_id, str):
            return
        if found.get("work") != self._hash_of_work(pull_id):
            log.info("The settings have changed since the earlier attempt of this run; all days are pulled again")
            return
        self._pull_id = pull_id
        self._done = dict(found.get("days") or {})

    def _hash_of_work(self, pull_id: str) -> str:
        return hashlib.sha256(pull_id.encode() + self._work).hexdigest()

    def get(self, day: str, uri: str, state: ObjectState | None) -> dict[str, Any] | None:
        """Return the entry of a day that an earlier attempt has published; None if it has not.

        :param day: name of the day's object
        :param uri: where the object is
        :param state: the object as it is now; its metadata tell of days since the receipt was last rewritten
        """
        if state is None or state.metadata.get(PULL_ID) != self._pull_id:
            return self._done.get(day)
        entry = decode_receipt(state.metadata.get(_ENTRY, "").encode())
        if not entry.get("complete"):
            return None
        known = Fingerprint.from_metadata(state.metadata).to_entry()
        return entry | {"file": {"uri": uri, "bytes": state.size, **known, **state.receipt_keys, **entry["file"]}}

    def drop(self, day: str) -> None:
        """Forget a day, which is pulled again."""
        self._is_dirty = self._done.pop(day, None) is not None or self._is_dirty

    def reported_files(self) -> ReportedFiles:
        """Return what finished pulls have said about the objects of the folder, this window's former one among them."""
        return ReportedFiles(self._store, self.uri.removesuffix(self._name), self._name, self._previous)

    def metadata(self, entry: Mapping[str, Any]) -> dict[str, str]:
        """Return the metadata of the object of a day, besides its fingerprint."""
        text = json.dumps(entry, separators=(",", ":"))
        found = {PULL_ID: self._pull_id, RECEIPT: self._name, PULLED_AT: str(self._about["pulled_at"])}
        # S3 takes 2 KB of metadata, the user's among them. A day without its counts is pulled again by a retry within
        # the interval.
        return found | ({_ENTRY: text} if len(text) <= 600 else {})

    def save(self, day: str, entry: Mapping[str, Any]) -> None:
        """Add a published day. If it cannot be stored, log a warning: a retry pulls the day again."""
        if self._done.get(day) == entry:
            return
        self._done[day] = dict(entry)
        self._is_dirty = True
        if self._store.is_local or self._clock() - self._rewritten >= REWRITE_INTERVAL:
            self._try_to(self._write)

    def stop(self) -> None:
        """Store the state of a pull that failed; without a published day, put back what was there before."""
        if not self._can_read or not self._is_own():
            return
        if self._done:
            if self._is_dirty:
                self._try_to(self._write)
        elif self._replaced is None:
            self._try_to(lambda: self._store.delete(self._name))
        else:
            self._try_to(lambda: self._store.write(self._name, self._replaced or b""))

    def finish(self, receipt: Mapping[str, Any]) -> None:
        """Replace the receipt by its final form, which ends resuming.

        :raises ChangedError: another pull of the window has replaced one of the objects meanwhile
        :raises Exception: the store failed to write it
        """
        text = msgspec.json.format(msgspec.json.encode(receipt), indent=2) + b"\n"
        try:
            self._store.write(self._name, text, self._written)
        except ChangedError:
            for file in receipt["files"]:
                self._check_published(file)
            self._store.write(self._name, text)

    def _is_own(self) -> bool:
        """Return whether no other pull of the window has replaced the receipt since this one wrote it."""
        try:
            return bool(decode_receipt(self._store.read(self._name)).get("pull_id") == self._pull_id)
        except Exception:  # noqa: BLE001 - the write that follows fails as well, and logs it
            return True

    def _check_published(self, file: Mapping[str, Any]) -> None:
        name = file["uri"].removeprefix(self.uri.removesuffix(self._name))
        state = self._store.stat(name)
        is_same = state is not None and all(file.get(key) == value for key, value in state.receipt_keys.items())
        if not is_same or self._store.sha256(name) not in {None, file["sha256"]}:
            raise ChangedError(f"another pull of the same window has replaced {file['uri']!r}")

    def _try_to(self, write: Callable[[], object]) -> None:
        try:
            write()
        except Exception as error:  # noqa: BLE001 - the orders are published, and the error of a pull matters more
            log.warning(
                "Could not store the receipt %s (%s: %s); a retry may pull published days again",
                self._name,
                type(error).__name__,
                one_line(error),
            )

    def _write(self) -> None:
        if not self._can_read:
            return
        self._written = self._store.write(
            self._name,
            msgspec.json.encode(
                {
                    **self._about,
                    "in_progress": True,
                    "pull_id": self._pull_id,
                    "run_key": self._key,
                    "work": self._hash_of_work(self._pull_id),
                    "days": self._done,
                    "previous": self._previous,
                }
            ),
            self._written,
        )
        self._is_dirty = False
        self._rewritten = self._clock()
