"""Reads a folder of any store for an audit: one listing, and each receipt once."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, cast

from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_kapture.audit.checks import suspects
from airflow_provider_kapture.audit.folder_state import FolderState, folder_state
from airflow_provider_kapture.audit.names import RECEIPTS
from airflow_provider_kapture.audit.records import MARKS, StoredObject
from airflow_provider_kapture.audit.report import Progress
from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.storage.checkpoint import PULL_ID
from airflow_provider_kapture.storage.destinations.destination import local_path
from airflow_provider_kapture.storage.destinations.object_store import (
    check_connection,
    extra_to_install,
    one_line,
    store_error,
)
from airflow_provider_kapture.storage.destinations.stores.choose import open_store
from airflow_provider_kapture.storage.destinations.stores.store import Store, is_missing
from airflow_provider_kapture.storage.folder import OWNER_FILE

# Requests to an object store at the same time.
_CONCURRENCY = 8
# Objects that are read at the same time, and the bytes of each that are in memory.
_READS = 4
_BLOCK_SIZE = 4 << 20
_SHOWN_NAMES = 10
_T = TypeVar("_T")
_R = TypeVar("_R")


def read_folder(destination: str, *, verify: bool, progress: Progress) -> FolderState:
    """Return the state of a folder.

    :param destination: absolute path or URL that ends in ``/``
    :param verify: whether to read the objects and compute their SHA-256
    :param progress: called with what is being done
    :raises KaptureSettingsError: there is no receipt in it, or it may not be read
    :raises OSError: it cannot be read at the moment
    """
    store = _opened(destination)
    objects = {each.name: each for each in _listed(store, destination)}
    names = sorted(each for each in objects if each.startswith(RECEIPTS) and each.endswith(".json"))
    if not names:
        raise _no_receipts(destination, sorted(objects))
    progress(f"reading {len(names):,} receipts", "receipts")
    texts = _each(lambda name: _read(store, destination, name), names, store, _CONCURRENCY)
    owner = _read(store, destination, OWNER_FILE) if OWNER_FILE in objects else None
    state = folder_state(destination, objects, dict(zip(names, texts, strict=True)), owner)
    if verify:
        state = _with_hashes(state, store, progress)
    return _with_second_looks(state, store)


def _opened(destination: str) -> Store:
    try:
        if local_path(destination) is None:
            check_connection(ObjectStoragePath(destination))
        return open_store(destination)
    except Exception as error:
        hint = extra_to_install(destination, error)
        raise KaptureSettingsError(
            f"`destination` {destination!r:.300} cannot be read ({type(error).__name__}: {one_line(error)}){hint}"
        ) from error


def _listed(store: Store, destination: str) -> Iterator[StoredObject]:
    try:
        local = local_path(destination)
        yield from _listed_files(local) if local is not None else _listed_objects(destination)
    except Exception as error:
        raise store_error(store, "list", destination, error) from error


def _listed_files(folder: Path) -> Iterator[StoredObject]:
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            try:
                state = path.stat()
            except FileNotFoundError:
                continue
            modified = dt.datetime.fromtimestamp(state.st_mtime, dt.UTC)
            yield StoredObject(str(path.relative_to(folder)), state.st_size, modified=modified)


def _listed_objects(destination: str) -> Iterator[StoredObject]:
    path = ObjectStoragePath(destination)
    file_system: Any = path.fs
    # Older releases of universal-pathlib leave the connection's id in front of the bucket.
    root = path.path.rpartition("@")[2].strip("/") if path.bucket else path.path.rstrip("/")
    file_system.invalidate_cache()
    for name, about in file_system.find(root, detail=True).items():
        yield StoredObject(
            name.strip("/").removeprefix(root.strip("/") + "/"), about["size"] or 0, _marks(about), _modified(about)
        )


def _marks(about: Mapping[str, Any]) -> dict[str, str]:
    by_name = {key.lower(): value for key, value in about.items()}
    return {key: str(by_name[key]).strip('"') for key in MARKS if by_name.get(key)}


def _modified(about: Mapping[str, Any]) -> dt.datetime | None:
    for key in ("LastModified", "updated", "last_modified", "mtime", "created"):
        value = about.get(key)
        try:
            if isinstance(value, str):
                value = dt.datetime.fromisoformat(value)
            elif isinstance(value, int | float):
                value = dt.datetime.fromtimestamp(value, dt.UTC)
        except (ValueError, OverflowError):
            continue
        if isinstance(value, dt.datetime):
            return value if value.tzinfo is not None else value.replace(tzinfo=dt.UTC)
    return None


def _no_receipts(destination: str, names: list[str]) -> KaptureSettingsError:
    if len(names) > _SHOWN_NAMES:
        # Of many, the folders.
        names = sorted({name.partition("/")[0] + ("/" if "/" in name else "") for name in names})
    more = f" and {len(names) - _SHOWN_NAMES:,} more" if len(names) > _SHOWN_NAMES else ""
    shown = ", ".join(names[:_SHOWN_NAMES]) or "nothing"
    return KaptureSettingsError(
        f"There are no receipts in {destination!r}, which contains {shown}{more}. "
        "Name the folder that is the `destination` of a KapturePullOrdersOperator and ends in '/'"
    )


def _read(store: Store, destination: str, name: str) -> bytes | None:
    try:
        return store.read(name)
    except Exception as error:
        raise store_error(store, "read", destination + name, error) from error


def _with_hashes(state: FolderState, store: Store, progress: Progress) -> FolderState:
    names = [
        name
        for name, (file, _) in state.current.items()
        if name in state.objects and state.objects[name].size == file.size
    ]

    def read(numbered: tuple[int, str]) -> str | None:
        number, name = numbered
        progress(f"reading object {number:,} of {len(names):,}", "objects")
        return store.sha256(name) if store.is_local else _sha256(state.destination + name)

    hashes = _each(read, list(enumerate(names, 1)), store, _READS)
    hashed = {name: replace(state.objects[name], sha256=each) for name, each in zip(names, hashes, strict=True)}
    return replace(state, objects={**state.objects, **hashed})


def _sha256(uri: str) -> str | None:
    path = ObjectStoragePath(uri)
    try:
        opened: Any = cast("Any", path).open("rb", block_size=_BLOCK_SIZE)
        with opened as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except Exception as error:
        if is_missing(error):
            return None
        raise store_error(open_store(uri), "read", uri, error) from error


def _with_second_looks(state: FolderState, store: Store) -> FolderState:
    """Return the state with each object that is not as expected as it is now, and with the pull that wrote it."""
    names = sorted(suspects(state))
    objects = dict(state.objects)
    for name, found in zip(names, _each(store.stat, names, store, _CONCURRENCY), strict=True):
        if found is None:
            objects.pop(name, None)
            continue
        before = state.objects.get(name)
        marks = {key: found.receipt_keys[key] for key in MARKS if key in found.receipt_keys}
        is_same = before is not None and (before.size, before.marks) == (found.size, marks)
        objects[name] = StoredObject(
            name,
            found.size,
            marks,
            pull_id=found.metadata.get(PULL_ID),
            sha256=before.sha256 if before is not None and is_same else None,
        )
    return replace(state, objects=objects)


def _each(work: Callable[[_T], _R], items: Iterable[_T], store: Store, concurrency: int) -> list[_R]:
    if store.is_local:
        return list(map(work, items))
    with ThreadPoolExecutor(concurrency, thread_name_prefix="kapture-audit") as pool:
        return list(pool.map(work, items))
