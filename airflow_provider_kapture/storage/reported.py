"""What the receipts of finished pulls say about the objects of a folder.

A day counts as changed until the receipt of a finished pull has named its object as it is: the run that wrote it may
have been killed before anybody was told. Receipts are written by ``checkpoint``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from airflow_provider_kapture.storage.destinations.object_store import store_error
from airflow_provider_kapture.storage.destinations.stores.store import Store, is_forbidden
from airflow_provider_kapture.storage.folder import padded

_JSON = msgspec.json.Decoder()


def decode_receipt(text: bytes | None) -> dict[str, Any]:
    """Return a receipt; empty if there is none, or something else is in its place."""
    try:
        found = _JSON.decode(text or b"{}")
    except (msgspec.DecodeError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


class ReportedFiles:
    """The files of a folder as the receipts of finished pulls name them. Receipts are read when they are needed.

    :param store: the store of the folder
    :param destination: the folder
    :param name: name of the pull's own receipt
    :param previous: the finished receipt that this one replaces; None if there is none
    """

    def __init__(self, store: Store, destination: str, name: str, previous: Mapping[str, Any] | None) -> None:
        self._store = store
        self._destination = destination
        self._folder = name.rpartition("/")[0] + "/"
        self._read: dict[str, tuple[dt.datetime, dict[str, Mapping[str, Any]]] | None] = {name: _by_name(previous)}
        self._names: list[str] | None = None

    def latest(self, name: str, sha256: str | None = None) -> Mapping[str, Any] | None:
        """Return what the latest receipt that names an object says about it.

        :param name: the object, ``create_date=DAY/orders_<start>_<end>.<format>``
        :param sha256: its content; None for any
        """
        found = [each for each in self._entries(name, None) if sha256 in {None, each[1].get("sha256")}]
        return max(found, key=lambda each: each[0])[1] if found else None

    def is_reported(self, name: str, sha256: str, written_by: str | None, since: str | None) -> bool:
        """Return whether a finished pull that is not older than an object names it with this content.

        :param written_by: name of the receipt of the pull that wrote it, which is read first; None if it is not known
        :param since: when that pull began, ISO 8601; if it is not known, the latest receipt decides
        """
        began = _instant(since)
        if began is None:
            latest = self.latest(name)
            return latest is not None and latest.get("sha256") == sha256
        return any(
            pulled_at >= began and entry.get("sha256") == sha256 for pulled_at, entry in self._entries(name, written_by)
        )

    def _entries(self, name: str, first: str | None) -> Iterator[tuple[dt.datetime, Mapping[str, Any]]]:
        for each in self._candidates(name, first):
            if each not in self._read:
                self._read[each] = _by_name(decode_receipt(self._load(each)))
            receipt = self._read[each]
            if receipt is not None and name in receipt[1]:
                yield receipt[0], receipt[1][name]

    def _candidates(self, name: str, first: str | None) -> Iterator[str]:
        """Yield the names of the receipts that may name an object: of its day, and of later ones that look back."""
        yield from list(self._read)
        if first is not None and first.startswith(self._folder) and first not in self._read:
            yield first
        start = padded(name.rpartition("/orders_")[2].partition("_")[0])
        if self._names is None:
            self._names = sorted(self._list())
        for each in self._names:
            end = padded(each.rpartition("_")[2].removesuffix(".json"))
            if end > start and each not in self._read:
                yield each

    def _list(self) -> list[str]:
        try:
            return self._store.list_names(self._folder)
        except Exception as error:
            if not is_forbidden(error):
                raise store_error(self._store, "list", self._destination + self._folder, error) from error
            return []

    def _load(self, name: str) -> bytes | None:
        try:
            return self._store.read(name)
        except Exception as error:
            if not is_forbidden(error):
                raise store_error(self._store, "read", self._destination + name, error) from error
            return None


def _by_name(receipt: Mapping[str, Any] | None) -> tuple[dt.datetime, dict[str, Mapping[str, Any]]] | None:
    """Return when a finished pull began, and its files by the names of their objects; None without one."""
    if receipt is not None and receipt.get("in_progress"):
        receipt = receipt.get("previous")
    pulled_at = _instant(receipt.get("pulled_at")) if isinstance(receipt, Mapping) else None
    files = receipt.get("files") if isinstance(receipt, Mapping) else None
    if pulled_at is None or not isinstance(files, list):
        return None
    named = [each for each in files if isinstance(each, Mapping) and isinstance(each.get("uri"), str)]
    return pulled_at, {"/".join(each["uri"].rsplit("/", 2)[-2:]): each for each in named}


def _instant(text: Any) -> dt.datetime | None:
    try:
        found = dt.datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo is not None else None
