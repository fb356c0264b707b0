"""Execute hourly runs in one process, and compare its resources after early and late runs, to find leaks.

    python benchmarks/soak.py --runs 500

Each run is a `dag.test()` in the measured process: a sensor, and a pull of the same hour into JSON lines and into
Parquet. The emulator is another process. In production each task has its own process, which ends with the task, so
this test is stricter. Airflow's own growth is measured with as many runs of tasks that do nothing, in another process.

After a late run there must be no more threads, sockets and temporary files than after an early run. The number of open
files varies, because of Airflow's connections to SQLite; therefore the minimum of fifty consecutive runs is compared,
which a leak raises too. The threads in which `dag.test()` communicates with its tasks are not counted: how many of
the latest ones still run is random. Memory may grow by a tenth more than Airflow's own, because allocators do not
return every page.
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
# Runs per sample: the median of the memory, and the minimum of the counts.
RUNS_OF_MEMORY, RUNS_OF_COUNTS = 10, 50
MOST_GROWTH = 1.10
# Part of the names of the threads in which `dag.test()` communicates with its tasks.
OF_AIRFLOW = "_handle_socket_comms"
# Allowed increase compared with the early run.
MOST_MORE = {"threads": 0, "files": 3, "sockets": 0, "temporary": 0}


@dataclass
class Sample:
    """Resources of the process after a run."""

    run: int
    megabytes: float
    threads: int
    files: int
    sockets: int
    temporary: int


def main() -> int:
    """Run both DAGs in processes of their own, and compare them."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--runs", type=int, default=500, help="number of runs (%(default)s)")
    arguments.add_argument("--early", type=int, default=50, help="run to compare the last one with (%(default)s)")
    arguments.add_argument("--only", choices=("soak", "nothing"), help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.only:
        print(json.dumps([asdict(sample) for sample in measure(options.only, options.runs)]))
        return 0
    with tempfile.TemporaryDirectory(prefix="kapture-soak-") as folder:
        grown = {}
        for which in ("nothing", "soak"):
            began = time.monotonic()
            samples = measure_in_new_process(which, options.runs, Path(folder) / which)
            early, late = at(samples, options.early), at(samples, options.runs)
            grown[which] = late.megabytes / early.megabytes
            print(f"\n{which}: {options.runs} runs, {time.monotonic() - began:.0f} s", flush=True)
            show([at(samples, run) for run in sorted({options.early, *range(100, options.runs, 100), options.runs})])
    more = {name: getattr(late, name) - getattr(early, name) for name in MOST_MORE}
    is_flat = grown["soak"] <= grown["nothing"] * MOST_GROWTH and all(more[name] <= MOST_MORE[name] for name in more)
    print(
        f"\nmemory of the last run / of run {options.early}: {grown['soak']:.3f}; "
        f"of Airflow alone {grown['nothing']:.3f}"
    )
    print("flat" if is_flat else "NOT FLAT")
    return int(not is_flat)


def at(samples: list[Sample], run: int) -> Sample:
    """Return one sample for the runs up to a run."""
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


def measure_in_new_process(which: str, runs: int, home: Path) -> list[Sample]:
    """Return the samples of a new process with a temporary Airflow and an emulator."""
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
            output = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
        finally:
            kapture.terminate()
    return [Sample(**each) for each in json.loads(output.splitlines()[-1])]


def connection(welcome: str) -> dict[str, str]:
    """Return the environment variable of the connection, from the first output of the emulator."""
    [line] = [line for line in welcome.splitlines() if line.startswith("export ")]
    name, _, value = line.removeprefix("export ").partition("=")
    return {name: value.strip("'")}


def measure(which: str, runs: int) -> list[Sample]:
    """Run the DAG for consecutive hours, and return a sample after each run."""
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
    """Execute one run, which must succeed."""
    state = dag.test(logical_date=hour).state
    if state != "success":
        sys.exit(f"The run of {hour} ended as {state}")


if __name__ == "__main__":
    # On SIGTERM, exit normally, so that started processes are stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main())
