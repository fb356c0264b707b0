"""The interface of a store: what the rest of the package does with the objects of a destination.

Each look at an object is a request of its own, without fsspec's listing caches. What the objects mean (data, receipts)
is decided by the callers; which store a destination belongs to, in ``stores.choose``.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

_T = TypeVar("_T")
OPERATIONS = ("read", "list", "write", "delete")
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"}
_REJECTED = {"InvalidAccessKeyId", "SignatureDoesNotMatch"}
# Refused by the same status: unknown credentials, and a clock that is wrong.
_NOT_OF_PERMISSIONS = {*_REJECTED, "RequestTimeTooSkewed"}


@dataclass(frozen=True)
class ObjectState:
    """An object as it was at one moment.

    :param size: in bytes
    :param identity: differs for each content of the object; empty if the store has nothing of the kind
    :param metadata: the user metadata, with keys in lower case
    :param receipt_keys: what the receipt says about the stored object, such as its ``etag``
    """

    size: int
    identity: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    receipt_keys: Mapping[str, str] = field(default_factory=dict)


# Instead of an object's former state, where that is not known: anything may be there.
ANY = ObjectState(-1)


class ChangedError(Exception):
    """The object is not in the state that was expected: another writer has created or replaced it."""


class Store(Protocol):
    """The objects below one destination. Names are relative to it; for a single object, the name is empty.

    Errors are the client's own; :func:`is_missing` and :func:`is_forbidden` tell the kinds apart.
    """

    is_local: bool
    # What the store calls the permission of each of OPERATIONS.
    actions: Mapping[str, str]
    # Whether to replace an object needs another permission than to create it.
    needs_more_to_replace: bool

    @property
    def honours_conditions(self) -> bool:
        """Return whether a write whose condition does not hold surely fails: some stores ignore conditions."""

    def probe(self, name: str) -> None:
        """Find out whether an object may be written, without changing it, where the store lets one find out."""

    def read(self, name: str) -> bytes | None:
        """Return the content of a small object; None if there is none."""

    def stat(self, name: str) -> ObjectState | None:
        """Return the state of an object; None if there is none."""

    def write(self, name: str, data: bytes, expected: ObjectState | None = ANY) -> ObjectState:
        """Create or replace a small object atomically.

        :param expected: as for :meth:`upload`; some stores ignore it
        :raises ChangedError: the object is not as expected
        """

    def list_names(self, folder: str) -> list[str]:
        """Return the names of the objects directly in a folder, which ends in ``/``; empty if there is none."""

    def upload(
        self, spool: Path, size: int, name: str, metadata: Mapping[str, str], expected: ObjectState | None
    ) -> ObjectState:
        """Create or replace an object from a local file of ``size`` bytes, atomically. Local stores rename it.

        :param expected: the object as it was; None if there was none; :data:`ANY` to replace whatever is there
        :raises ChangedError: the object is not as expected
        """

    def delete(self, name: str) -> None:
        """Delete an object; do nothing if there is none."""

    def sha256(self, name: str) -> str | None:
        """Return the SHA-256 of an object that can be read without cost; None if it would have to be downloaded."""


def content_type(name: str) -> str:
    """Return the media type of a small object."""
    return "text/html; charset=utf-8" if name.endswith(".html") else "application/json"


def status_of(error: BaseException | None) -> int | None:
    """Return the HTTP status that an error of a store's client stands for; None if it stands for none."""
    while error is not None:
        response = getattr(error, "response", None)
        if isinstance(response, Mapping):  # botocore
            status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            if isinstance(status, int):
                return status
        for name in ("status_code", "code"):  # azure-core, gcsfs
            if type(status := getattr(error, name, None)) is int:
                return status
        if isinstance(error, OSError) and str(error).startswith("Forbidden"):  # gcsfs
            return 403
        error = error.__cause__
    return None


def _code_of(error: BaseException | None) -> str:
    """Return the code of an S3 server's error; empty if it has none."""
    while error is not None:
        response = getattr(error, "response", None)
        if isinstance(response, Mapping):
            return str(response.get("Error", {}).get("Code", ""))
        error = error.__cause__
    return ""


def is_expired(error: BaseException | None) -> bool:
    """Return whether the error says that the credentials were valid and are no more."""
    while error is not None:
        # The answer to HEAD has no body that would name the error, and nothing else in it can be malformed.
        is_bare = getattr(error, "operation_name", "").startswith("Head") and _code_of(error) == "400"
        if is_bare or _code_of(error) in _EXPIRED:
            return True
        error = error.__cause__
    return False


def is_missing(error: BaseException) -> bool:
    """Return whether the error says that there is no such object."""
    is_not_found = isinstance(error, FileNotFoundError) or status_of(error) == 404
    return is_not_found and _code_of(error) != "NoSuchUpload"


def is_forbidden(error: BaseException) -> bool:
    """Return whether the error says that the credentials do not permit the call."""
    is_refused = isinstance(error, PermissionError) or status_of(error) in {401, 403}
    return is_refused and not is_expired(error) and _code_of(error) not in _NOT_OF_PERMISSIONS


def is_rejected(error: BaseException) -> bool:
    """Return whether the error says that the credentials are not known to the store."""
    return _code_of(error) in _REJECTED


def is_conflict(error: BaseException) -> bool:
    """Return whether the error says that the condition of a write did not hold."""
    return isinstance(error, FileExistsError) or status_of(error) in {409, 412}


@contextlib.contextmanager
def changed_error(name: str) -> Iterator[None]:
    """Raise :class:`ChangedError` if the condition of a write in the context did not hold."""
    try:
        yield
    except Exception as error:
        if is_conflict(error):
            raise ChangedError(name) from error
        raise


def run(file_system: Any, work: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine in the loop of an asynchronous file system.

    Like fsspec's own synchronous wrapper, except that the work is cancelled if the task is killed.
    """
    future = asyncio.run_coroutine_threadsafe(work, file_system.loop)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise
