"""The objects that a pull is to write, and what is there before it reads: their state, and objects that overlap.

What the objects of a folder mean is in ``folder``; the pull itself is in ``file_pull``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from airflow_provider_kapture.client.days import Window
from airflow_provider_kapture.storage.destinations.object_store import one_line, store_error
from airflow_provider_kapture.storage.destinations.stores.store import ANY, ObjectState, Store, is_forbidden
from airflow_provider_kapture.storage.fingerprint import Fingerprint
from airflow_provider_kapture.storage.folder import Overlaps, find_overlaps, overlap_error

log = logging.getLogger(__name__)

# Looks at an object store at the same time.
_LOOKS = 8
_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass(frozen=True)
class Target:
    """An object that a pull is to write.

    :param name: its name in the destination; empty for a single object
    :param window: the window of its orders
    :param state: the object that is there; None if there is none, ``ANY`` if that is not known
    :param covered: other objects whose windows it covers, to be removed once it is published
    """

    name: str
    window: Window
    state: ObjectState | None = ANY
    covered: tuple[str, ...] = ()


def with_states(store: Store, destination: str, targets: Sequence[Target], *, can_read: bool) -> list[Target]:
    """Return the targets with the states of their objects, one request each.

    :param can_read: whether the store permits reading; then an object that it refuses to look at does not exist
    """

    def look(target: Target) -> Target:
        try:
            return replace(target, state=store.stat(target.name))
        except Exception as error:
            if not is_forbidden(error):
                raise store_error(store, "read", destination + target.name, error) from error
            return replace(target, state=None if can_read else ANY)

    return look_at(look, targets, store)


def with_overlaps(store: Store, destination: str, targets: Sequence[Target], on_overlap: str) -> list[Target]:
    """Return the targets with the objects that they replace, by one listing of each day's folder.

    :param on_overlap: as for the operator
    :raises KaptureSettingsError: objects overlap that may not be removed
    """

    def look(target: Target) -> Overlaps | Exception:
        try:
            names = store.list_names(target.name.rpartition("/")[0] + "/")
        except Exception as error:
            if not is_forbidden(error):
                raise store_error(store, "list", destination, error) from error
            return error
        return find_overlaps(target.name, target.window, names)

    found = look_at(look, targets, store)
    overlaps = [each if isinstance(each, Overlaps) else Overlaps() for each in found]
    refused = next((each for each in found if isinstance(each, Exception)), None)
    if refused is not None:
        log.warning(
            "Cannot list %s (%s: %s): whether its objects overlap the days of this pull is not checked",
            destination,
            type(refused).__name__,
            one_line(refused),
        )
    is_replacing = on_overlap == "replace"
    names = [name for each in overlaps for name in ((() if is_replacing else each.covered) + each.partial)]
    if names:
        raise overlap_error(destination, names, is_replacing=is_replacing)
    return [replace(target, covered=each.covered) for target, each in zip(targets, overlaps, strict=True)]


def file_as_published(store: Store, target: Target, file: dict[str, Any]) -> dict[str, Any] | None:
    """Return the receipt's entry of a published file; None if its object is missing or may have other content.

    :param file: the entry
    """
    state = target.state
    if state is None or state.size != file["bytes"]:
        return None
    stored = Fingerprint.from_metadata(state.metadata).sha256 or store.sha256(target.name)
    if stored is None:
        return file if file.get("etag") and state.receipt_keys.get("etag") == file["etag"] else None
    return file if stored == file["sha256"] else None


def look_at(look: Callable[[_T], _R], targets: Iterable[_T], store: Store) -> list[_R]:
    """Return what a function returns for each target; in an object store, several requests are made at a time."""
    if store.is_local:
        return list(map(look, targets))
    with ThreadPoolExecutor(_LOOKS, thread_name_prefix="kapture-looks") as pool:
        return list(pool.map(look, targets))
