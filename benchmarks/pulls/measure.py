"""What every pull of the benchmark has in common: the question, the clock and the memory. Standard library only."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import re
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

PATH = "/ms/customer-search/order-search/api/v1/pull-internal"
# The emulator's own; nothing behind them is real.
USER, PASSWORD, CM_ID = "kapture", "emulator", 1_000_298


@dataclass(frozen=True)
class Job:
    """What is to be pulled.

    :param first_day: the first of the account's days
    :param last_day: the last of them, inclusive
    :param file_format: what to write, where a pull has the choice
    :param in_flight: pages on their way at once, where a pull has the choice
    :param folder: where to write
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


def main(pull: Callable[[Job], int]) -> None:
    """Do the job in the arguments as often as they say; print rows, seconds and MiB of memory as JSON.

    A day of a few orders is pulled first, so that nothing is imported while the clock runs. The memory is the peak
    above what the process had then.
    """
    asked = json.loads(sys.argv[1])
    warm_up_day, repeats = asked.pop("warm_up_day"), asked.pop("repeats")
    job = Job(**asked)
    results = []
    with contextlib.redirect_stdout(sys.stderr):
        _pulled(pull, replace(job, first_day=warm_up_day, last_day=warm_up_day))
        idle = _memory("VmRSS")
        for _ in range(repeats):
            _reset_peak()
            began = time.perf_counter()
            rows = _pulled(pull, job)
            results.append({"seconds": time.perf_counter() - began, "rows": rows, "mib": _memory("VmHWM") - idle})
    sys.stdout.write(json.dumps(results) + "\n")


def _pulled(pull: Callable[[Job], int], job: Job) -> int:
    with tempfile.TemporaryDirectory(dir=job.folder or None) as folder:
        return pull(replace(job, folder=folder))


def _memory(name: str) -> float:
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else float("nan")


def _reset_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
