"""The checkpoint of a task: the parts that a failed attempt has published, for Airflow's retry or a user's Clear.

It is deleted on success, so that clearing a finished run pulls everything again. It is stored in Airflow's task state
from 3.3 on, and in a Variable before: XCom is deleted when an attempt starts, and an object next to the data would
have to be skipped by readers. The window that outlives success is in ``window_store``.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from typing import Any, Protocol

from airflow.providers.common.compat.sdk import Variable

log = logging.getLogger(__name__)


class _Store(Protocol):
    def get(self, key: str) -> Any: ...

    def set(self, key: str, value: Any) -> None: ...

    def delete(self, key: str) -> None: ...


class _Variables:
    """Airflow Variables as a store, for versions without task state; the Variable is deleted once the task succeeds."""

    def get(self, key: str) -> Any:
        return Variable.get(key, None, deserialize_json=True)

    def set(self, key: str, value: Any) -> None:
        Variable.set(key, value, description="Resumes a pull of Kapture orders", serialize_json=True)

    def delete(self, key: str) -> None:
        Variable.delete(key)


class Checkpoint:
    """The finished parts of a pull, stored across the attempts of one task of one run.

    :param store: where they are stored; None to store nothing
    :param key: identifies the task of the run
    :param work: the settings that decide what is pulled and where it is written; parts that were stored with other
        settings are ignored
    """

    def __init__(self, store: _Store | None, key: str, work: Mapping[str, Any]) -> None:
        self._store = store
        self._key = key
        self._work = hashlib.sha256(json.dumps(work, sort_keys=True, default=str).encode()).hexdigest()
        stored = (store.get(key) if store is not None else None) or {}
        self._is_stored = bool(stored)
        self._done: dict[str, dict[str, Any]] = dict(stored["done"]) if stored.get("work") == self._work else {}

    def get(self, part: str) -> dict[str, Any] | None:
        """Return the entry of a finished part; None if there is none."""
        return self._done.get(part)

    def save(self, part: str, entry: dict[str, Any]) -> None:
        """Store the entry of a finished part; if that fails, log a warning: a retry pulls the part again."""
        if self._store is None:
            return
        self._done[part] = entry
        self._is_stored = True
        try:
            self._store.set(self._key, {"work": self._work, "done": self._done})
        except Exception:
            log.warning("Could not save the checkpoint for %s; a retry will pull it again", part, exc_info=True)

    def clear(self) -> None:
        """Delete the checkpoint once the task has succeeded, so that a rerun pulls everything again.

        :raises Exception: the store failed to delete it; a rerun would otherwise skip the stored parts
        """
        if self._store is not None and self._is_stored:
            self._store.delete(self._key)


def load_checkpoint(context: Mapping[str, Any], work: Mapping[str, Any]) -> Checkpoint:
    """Return the checkpoint of the context's task; outside a run, one that is not stored.

    :param context: the task's context
    :param work: as for :class:`Checkpoint`
    """
    task_instance = context.get("ti")
    if task_instance is None:
        return Checkpoint(None, "", work)
    state = context.get("task_state_store")
    if state is not None:
        return Checkpoint(state, "kapture_published", work)
    parts = (task_instance.dag_id, task_instance.run_id, task_instance.task_id, task_instance.map_index)
    run = hashlib.sha256(repr(parts).encode()).hexdigest()[:32]
    return Checkpoint(_Variables(), f"kapture_published_{run}", work)
