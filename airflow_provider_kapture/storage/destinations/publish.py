"""Publish a file atomically: a reader sees the complete old object or the complete new one.

The file on disk until then is in ``spool``; renames and uploads are in ``stores``; encoders are in
``storage.encoders``.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import msgspec
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.client.orders import FieldType
from airflow_provider_kapture.storage.destinations import folders, object_store
from airflow_provider_kapture.storage.destinations.destination import (
    PERMANENT_ERRNOS,
    PERMANENT_ERRORS,
    local_path,
    named_path,
    spool_folder,
)
from airflow_provider_kapture.storage.destinations.spool import SpoolFile
from airflow_provider_kapture.storage.destinations.stores.choose import open_store
from airflow_provider_kapture.storage.destinations.stores.store import ANY, ChangedError, ObjectState, Store
from airflow_provider_kapture.storage.destinations.urls import check_url
from airflow_provider_kapture.storage.encoders.formats import ENCODERS
from airflow_provider_kapture.storage.encoders.report import Report
from airflow_provider_kapture.storage.encoders.schema import NO_FIELDS

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def destination_text(destination: object) -> str:
    """Return the destination as text.

    :raises KaptureSettingsError: it is neither text nor a path, it is a path object that may have lost its final ``/``,
        it contains a control character or surrounding white space, or its URL is of another tool's spelling
    """
    if isinstance(destination, str):
        text = destination
    elif isinstance(destination, os.PathLike | ObjectStoragePath):
        text = str(destination)
        if not text.endswith("/") and not text.lower().endswith(tuple(f".{each}" for each in ENCODERS)):
            raise KaptureSettingsError(
                f"`destination` is a {type(destination).__name__} without a known file ending ({text!r}), and path "
                "objects lose a final '/'; pass the destination as text"
            )
    else:
        raise KaptureSettingsError(
            f"`destination` is {destination!r}, a {type(destination).__name__}: it must be a path or URL as text"
        )
    if _CONTROL.search(text) or text != text.strip():
        raise KaptureSettingsError(
            f"`destination` {text!r} contains a line break, a tab or another control character, or surrounding white "
            "space; remove it"
        )
    check_url(text)
    return text


def absolute(destination: str) -> str:
    """Return a local destination as an absolute path, or a ``file://`` URL of one; others as they are."""
    try:
        if local_path(destination) is None:
            return destination
    except Exception:  # noqa: BLE001 - check_destination, which is called next, reports the error
        return destination
    scheme, separator, _ = destination.partition("://") if urlsplit(destination).scheme else ("", "", "")
    path = named_path(destination)
    # A link before ".." has another parent than its name says.
    plain = os.path.realpath(path) if ".." in path.parts else str(path.absolute())
    return f"{scheme}{separator}{plain.rstrip('/')}{'/' if destination.endswith('/') else ''}"


@contextlib.contextmanager
def no_empty_folders(destination: str) -> Iterator[None]:
    """Remove the local folders that were created for a destination at the end, if they are still empty."""
    try:
        local = local_path(destination)
        folder = spool_folder(destination) if local is None else local if destination.endswith("/") else local.parent
    except Exception:  # noqa: BLE001 - check_destination, which is called next, reports the error
        yield
        return
    with folders.no_empty_folders(folder):
        yield


