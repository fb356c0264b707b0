"""Compare pulls of the same orders by this provider and by alternatives, in one table.

README.md in this folder explains the table. One pull is measured in `pulls/measure.py`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

HERE = Path(__file__).parent
PROGRAMS = Path(sys.executable).parent
PAGE_SIZE = 1_000
ORDERS_A_DAY = 100_000
# Above this number of orders, pulls with one request at a time are measured once, or with latency not at all.
MANY = 500_000
FORMATS = ("jsonl", "jsonl.gz", "jsonl.zst", "parquet")
WARM_UP_DAY = "2024-05-01"
FIRST_DAY = 8


@dataclass(frozen=True)
class Pull:
    """One line of the table.

    :param script: file in the folder ``pulls``
    :param environment: name of a file in the folder ``requirements``; None for this provider's environment
    :param in_flight: concurrent requests
    """

    group: str
    label: str
    script: str
    environment: str | None = None
    file_format: str = ""
    in_flight: int = 1


@dataclass(frozen=True)
class Scale:
    """Parameters of all pulls in one part of the table.

    :param latency: seconds until a response starts
    """

    orders: int
    latency: float

    @property
    def days(self) -> int:
        return max(self.orders // ORDERS_A_DAY, 1)


@dataclass(frozen=True)
class Result:
    seconds: float
    mib: float
    rows: int
    times: int


FLOOR = Pull("floor", "floor: requests, one page after another, thrown away", "floor.py")
PEERS = (
    Pull("dlt", "dlt rest_api to Parquet", "dlt_rest_api.py", "dlt"),
    Pull(
        "airflow_http", "Airflow HttpOperator, pagination_function, writes nothing", "airflow_http.py", "airflow_http"
    ),
    Pull("airbyte", "Airbyte CDK, declarative manifest, messages to a file", "airbyte_manifest.py", "airbyte"),
    Pull("singer", "Singer SDK, messages to a file", "singer_tap.py", "singer"),
    Pull("pandas", "requests and pandas to Parquet", "pandas_loop.py", "pandas"),
)


def pulls(only: Sequence[str], formats: Sequence[str], in_flight: Sequence[int]) -> Iterator[Pull]:
    for file_format in formats:
        for most in in_flight:
            yield Pull("ours", f"ours: {file_format}, {most} in flight", "ours.py", None, file_format, most)
    yield from (each for each in PEERS if not only or each.group in only)


def times(pull: Pull, scale: Scale, repeats: int) -> int:
    """Return the number of measurements of a pull; 0 for pulls that would take hours without new information."""
    if pull.in_flight > 1 or (pull.group in {"ours", "floor"} and not scale.latency):
        return repeats
    if scale.latency and scale.orders > MANY:
        return 1 if pull is FLOOR else 0
    return 1 if scale.latency or scale.orders > MANY else repeats


def environment(name: str | None) -> Path:
    """Return the interpreter of an environment, which is created if necessary.

    :raises RuntimeError: the environment cannot be created
    """
    if name is None:
        return Path(sys.executable)
    folder = HERE / ".venvs" / name
    requirements = (HERE / "requirements" / f"{name}.txt").read_text()
    python, made_of = folder / "bin" / "python", folder / "requirements.txt"
    if not made_of.exists() or made_of.read_text() != requirements:
        shutil.rmtree(folder, ignore_errors=True)
        _print(f"installing {name}")
        for command in (
            [PROGRAMS / "uv", "venv", "--quiet", "--python", sys.executable, folder],
            [
                PROGRAMS / "uv",
                "pip",
                "install",
                "--quiet",
                "--python",
                python,
                "-r",
                f"{folder.parent.parent}/requirements/{name}.txt",
            ],
        ):
            done = subprocess.run(command, check=False, capture_output=True, text=True)
            if done.returncode:
                raise RuntimeError(f"not installed: {_last_line(done.stderr)}")
        made_of.write_text(requirements)
    return python


@contextlib.contextmanager
def emulator(scale: Scale) -> Iterator[str]:
    """Start an emulator in another process, and yield its origin."""
    book = ["--orders", str(scale.orders), "--days", str(scale.days), "--start", f"2024-05-{FIRST_DAY:02}"]
    with subprocess.Popen(
        [PROGRAMS / "kapture", "emulator", *book],
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            assert server.stdout is not None
            origin = next(found[0] for line in server.stdout if (found := re.search(r"http://127\.0\.0\.1:\d+", line)))
            _control(origin, "orders", {"count": 3, "day": WARM_UP_DAY})
            yield origin
        finally:
            server.terminate()


def _control(origin: str, what: str, body: dict[str, object]) -> None:
    request = urllib.request.Request(f"{origin}/_emulator/{what}", json.dumps(body).encode())
    urllib.request.urlopen(request, timeout=60).close()


def measured(pull: Pull, scale: Scale, origin: str, folder: str, repeats: int) -> list[dict[str, float]]:
    """Return the measurements of one pull.

    :raises RuntimeError: the pull failed
    """
    job = {
        "origin": origin,
        "first_day": f"2024-05-{FIRST_DAY:02}",
        "last_day": f"2024-05-{FIRST_DAY + scale.days - 1:02}",
        "page_size": PAGE_SIZE,
        "file_format": pull.file_format,
        "in_flight": pull.in_flight,
        "folder": folder,
        "warm_up_day": WARM_UP_DAY,
        "repeats": repeats,
    }
    home = {"AIRFLOW_HOME": f"{folder}/airflow", "HOME": folder}
    done = subprocess.run(
        [environment(pull.environment), HERE / "pulls" / pull.script, json.dumps(job)],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, **home},
    )
    if done.returncode:
        raise RuntimeError(f"failed: {_last_line(done.stderr)}")
    found: list[dict[str, float]] = json.loads(done.stdout.splitlines()[-1])
    return found


def result(found: Sequence[dict[str, float]]) -> Result:
    seconds, mib, rows = (median(each[name] for each in found) for name in ("seconds", "mib", "rows"))
    return Result(seconds, mib, int(rows), len(found))


def part(scale: Scale, lines: Sequence[Pull], origin: str, folder: str, repeats: int) -> Iterator[str]:
    """Yield the lines of the table for one scale."""
    _control(origin, "switches", {"latency": scale.latency})
    floor = measured(FLOOR, scale, origin, folder, times(FLOOR, scale, repeats))
    results: list[tuple[Pull, Result | str]] = []
    for pull in lines:
        often = times(pull, scale, repeats)
        _print(f"{scale.orders:,} orders, {scale.latency * 1000:.0f} ms, {pull.label}")
        try:
            results.append((pull, result(measured(pull, scale, origin, folder, often)) if often else "not run"))
        except RuntimeError as error:
            results.append((pull, str(error)))
    if not scale.latency:
        # The load of the machine may change meanwhile, so the floor is measured before and after.
        floor += measured(FLOOR, scale, origin, folder, repeats)
    base = result(floor)
    yield ""
    yield f"{scale.orders:,} orders in pages of {PAGE_SIZE:,}, {scale.latency * 1000:.0f} ms until a response starts"
    yield "  x floor   seconds  peak MiB  median of  pull"
    for pull, found in [(FLOOR, base), *results]:
        yield _line(pull, found, base, scale)


def _line(pull: Pull, found: Result | str, base: Result, scale: Scale) -> str:
    if isinstance(found, str):
        return f"{'-':>9} {'-':>9} {'-':>9} {'-':>10}  {pull.label} ({found})"
    short = "" if found.rows == scale.orders else f" ({found.rows:,} ORDERS)"
    ratio = found.seconds / base.seconds
    return f"{ratio:9.2f} {found.seconds:9.2f} {found.mib:9.0f} {found.times:10}  {pull.label}{short}"


def _last_line(text: str) -> str:
    return next((line.strip()[:120] for line in reversed(text.splitlines()) if line.strip()), "no message")


def _print(what: str) -> None:
    print(f"... {what}", file=sys.stderr, flush=True)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--orders", default="100000", help="numbers of orders, separated by commas (%(default)s)")
    options.add_argument("--latency", default="0,0.1", help="seconds until a response starts (%(default)s)")
    options.add_argument("--only", default="", help=f"some of ours,{','.join(each.group for each in PEERS)}; all")
    options.add_argument(
        "--formats", default=",".join(FORMATS), help="file formats of this provider's pulls (%(default)s)"
    )
    options.add_argument(
        "--in-flight", default="1,4,8", help="concurrent requests of this provider's pulls (%(default)s)"
    )
    options.add_argument(
        "--repeats", type=int, default=3, help="measurements; the table shows the median (%(default)s)"
    )
    given = options.parse_args()
    only = [each for each in given.only.split(",") if each]
    formats = given.formats.split(",") if not only or "ours" in only else []
    lines = list(pulls(only, formats, [int(each) for each in given.in_flight.split(",")]))
    print(f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}")
    for orders in given.orders.split(","):
        with emulator(Scale(int(orders), 0)) as origin, tempfile.TemporaryDirectory(prefix="kapture-bench-") as folder:
            for latency in given.latency.split(","):
                for line in part(Scale(int(orders), float(latency)), lines, origin, folder, given.repeats):
                    print(line, flush=True)


if __name__ == "__main__":
    main()
