"""Run one pull of the benchmark and measure its time and memory. Standard library only, for every environment."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

PATH = "/ms/customer-search/order-search/api/v1/pull-internal"
# Credentials of the emulator.
USER, PASSWORD, CM_ID = "kapture", "emulator", 1_000_298


@dataclass(frozen=True)
class Job:
    """The orders to pull, and how.

    :param first_day: first day of the account
    :param last_day: last day, inclusive
    :param file_format: file format, for pulls that support several
    :param in_flight: concurrent requests, for pulls that support several
    :param folder: folder to write to
    """

    origin: str
    first_day: str
    last_day: str
    page_size: int
    file_format: str = ""
    in_flight: int = 1
    folder: str = ""

    def body(self, offset: int = 0) -> dict[str, Any]:
        return {
            "cmId": CM_ID,
            "viewId": "2",
            "createStartDate": self.first_day,
            "createEndDate": self.last_day,
            "limit": str(self.page_size),
            "offset": str(offset),
        }

    @property
    def day_after(self) -> str:
        return str(dt.date.fromisoformat(self.last_day) + dt.timedelta(days=1))


def main(pull: Callable[[Job], int], ids: Callable[[Job], Iterable[int]] | None = None) -> None:
    """Run the job in the arguments once for each line of standard input, and print the measurements as JSON.

    A day of a few orders is pulled first, unless the job has none, so that imports are not measured. The memory is the
    peak minus that before.

    :param pull: pulls, and returns the number of orders
    :param ids: reads the ids of the orders back, for a line ``ids``
    """
    arguments = json.loads(sys.argv[1])
    warm_up_day, out = arguments.pop("warm_up_day"), sys.stdout
    job = Job(**arguments)
    with contextlib.redirect_stdout(sys.stderr):
        if warm_up_day is not None:
            with _own_folder(replace(job, first_day=warm_up_day, last_day=warm_up_day)) as small:
                pull(small)
        idle = _memory("VmRSS")
        _report(out, {})
        for command in sys.stdin:
            _reset_peak()
            with _own_folder(job) as own:
                began, cpu_before = time.perf_counter(), time.process_time()
                rows = pull(own)
                seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu_before
                found: dict[str, Any] = {"seconds": seconds, "cpu_seconds": cpu_seconds, "rows": rows}
                found["mib"] = _memory("VmHWM") - idle
                if command.strip() == "ids" and ids is not None:
                    found["ids"] = list(ids(own))
            _report(out, found)


def _report(out: TextIO, what: dict[str, Any]) -> None:
    out.write(json.dumps(what) + "\n")
    out.flush()


@contextlib.contextmanager
def _own_folder(job: Job) -> Iterator[Job]:
    with tempfile.TemporaryDirectory(dir=job.folder or None) as folder:
        yield replace(job, folder=folder)


def ids_in_messages(path: Path) -> Iterator[int]:
    """Yield the ids of the records in a file of JSON messages."""
    with path.open() as lines:
        for line in lines:
            message = json.loads(line)
            if message["type"] == "RECORD":
                record = message["record"]
                yield record.get("data", record)["id"]


def _memory(name: str) -> float:
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else float("nan")


def _reset_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
