"""Measure this provider's pulls beside a bare download, their memory and the start-up, for docs/performance.md."""

from __future__ import annotations

import subprocess
import sys
import tempfile
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
    with_bytecode,
)

FORMATS = ("jsonl", "jsonl.gz", "jsonl.zst", "csv", "parquet")
LATENCY = 0.1
MEMORY_ORDERS = (1, 100_000, 600_000)
SMALL = 1_000
# Both times in one process: two processes on a machine with other load differ more than what is measured.
IMPORTS = """
import time
from airflow.providers.common.compat.sdk import DAG, BaseOperator, BaseSensorOperator
airflow = time.process_time()
from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator
print(airflow, time.process_time())
"""


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
    yield "| orders | " + " | ".join(f"{each}, MiB" for each in FORMATS) + " |"
    yield "|---" * (len(FORMATS) + 1) + "|"
    for orders in MEMORY_ORDERS:
        with emulator(orders) as server:
            found = [_measure_once(ours(each), server)["mib"] for each in FORMATS]
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
    with tempfile.TemporaryDirectory(prefix="kapture-bench-") as bytecode:
        _import_ratio(bytecode)  # writes the bytecode
        imports = [_import_ratio(bytecode) for _ in range(PAIRS)]
        yield f"| CPU to import the operator and Airflow, divided by that of Airflow alone | {spread(imports)} |"
        for latency in (0.0, LATENCY):
            with emulator(SMALL) as server:
                server.control("switches", {"latency": latency})
                _first_and_second(server, bytecode)
                found = [_first_and_second(server, bytecode) for _ in range(PAIRS)]
            what = f"first pull of a process, {SMALL:,} orders, {latency * 1000:.0f} ms latency, divided by its second"
            difference = median(first - second for first, second in found)
            ratios = spread([first / second for first, second in found])
            yield f"| {what} (median difference {difference:.2f} s) | {ratios} |"


def _import_ratio(bytecode: str) -> float:
    """Return the CPU time of a process after importing the operator, divided by that after importing Airflow."""
    command = [sys.executable, "-c", IMPORTS]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, env=with_bytecode(bytecode)).stdout
    airflow, provider = map(float, printed.split()[-2:])
    return provider / airflow


def _first_and_second(server: Emulator, bytecode: str) -> tuple[float, float]:
    """Return the seconds of the first and the second pull of a process."""
    progress("first pull of a process")
    process = PullProcess(ours("jsonl"), server, is_warm=False, bytecode=bytecode)
    try:
        return process.measure()["seconds"], process.measure()["seconds"]
    finally:
        process.close()


if __name__ == "__main__":
    main()
