"""A window's orders into files: one, or one for each of the account's days."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_provider_kapture.client import KaptureClient
from airflow_provider_kapture.client.days import Window, day_start
from airflow_provider_kapture.client.protocol import Question
from airflow_provider_kapture.client.pull import Batch, Tally
from airflow_provider_kapture.storage import publish
from airflow_provider_kapture.storage.resume import Progress, progress_of

log = logging.getLogger(__name__)


@dataclass
class FilePull:
    """A pull into files.

    :param tally: counts what is done, and what an earlier try has done
    :param destination: a file name, or a folder that ends in ``/``
    :param on_empty: whether a window without orders leaves files
    :param watch: called now and then while orders come
    """

    client: KaptureClient
    asked: Question
    tally: Tally
    destination: str
    file_format: str
    on_empty: str
    watch: Callable[[], None]
    _files: list[dict[str, Any]] = field(default_factory=list)

    def run(self, window: Window, days_back: int, context: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Pull and publish; the files, in the order of their windows.

        :param days_back: whole days before the window that are pulled too
        :raises KaptureError: the pull is not complete; of the part that failed nothing is published
        """
        with publish.no_empty_folders(self.destination):
            return self._run(window, days_back, context)

    def _run(self, window: Window, days_back: int, context: Mapping[str, Any]) -> list[dict[str, Any]]:
        publish.check_destination(self.destination)
        if not self.destination.endswith("/"):
            with closing(self.client.pull(self.asked, [window], self.tally)) as batches:
                self._publish(window, self.destination, batches)
            return self._files
        self._to_folder([part for _, part in _widened(window, days_back).days()], context)
        return sorted(self._files, key=lambda each: dt.datetime.fromisoformat(each["window_start"]))

    def _to_folder(self, parts: Sequence[Window], context: Mapping[str, Any]) -> None:
        progress = progress_of(context, self._work())
        began = dt.datetime.now(dt.UTC)
        empty: list[Window] = []
        wanted = [part for part in parts if not self._resume(progress, self._name(part))]
        if self.tally.resumed_days:
            log.info(
                "%d of %d days were published by an earlier attempt of this run", self.tally.resumed_days, len(parts)
            )
        with closing(self.client.pull(self.asked, wanted, self.tally)) as batches:
            for part in wanted:
                before = replace(self.tally)
                if not self._publish(part, self.destination + self._name(part), batches):
                    empty.append(part)
                elif part.end <= began and part is not wanted[-1]:
                    self._keep(progress, self._name(part), before)
        if self.tally.rows:
            # Days without orders in a window that has some: what an earlier run left of them must go.
            for part in empty:
                self._publish(part, self.destination + self._name(part), iter([Batch((), ends=part)]), is_wanted=True)
        progress.forget()

    def _name(self, part: Window) -> str:
        return publish.object_name(part, self.file_format)

    def _publish(self, part: Window, destination: str, batches: Iterator[Batch], *, is_wanted: bool = False) -> bool:
        """Write what comes of a window; whether it was published."""
        with publish.spooled(destination, self.file_format) as spool:
            for batch in batches:
                spool.write(batch.raws)
                self.watch()
                if batch.ends is not None:
                    break
            is_wanted = is_wanted or spool.rows > 0 or self.on_empty == "write"
            # Readers of an older object must not go on with orders that Kapture has no more.
            if is_wanted or (self.on_empty == "skip" and spool.replaces()):
                self._add(spool.publish(), part)
                return True
            return False

    def _add(self, file: dict[str, Any], part: Window) -> None:
        log.debug("Published %s: %d orders, %d bytes", file["uri"], file["rows"], file["bytes"])
        self._files.append({**file, "window_start": part.start.isoformat(), "window_end": part.end.isoformat()})

    def _work(self) -> dict[str, Any]:
        account = self.client.account
        return {
            "account": account.host,
            "dialect": repr(account.dialect),
            # Not in the dialect's repr: it may hold customers' names and numbers. Here it is only hashed.
            "default_body": dict(account.dialect.default_body),
            "date_field": self.asked.date_field,
            "body": dict(self.asked.body),
            "destination": self.destination,
            "on_empty": self.on_empty,
        }

    def _keep(self, progress: Progress, name: str, before: Tally) -> None:
        instants = [self.tally.first_ms, self.tally.last_ms]
        progress.keep(
            name,
            {"file": self._files[-1], "instants": instants, "trimmed": self.tally.trimmed - before.trimmed},
        )

    def _resume(self, progress: Progress, name: str) -> bool:
        entry = progress.entry(name)
        if entry is None:
            return False
        log.debug("%s was published by an earlier attempt of this run", name)
        self._files.append(entry["file"])
        self.tally.rows += entry["file"]["rows"]
        self.tally.resumed += entry["file"]["rows"]
        self.tally.days += 1
        self.tally.resumed_days += 1
        self.tally.trimmed += entry["trimmed"]
        first, last = entry["instants"]
        self.tally.first_ms = min((each for each in (self.tally.first_ms, first) if each is not None), default=None)
        self.tally.last_ms = max((each for each in (self.tally.last_ms, last) if each is not None), default=None)
        return True


def _widened(window: Window, days_back: int) -> Window:
    if not days_back:
        return window
    first = window.start.date() - dt.timedelta(days=days_back)
    return replace(window, start_ms=day_start(first, window.zone))
