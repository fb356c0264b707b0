"""Hourly runs in one process, one after another: what a run holds on to shows as growth.

    python benchmarks/soak.py --runs 500

Each run goes through `dag.test()`, in the process that is measured: a sensor, and a pull of the same hour into JSON
lines and into Parquet. Kapture is a process of its own. Airflow gives each task a process that ends with it, so that
what a task leaks is gone; here nothing ends, which is harsher. What Airflow itself holds on to is measured by as many
runs of as many tasks that do nothing, in another process.

A late run must leave as many threads, sockets and temporary files as an early one. Open files come and go, without
Kapture too: Airflow's connections to SQLite. So what is compared is the least of fifty runs in a row, which whatever
leaks would raise as well. The threads in which `dag.test()` talks to its tasks, one each, are left out: how many of
the latest ones still run is chance.
Memory may grow by a tenth more than Airflow's own does: an allocator does not give back every page.
"""

from __future__ import annotations

import argparse
import datetime as dt
import gc
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
FIRST_HOUR = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)
ORDERS_AN_HOUR = 100
# A sample is over so many runs up to it: the median of the memory, and the least of what is counted.
RUNS_OF_MEMORY, RUNS_OF_COUNTS = 10, 50
MOST_GROWTH = 1.10
# In the names of the threads in which `dag.test()` talks to its tasks.
OF_AIRFLOW = "_handle_socket_comms"
# How many more than after the early run.
MOST_MORE = {"threads": 0, "files": 3, "sockets": 0, "temporary": 0}


@dataclass
class Sample:
    """What the process holds after a run."""

    run: int
    megabytes: float
    threads: int
    files: int
    sockets: int
    temporary: int


def main() -> int:
    """Run both in processes of their own, and compare."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--runs", type=int, default=500, help="how many runs (%(default)s)")
    arguments.add_argument("--early", type=int, default=50, help="the run that the last is compared with (%(default)s)")
    arguments.add_argument("--only", choices=("soak", "nothing"), help=argparse.SUPPRESS)
    asked = arguments.parse_args()
    if asked.only:
        print(json.dumps([asdict(sample) for sample in measure(asked.only, asked.runs)]))
        return 0
    with tempfile.TemporaryDirectory(prefix="kapture-soak-") as folder:
        grown = {}
        for which in ("nothing", "soak"):
            began = time.monotonic()
            samples = in_process_of_its_own(which, asked.runs, Path(folder) / which)
            early, late = at(samples, asked.early), at(samples, asked.runs)
            grown[which] = late.megabytes / early.megabytes
            print(f"\n{which}: {asked.runs} runs, {time.monotonic() - began:.0f} s", flush=True)
            show([at(samples, run) for run in sorted({asked.early, *range(100, asked.runs, 100), asked.runs})])
    more = {name: getattr(late, name) - getattr(early, name) for name in MOST_MORE}
    is_flat = grown["soak"] <= grown["nothing"] * MOST_GROWTH and all(more[name] <= MOST_MORE[name] for name in more)
    print(
        f"\nmemory of the last run / of run {asked.early}: {grown['soak']:.3f}; of Airflow alone {grown['nothing']:.3f}"
    )
    print("flat" if is_flat else "NOT FLAT")
    return int(not is_flat)


def at(samples: list[Sample], run: int) -> Sample:
    """The runs up to one, as one."""
    until = samples[:run]
    counted = {name: min(getattr(each, name) for each in until[-RUNS_OF_COUNTS:]) for name in MOST_MORE}
    return Sample(run, statistics.median(each.megabytes for each in until[-RUNS_OF_MEMORY:]), **counted)


def show(samples: list[Sample]) -> None:
    """Print samples as a table."""
    print("   run       MB  threads  open files  sockets  temporary files")
    for each in samples:
        print(
            f"{each.run:6} {each.megabytes:8.1f} {each.threads:8} {each.files:11} {each.sockets:8} {each.temporary:16}"
        )


def in_process_of_its_own(which: str, runs: int, home: Path) -> list[Sample]:
    """The samples of a fresh process, with a throw-away Airflow and a Kapture of its own."""
    for name in ("airflow", "orders", "temporary"):
        (home / name).mkdir(parents=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
    environment = {
        **kept,
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(HERE / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        "ORDERS": (home / "orders").as_uri(),
        "TMPDIR": str(home / "temporary"),
    }
    airflow = [str(Path(sys.executable).with_name("airflow")), "db", "migrate"]
    subprocess.run(airflow, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    days = -(-runs // 24) + 1
    book = ["--orders", str(days * 24 * ORDERS_AN_HOUR), "--days", str(days), "--start", str(FIRST_HOUR.date())]
    command = [str(Path(sys.executable).with_name("kapture")), "emulator", *book]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as kapture:
        try:
            assert kapture.stdout is not None
            welcome = "".join(iter(kapture.stdout.readline, "Stop with Ctrl-C.\n"))
            environment |= connection(welcome)
            command = [sys.executable, __file__, "--only", which, "--runs", str(runs)]
            said = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
        finally:
            kapture.terminate()
    return [Sample(**each) for each in json.loads(said.splitlines()[-1])]


def connection(welcome: str) -> dict[str, str]:
    """The connection's environment variable, out of what the emulator says first."""
    [line] = [line for line in welcome.splitlines() if line.startswith("export ")]
    name, _, value = line.removeprefix("export ").partition("=")
    return {name: value.strip("'")}


def measure(which: str, runs: int) -> list[Sample]:
    """Run the DAG for one hour after another; what there is after each."""
    sys.path.insert(0, str(HERE / "dags"))
    import kapture_soak
    import psutil

    process, temporary = psutil.Process(), Path(os.environ["TMPDIR"])
    samples = []
    for number in range(runs):
        run(getattr(kapture_soak, which), FIRST_HOUR + dt.timedelta(hours=number + 1))
        gc.collect()
        samples.append(
            Sample(
                number + 1,
                process.memory_info().rss / 1e6,
                process.num_threads() - sum(OF_AIRFLOW in each.name for each in threading.enumerate()),
                process.num_fds(),
                len(process.net_connections("inet")),
                sum(1 for _ in temporary.rglob("*")),
            )
        )
    return samples


def run(dag: Any, hour: dt.datetime) -> None:
    """One run, which must succeed."""
    state = dag.test(logical_date=hour).state
    if state != "success":
        sys.exit(f"The run of {hour} ended as {state}")


if __name__ == "__main__":
    # Stopped from outside, it still stops what it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main())
