"""What lies in a ``/`` destination besides the orders of a pull: its owner, and objects of other windows.

A folder belongs to one query of one account, which ``_kapture.json`` names, so that two pulls do not overwrite each
other's objects. A single object carries the same in its metadata. The receipts are in ``checkpoint`` and ``receipt``.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.config.settings import Dialect
from airflow_provider_kapture.client.days import Window
from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.client.orders import NEUTRAL_FILTER
from airflow_provider_kapture.storage.destinations.destination import stamps
from airflow_provider_kapture.storage.destinations.object_store import one_line, store_error
from airflow_provider_kapture.storage.destinations.stores.store import ChangedError, Store, is_forbidden

log = logging.getLogger(__name__)

OWNER_FILE = "_kapture.json"
_METADATA_PREFIX = "kapture_owner_"
_DATA = re.compile(r"orders_(\d{8}T\d{6}(?:\d{3})?Z)_(\d{8}T\d{6}(?:\d{3})?Z)\.[a-z.]+")
# Names in one error message.
_MAX_NAMES = 5


def query_text(account: Account, filters: Mapping[str, Any] | None, extra_body: Mapping[str, Any] | None) -> bytes:
    """Return what a query is known by: what the user gave, without what is empty or neutral, in one order."""
    return _as_text(filters=filters, extra_body=extra_body, default_body=account.dialect.default_body)


def _as_text(**parts: Mapping[str, Any] | None) -> bytes:
    query = {
        part: {
            name: value
            for name, value in (given or {}).items()
            if value not in (None, "", [], {}, ()) and (name, value) != NEUTRAL_FILTER
        }
        for part, given in parts.items()
    }
    return json.dumps(query, sort_keys=True, default=str).encode()


# The query of most pulls: the documented request, without filters.
_PLAIN_QUERY = _as_text(filters=None, extra_body=None, default_body=Dialect(cm_id=0).default_body)


# A pull asks for the same few with each receipt that it writes.
@lru_cache(maxsize=4)
def hash_query(text: bytes, salt: str) -> str:
    """Return the hash of a query, which may name customers: too slow to try many of them."""
    # The plain query has nothing to find out, and this would take longer than a small pull.
    cost = 2 if text == _PLAIN_QUERY else 1 << 14
    return hashlib.scrypt(text, salt=salt.encode(), n=cost, r=8, p=1, dklen=32).hex()


@dataclass(frozen=True)
class Owner:
    """The account and the query that a folder or an object belongs to.

    :param account: host of the account
    :param cm_id: the account's id
    :param timezone: the account's time zone
    :param query: as :func:`query_text` returns it
    """

    account: str
    cm_id: int
    timezone: str
    query: bytes

    @classmethod
    def from_account(
        cls, account: Account, filters: Mapping[str, Any] | None, extra_body: Mapping[str, Any] | None
    ) -> Owner:
        """Return the owner of what an account's query writes."""
        return cls(
            account.host, account.dialect.cm_id, account.dialect.timezone, query_text(account, filters, extra_body)
        )

    def record(self) -> dict[str, Any]:
        """Return the owner as plain data, with a salt of its own."""
        salt = secrets.token_hex(16)
        about = {"account": self.account, "cm_id": self.cm_id, "timezone": self.timezone}
        return {**about, "salt": salt, "query_hash": hash_query(self.query, salt)}

    def differences(self, record: Mapping[str, Any]) -> list[str]:
        """Return what another record says otherwise, in words.

        :raises KeyError: the record lacks a key
        """
        mine = {"account": self.account, "cm_id": self.cm_id, "timezone": self.timezone}
        found = [
            f"`{name}` {record[name]!r}, this pull's is {value!r}"
            for name, value in mine.items()
            if record[name] != value
        ]
        if record["query_hash"] != hash_query(self.query, str(record["salt"])):
            found.append("another query (`filters`, `extra_body` or `default_body`)")
        return found


@dataclass(frozen=True)
class Claim:
    """What a pull knows of the owner of its folder.

    :param can_read: whether the folder may be read
    :param is_new: whether this pull has made it the folder of its query
    :param query_hash: hash of the query, by the salt of the folder; None if it cannot be read
    """

    can_read: bool
    is_new: bool
    query_hash: str | None = None


