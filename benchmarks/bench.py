"""Measure this provider's pulls beside a bare download, their memory and the start-up, for docs/performance.md."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain
from statistics import median

from runs import (
    FLOOR,
    ORDERS_A_DAY,
    PAGE_SIZE,
    PAIRS,
    ROWS_HEAD,
    Emulator,
    Measurement,
    Pull,
    PullProcess,
    emulator,
    machine,
    ours,
    paired,
    progress,
    publish,
    row,
    spread,
)

FORMATS = ("jsonl", "jsonl.gz", "jsonl.zst", "csv", "parquet")
LATENCY = 0.1
MEMORY_ORDERS = (1, 100_000, 600_000)
MEMORY_FORMATS = ("jsonl", "parquet")
SMALL = 1_000
AIRFLOW = "from airflow.providers.common.compat.sdk import DAG, BaseOperator, BaseSensorOperator\n"
PROVIDER = AIRFLOW + "from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator\n"


def main() -> None:
    """Print the tables, and write them to docs/performance.md."""
    publish("bench", chain([machine(), ""], speed(), [""], memory(), [""], start_up()))


def speed() -> Iterator[str]:
    """Yield the table of times."""
    yield (
        f"{ORDERS_A_DAY:,} orders in pages of {PAGE_SIZE:,}, {PAIRS} pairs each. The floor downloads each page with "
        "`requests`, one after another, and keeps nothing."
    )
    yield ""
    yield ROWS_HEAD
    with emulator(ORDERS_A_DAY) as server:
        floor = PullProcess(FLOOR, server)
        for pull in map(ours, FORMATS):
            yield row(pull.label, paired(pull, server, floor))
        server.control("switches", {"latency": LATENCY})
        pull = ours("jsonl", in_flight=8)
        yield row(f"{pull.label}, {LATENCY * 1000:.0f} ms latency", paired(pull, server, floor))
        floor.close()


def memory() -> Iterator[str]:
    """Yield the table of memory."""
    yield "Peak memory of a pull, minus that of the process before it:"
    yield ""
    yield "| orders | " + " | ".join(f"{each}, MiB" for each in MEMORY_FORMATS) + " |"
    yield "|---" * (len(MEMORY_FORMATS) + 1) + "|"
    for orders in MEMORY_ORDERS:
        with emulator(orders) as server:
            found = [_measure_once(ours(each), server)["mib"] for each in MEMORY_FORMATS]
        yield f"| {orders:,} | " + " | ".join(f"+{each:.0f}" for each in found) + " |"


def _measure_once(pull: Pull, server: Emulator) -> Measurement:
    progress(f"memory, {pull.label}")
    process = PullProcess(pull, server)
    try:
        return process.measure()
    finally:
        process.close()


def start_up() -> Iterator[str]:
    """Yield the table of start-up times."""
    yield "| start-up | min / median / max |"
    yield "|---|---|"
    progress("imports")
    imports = [_cpu_of(PROVIDER) / _cpu_of(AIRFLOW) for _ in range(PAIRS)]
    yield f"| CPU to import the operator, divided by that of Airflow's own import | {spread(imports)} |"
    for latency in (0.0, LATENCY):
        firsts, seconds = [], []
        with emulator(SMALL) as server:
            server.control("switches", {"latency": latency})
            for _ in range(PAIRS):
                progress(f"first pull of a process, {latency * 1000:.0f} ms")
                process = PullProcess(ours("jsonl"), server, is_warm=False)
                first, second = process.measure()["seconds"], process.measure()["seconds"]
                firsts.append(first / second)
                seconds.append(first - second)
                process.close()
        what = f"first pull of a process, {SMALL:,} orders, {latency * 1000:.0f} ms latency, divided by its second"
        yield f"| {what} (median difference {median(seconds):.2f} s) | {spread(firsts)} |"


def _cpu_of(code: str) -> float:
    """Return the seconds of CPU that an interpreter takes to run some code."""
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
