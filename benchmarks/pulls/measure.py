"""Run one pull of the benchmark and measure its time and memory. Standard library only, for every environment."""

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


def main(pull: Callable[[Job], int]) -> None:
    """Run the job in the arguments once for each line of standard input; print seconds, rows and MiB of memory as JSON.

    A day of a few orders is pulled first, so that imports are not measured. The memory is the peak minus that after
    this first pull.
    """
    arguments = json.loads(sys.argv[1])
    warm_up_day, out = arguments.pop("warm_up_day"), sys.stdout
    job = Job(**arguments)
    with contextlib.redirect_stdout(sys.stderr):
        _pulled(pull, replace(job, first_day=warm_up_day, last_day=warm_up_day))
        idle = _memory("VmRSS")
        _report(out, {})
        for _ in sys.stdin:
            _reset_peak()
            began, cpu_before = time.perf_counter(), time.process_time()
            rows = _pulled(pull, job)
            _report(
                out,
                {
                    "seconds": time.perf_counter() - began,
                    "cpu_seconds": time.process_time() - cpu_before,
                    "rows": rows,
                    "mib": _memory("VmHWM") - idle,
                },
            )


def _report(out: TextIO, what: dict[str, float]) -> None:
    out.write(json.dumps(what) + "\n")
    out.flush()


def _pulled(pull: Callable[[Job], int], job: Job) -> int:
    with tempfile.TemporaryDirectory(dir=job.folder or None) as folder:
        return pull(replace(job, folder=folder))


def _memory(name: str) -> float:
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else float("nan")


def _reset_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