def claim(store: Store, destination: str, owner: Owner) -> Claim:
    """Make a folder the owner's, unless it belongs to another one already.

    The file is read back where the store may ignore the condition that it must not exist.

    :raises KaptureSettingsError: the folder is another query's, or its ``_kapture.json`` is spoilt
    :raises Exception: the store refuses to write, or cannot be reached
    """
    uri = destination + OWNER_FILE
    is_refused = False
    try:
        found = store.read(OWNER_FILE)
    except Exception as error:
        if not is_forbidden(error):
            raise store_error(store, "read", uri, error) from error
        # Where listing is not permitted, S3 refuses to read what does not exist.
        found, is_refused = None, True
    if found is not None:
        return Claim(can_read=True, is_new=False, query_hash=_check_owner(uri, found, owner))
    record = owner.record()
    is_new = True
    try:
        store.write(OWNER_FILE, json.dumps(record, indent=2).encode() + b"\n", None)
    except ChangedError:
        is_new = False
    except Exception as error:
        raise store_error(store, "write", uri, error) from error
    if is_new and not is_refused and store.honours_conditions:
        return Claim(can_read=True, is_new=True, query_hash=record["query_hash"])
    try:
        found = store.read(OWNER_FILE)
    except Exception as error:
        if not is_forbidden(error):
            raise store_error(store, "read", uri, error) from error
        log.warning(
            "Cannot read %s in %s (%s: %s): whether another query writes there is not checked, unchanged days are "
            "not known, and a retry will pull all days again",
            OWNER_FILE,
            destination,
            type(error).__name__,
            one_line(error),
        )
        return Claim(can_read=False, is_new=is_new)
    return Claim(can_read=True, is_new=is_new, query_hash=_check_owner(uri, found, owner))


def _check_owner(uri: str, found: bytes | None, owner: Owner) -> str:
    try:
        record = json.loads(found or b"")
        differences = owner.differences(record)
    except (ValueError, KeyError, TypeError):
        raise KaptureSettingsError(
            f"{uri!r} cannot be read as the owner of the folder; delete it if the folder's objects are this query's, "
            "or choose another `destination`"
        ) from None
    if differences:
        raise KaptureSettingsError(
            f"`destination` belongs to another pull: {uri!r} has {'; '.join(differences)}. Choose another folder, or "
            "delete that file if its objects are to be replaced"
        )
    return str(record["query_hash"])


def owner_metadata(owner: Owner) -> dict[str, str]:
    """Return the metadata of a single object."""
    return {f"{_METADATA_PREFIX}{name}": str(value) for name, value in owner.record().items()}


def check_object_owner(uri: str, metadata: Mapping[str, str], owner: Owner) -> None:
    """Check that a single object is not another query's; one without metadata is anybody's.

    :raises KaptureSettingsError: it is
    """
    record: dict[str, Any] = {
        name.removeprefix(_METADATA_PREFIX): value
        for name, value in metadata.items()
        if name.startswith(_METADATA_PREFIX)
    }
    try:
        differences = owner.differences({**record, "cm_id": int(record["cm_id"])})
    except (KeyError, ValueError):
        return
    if differences:
        raise KaptureSettingsError(
            f"{uri!r} belongs to another pull: it has {'; '.join(differences)}. Choose another `destination`, or "
            "delete the object if it is to be replaced"
        )


@dataclass(frozen=True)
class Overlaps:
    """The objects of a day's folder whose windows overlap an object that is to be written.

    :param covered: those that the new object covers completely
    :param partial: the others
    """

    covered: tuple[str, ...] = ()
    partial: tuple[str, ...] = ()


def find_overlaps(name: str, window: Window, names: Iterable[str]) -> Overlaps:
    """Return the overlapping objects among the names in a day's folder. Other files are left out.

    :param name: the object that is to be written
    :param window: its window
    """
    start, end = stamps(window)
    covered: list[str] = []
    partial: list[str] = []
    for each in names:
        found = _DATA.fullmatch(each.rpartition("/")[2])
        # Stamps of one day's folder have one length but for milliseconds: padded, they sort like instants.
        if found is None or each == name:
            continue
        first, last = (padded(stamp) for stamp in found.groups())
        if first >= last or last <= padded(start) or first >= padded(end):
            continue
        is_covered = padded(start) <= first and last <= padded(end)
        (covered if is_covered else partial).append(each)
    return Overlaps(tuple(sorted(covered)), tuple(sorted(partial)))


def padded(stamp: str) -> str:
    """Return a stamp of a name with its milliseconds, so that stamps sort like instants."""
    return stamp.rstrip("Z").ljust(len("20240507T183000000"), "0")


def overlap_error(destination: str, names: Iterable[str], *, is_replacing: bool) -> KaptureSettingsError:
    """Return the error of overlapping objects."""
    every = list(names)
    shown = ", ".join(every[:_MAX_NAMES]) + (f" and {len(every) - _MAX_NAMES} more" if len(every) > _MAX_NAMES else "")
    remedy = (
        "They reach beyond the days of this pull: remove them, or choose another folder"
        if is_replacing
        else "Set `on_overlap` to 'replace' to remove them, or choose another folder"
    )
    return KaptureSettingsError(
        f"`destination` {destination!r} already has objects whose windows overlap those of this pull, so that readers "
        f"would get orders twice: {shown}. {remedy}"
    )