class StagedObject:
    """An encoded file that is not published yet; deleted at the end of the context unless :meth:`publish` was called.

    :param destination: path or URL of an object, or of a folder that ends in ``/``
    :param file_format: one of :data:`~airflow_provider_kapture.storage.encoders.formats.ENCODERS`
    :param store: the store of the destination
    :param name: name of the object in the folder
    :param fields: connection extra ``fields``
    """

    def __init__(
        self, destination: str, file_format: str, store: Store, name: str, fields: Mapping[str, FieldType]
    ) -> None:
        self._destination = destination
        self._format = file_format
        self._store = store
        self._name = name
        self._fields = fields
        if not store.is_local:
            remedy = "free space there, or set [kapture] spool_dir to a folder with more space"
        else:
            remedy = "free space there, or choose a `destination` on another file system"
        self._spool = SpoolFile(spool_folder(destination), remedy)
        self.rows = 0
        self.size = 0
        self.sha256 = ""

    def __enter__(self) -> Self:
        try:
            self._encoder = ENCODERS[self._format](self._spool.open(), self._fields)
        except BaseException:
            self._spool.discard()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._encoder.stop()
        finally:
            self._spool.discard()

    def write(self, raws: Iterable[msgspec.Raw]) -> None:
        """Add orders.

        :raises OSError: the disk is full
        """
        batch = list(raws)
        with self._spool.explain_full_disk():
            self._encoder.write(batch)
        self.rows += len(batch)

    def finish(self) -> Report:
        """Encode what is left, and return what the encoder has set aside.

        :raises OSError: the disk is full
        """
        with self._spool.explain_full_disk():
            self._encoder.close()
        self.size, self.sha256 = self._spool.finish()
        return self._encoder.report

    @property
    def path(self) -> Path:
        """Where the file is until it is published."""
        return self._spool.path

    def publish(self, metadata: Mapping[str, str] | None = None, expected: ObjectState | None = ANY) -> dict[str, Any]:
        """Replace the object at the destination by the finished file, and return the receipt's keys of the file.

        :param metadata: the object's metadata, where the store keeps any
        :param expected: the object as it was when its orders were requested; None if there was none
        :raises ChangedError: another writer has created or replaced the object since
        :raises OSError: the upload or the rename failed; an existing object is unchanged
        """
        uri = object_uri(self._destination, self._name)
        try:
            state = self._store.upload(self._spool.path, self.size, self._name, metadata or {}, expected)
        except ChangedError:
            written = self._written_before(metadata or {})
            if written is None:
                raise
            state = written
        except Exception as error:
            if not self._spool.path.exists():
                raise OSError(
                    errno.ENOENT,
                    f"{str(self._spool.path)!r} was removed before it was published; keep cleaners out of its folder, "
                    "or, for object stores, set [kapture] spool_dir to another one",
                ) from error
            if self._store.is_local:
                raise local_error(uri, error) from error
            raise object_store.upload_error(self._store, uri, self.size, error) from error
        file = {"uri": uri, "rows": self.rows, "bytes": self.size, "sha256": self.sha256}
        return file | dict(state.receipt_keys)

    def _written_before(self, metadata: Mapping[str, str]) -> ObjectState | None:
        """Return the state of the object if this upload has written it; None otherwise.

        The client repeats a request whose response was lost, although the store has carried it out.
        """
        state = self._store.stat(self._name)
        is_own = state is not None and state.size == self.size and metadata.items() <= state.metadata.items()
        return state if metadata and is_own else None


def local_error(uri: str, error: Exception) -> Exception:
    """Return the error of a file that could not be put in place; permanent where a retry cannot resolve it."""
    if getattr(error, "errno", None) == errno.EXDEV:
        return KaptureSettingsError(
            f"{uri!r} is on another file system than the folder it is spooled in, so that it cannot be renamed into "
            "place: choose a `destination` on the mounted file system itself"
        )
    cause = f"({type(error).__name__}: {object_store.one_line(error)})"
    if isinstance(error, PERMANENT_ERRORS) or getattr(error, "errno", None) in PERMANENT_ERRNOS:
        return KaptureSettingsError(
            f"{uri!r} cannot be put in place {cause}: correct what is in its place or its access"
        )
    return OSError(getattr(error, "errno", None) or errno.EIO, f"Could not put {uri!r} in place {cause}")


def object_uri(destination: str, name: str) -> str:
    """Return the URI of an object.

    :param destination: path or URL of the object, or of a folder that ends in ``/``
    :param name: name of the object in the folder
    """
    return destination + name


def stage(
    destination: str,
    file_format: str,
    store: Store | None = None,
    name: str = "",
    fields: Mapping[str, FieldType] = NO_FIELDS,
) -> StagedObject:
    """Return a context in which a file is written and published.

    :param destination: path or URL of an object, or of a folder that ends in ``/``
    :param file_format: one of :data:`~airflow_provider_kapture.storage.encoders.formats.ENCODERS`
    :param store: the store of the destination, if it is open
    :param name: name of the object in the folder
    :param fields: connection extra ``fields``
    """
    return StagedObject(destination, file_format, store or open_store(destination), name, fields)
