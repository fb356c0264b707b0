"""The folder of changes: for each published day, a file with what changed in it since the object that was there.

The file is first written under a name that readers ignore, which says what the day's object will be; then the day is
published; then the file gets its final name. A later pull finishes or removes what a killed one has left.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain

from airflow_provider_kapture.client.days import from_ms, to_ms
from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.client.orders import FieldType
from airflow_provider_kapture.storage.changes.comparison import KeyedOrder, compare, keyed
from airflow_provider_kapture.storage.changes.files import Folder, LocalCopy
from airflow_provider_kapture.storage.changes.reader import read_orders
from airflow_provider_kapture.storage.changes.writer import write_changes
from airflow_provider_kapture.storage.destinations.object_store import one_line
from airflow_provider_kapture.storage.destinations.stores.store import ANY, ChangedError
from airflow_provider_kapture.storage.fingerprint import Fingerprint

_STAMP = "%Y%m%dT%H%M%S%f"
_FINAL = re.compile(r"changes_(?P<seen>\d{8}T\d{9})Z\.[a-z.]+")
_PENDING = re.compile(
    r"_changes_(?P<seen>\d{8}T\d{9})Z_(?:none|[0-9a-f]{64})_(?P<new>[0-9a-f]{64})_(?P<object>\w+Z\.[a-z.]+?)\.pending"
)
_NONE = "none"


@dataclass(frozen=True)
class DayFile:
    """The new file of a day's object, before it is published.

    :param name: the object, ``create_date=DAY/orders_<start>_<end>.<format>``
    :param file: the file
    :param former: names of the objects that it replaces
    :param is_rewritten: whether their columns or the spelling of their values differ
    """

    name: str
    file: LocalCopy
    former: Sequence[str]
    is_rewritten: bool


class ChangesFolder:
    """Writes the changes of days.

    :param changes: the folder of changes
    :param orders: the folder of the orders
    :param pulled_at: when the pull began
    :param fields: connection extra ``fields``
    """

    def __init__(
        self, changes: Folder, orders: Folder, pulled_at: dt.datetime, fields: Mapping[str, FieldType]
    ) -> None:
        self._changes = changes
        self._orders = orders
        self._pulled_ms = to_ms(pulled_at)
        self._fields = fields

    def check(self, name: str) -> None:
        """Check that changes may be written.

        :param name: an object of the orders
        :raises KaptureSettingsError: a permission is missing
        :raises OSError: the store cannot be reached
        """
        self._changes.probe(f"{_day(name)}changes")

    def recover(self, name: str, covered: Sequence[str]) -> None:
        """Finish the changes that killed pulls have left if their object was published, else remove them.

        :param name: an object that is to be written
        :param covered: objects that it replaces
        """
        objects = {each.rpartition("/orders_")[2]: each for each in (name, *covered)}
        for each in self._changes.list_names(_day(name)):
            found = _PENDING.fullmatch(each.rpartition("/")[2])
            if found is None or found["object"] not in objects:
                continue
            if self._orders.sha256(objects[found["object"]]) == found["new"]:
                with self._changes.fetch(each) as file:
                    self._finish(each, file)
            self._changes.delete(each)

    @contextmanager
    def recorded(self, day: DayFile) -> Iterator[None]:
        """Write what changes in a day, in whose context its object is published.

        :raises ChangedError: a former object was replaced meanwhile
        """
        file_format = _format(day.name)
        with ExitStack() as stack:
            former = [(name, stack.enter_context(self._orders.fetch(name))) for name in day.former]
            changes = compare(
                lambda: chain.from_iterable(self._former_orders(*each) for each in former),
                keyed(read_orders(day.file.path, file_format, self._fields)),
                is_rewritten=day.is_rewritten,
            )
            first = next(changes, None)
            if first is None:
                yield
                return
            seen_ms = self._next_instant(_day(day.name))
            every = chain([first], changes)
            file = stack.enter_context(
                self._changes.spool(lambda sink: write_changes(sink, file_format, every, seen_ms, self._fields))
            )
            before = former[0][1].sha256 if former else _NONE
            window = day.name.rpartition("/orders_")[2]
            pending = f"{_day(day.name)}_changes_{_stamp(seen_ms)}_{before}_{day.file.sha256}_{window}.pending"
            self._changes.put(pending, file, ANY)
            try:
                yield
            except ChangedError:
                self._changes.delete(pending)
                raise
            self._finish(pending, file)
            self._changes.delete(pending)

    def _former_orders(self, name: str, file: LocalCopy) -> Iterator[KeyedOrder]:
        try:
            yield from keyed(read_orders(file.path, _format(name), self._fields))
        except Exception as error:
            raise KaptureSettingsError(
                f"What changed since {self._orders.uri + name!r} cannot be told, because it cannot be read "
                f"({type(error).__name__}: {one_line(error)}): restore it, or delete it to have all orders of the day "
                "inserted"
            ) from error

    def _next_instant(self, folder: str) -> int:
        """Return when the pull began, or an instant after the latest changes of the day: their sequence is by time."""
        found = (_FINAL.fullmatch(each.rpartition("/")[2]) for each in self._changes.list_names(folder))
        latest = max((_instant(each["seen"]) for each in found if each), default=0)
        return max(self._pulled_ms, latest + 1)

    def _finish(self, pending: str, file: LocalCopy) -> None:
        """Give changes their final name, which is never that of a file that exists."""
        found = _PENDING.fullmatch(pending.rpartition("/")[2])
        assert found is not None
        seen_ms = _instant(found["seen"])
        while True:
            name = f"{_day(pending)}changes_{_stamp(seen_ms)}.{_format(found['object'])}"
            try:
                self._changes.put(name, file, None)
            except ChangedError:
                if self._is_finished(name, file):
                    return
                seen_ms += 1
            else:
                return

    def _is_finished(self, name: str, file: LocalCopy) -> bool:
        """Return whether a killed pull has written this file under its final name already."""
        state = self._changes.stat(name)
        known = None if state is None else Fingerprint.from_metadata(state.metadata).sha256
        return state is not None and state.size == file.size and known in {None, file.sha256}


def _day(name: str) -> str:
    return name.rpartition("/")[0] + "/"


def _format(name: str) -> str:
    return name.rpartition("/")[2].partition(".")[2]


def _stamp(ms: int) -> str:
    return from_ms(ms).strftime(_STAMP)[:-3] + "Z"


def _instant(stamp: str) -> int:
    return to_ms(dt.datetime.strptime(f"{stamp}+0000", f"{_STAMP}%z"))
