"""Measure throughput and CPU time of a month of orders with 1, 2 and 4 worker slots.

    python benchmarks/scaling.py --slots 1 2 4

The cluster and the job are those of `make test-distributed`, without its outages: Airflow on Celery, PostgreSQL, Redis,
an S3 server and Kapture, all on this machine. Seconds count from the start of the first pull to the end of the last.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import signal
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "distributed"))

from cluster import COMPONENTS, Cluster
from job import Job

from airflow_provider_kapture.emulator import Book

SWITCHES = {"latency": 0.05, "page_cap": 50, "status_every": 200, "drop_every": 199}
POOL_SLOTS, PAGES = 4, 2
PARTS = {"Airflow": COMPONENTS, "Kapture": ("kapture",), "S3": ("s3",), "PostgreSQL, Redis": ("postgres", "redis")}


def main() -> int:
    """Measure and print a table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument(
        "--slots", type=int, nargs="+", default=[1, 2, 4], help="worker slots to measure (%(default)s)"
    )
    arguments.add_argument("--orders", type=int, default=200_000, help="orders of the whole month (%(default)s)")
    arguments.add_argument("--days", type=int, default=31, help="days of the month (%(default)s)")
    options = arguments.parse_args()
    book = Book(orders=options.orders, days=options.days, start=dt.date(2024, 5, 1))
    columns = [
        "slots",
        "seconds",
        "orders/s",
        "requests/s",
        "concurrent requests",
        "cores busy",
        "CPU s: tasks",
        *PARTS,
    ]
    print("| " + " | ".join(columns) + " |\n|" + " --: |" * len(columns), flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="kapture-scaling-", ignore_cleanup_errors=True) as folder,
        Cluster(Path(folder), book, SWITCHES, slots=POOL_SLOTS, pages=PAGES) as cluster,
    ):
        for slots in options.slots:
            print("| " + " | ".join(measure(cluster, book, slots)) + " |", flush=True)
    print(f"\n{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f} at the end", flush=True)
    return 0


def measure(cluster: Cluster, book: Book, slots: int) -> list[str]:
    """Run the job on a worker with this many slots, and return a row of the table."""
    worker = f"worker-of-{slots}"
    cluster.kapture("POST", "reset")
    job = Job(cluster, book, f"{slots}/")
    job.begin_next_month()
    before = {part: cpu_seconds(cluster, names) for part, names in PARTS.items()}
    cluster.start_worker(worker, slots)
    job.begin()
    cluster.processes.wait_for("the run has ended", job.has_ended, 1_800)
    assert job.state() == "success"
    spent = {part: cpu_seconds(cluster, names) - before[part] for part, names in PARTS.items()}
    tasks = cluster.processes.cpu_seconds(worker)
    cluster.processes.stop(worker)
    stats = cluster.kapture("GET", "stats")
    job.check()
    pulls = job.tasks()
    seconds = max(map(moment("end_date"), pulls)) - min(map(moment("start_date"), pulls))
    busy = (tasks + sum(spent.values())) / seconds
    return [
        *(f"{slots}", f"{seconds:.0f}", f"{book.orders / seconds:,.0f}", f"{stats['requests'] / seconds:.1f}"),
        *(f"{stats['max_in_flight']}", f"{busy:.1f}", f"{tasks:.0f}", *(f"{each:.0f}" for each in spent.values())),
    ]


def cpu_seconds(cluster: Cluster, names: tuple[str, ...]) -> float:
    """Return the CPU time of programs of the cluster, in seconds."""
    return sum(cluster.processes.cpu_seconds(name) for name in names)


def moment(name: str):
    """Return a function that returns a date of a task instance, in seconds since the epoch."""
    return lambda task: dt.datetime.fromisoformat(task[name]).timestamp()


if __name__ == "__main__":
    # On SIGTERM, exit normally, so that started processes are stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main())
