"""What a failed try of a run has published, for the next try: Airflow's retry, or a user's Clear.

On success it is forgotten, so that clearing a finished run pulls everything again; so does one whose work has changed.
Airflow keeps a task's state between its tries from 3.3 on. Before that it is a Variable: XCom is emptied when a try
starts, and an object beside the data would be one more thing in the way of readers.
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
    """Airflow Variables, for versions that keep no state of a task between its tries; gone once the task succeeds."""

    def get(self, key: str) -> Any:
        return Variable.get(key, None, deserialize_json=True)

    def set(self, key: str, value: Any) -> None:
        Variable.set(key, value, description="Resumes a pull of Kapture orders", serialize_json=True)

    def delete(self, key: str) -> None:
        Variable.delete(key)


class Checkpoint:
    """Entries of finished parts of a pull, kept over the tries of one task of one run, under the work's fingerprint.

    :param store: where they are kept; none keeps them nowhere
    :param key: the task of the run
    :param work: all that makes it the same work; another fingerprint starts afresh
    """

    def __init__(self, store: _Store | None, key: str, work: Mapping[str, Any]) -> None:
        self._store = store
        self._key = key
        self._work = hashlib.sha256(json.dumps(work, sort_keys=True, default=str).encode()).hexdigest()
        stored = (store.get(key) if store is not None else None) or {}
        self._is_stored = bool(stored)
        self._done: dict[str, dict[str, Any]] = dict(stored["done"]) if stored.get("work") == self._work else {}

    def get(self, part: str) -> dict[str, Any] | None:
        """What was kept of a part."""
        return self._done.get(part)

    def save(self, part: str, entry: dict[str, Any]) -> None:
        """Keep a finished part; where that fails, a retry pulls it again."""
        if self._store is None:
            return
        self._done[part] = entry
        self._is_stored = True
        try:
            self._store.set(self._key, {"work": self._work, "done": self._done})
        except Exception:
            log.warning("Airflow did not keep that %s is published: a retry pulls it again", part, exc_info=True)

    def clear(self) -> None:
        """The task succeeded: a rerun pulls everything again.

        :raises Exception: what is kept could not be deleted, and a rerun would take its parts for done
        """
        if self._store is not None and self._is_stored:
            self._store.delete(self._key)


def load_checkpoint(context: Mapping[str, Any], work: Mapping[str, Any]) -> Checkpoint:
    """The progress of the context's task; outside a run, one that is kept nowhere."""
    task_instance = context.get("ti")
    if task_instance is None:
        return Checkpoint(None, "", work)
    state = context.get("task_state_store")
    if state is not None:
        return Checkpoint(state, "kapture_published", work)
    parts = (task_instance.dag_id, task_instance.run_id, task_instance.task_id, task_instance.map_index)
    run = hashlib.sha256(repr(parts).encode()).hexdigest()[:32]
    return Checkpoint(_Variables(), f"kapture_published_{run}", work)
