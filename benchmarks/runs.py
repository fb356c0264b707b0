"""Start the emulator and the processes that pull from it, and compare their measurements.

``bench.py`` and ``peers.py`` choose what is compared; one pull is measured in ``pulls/measure.py``.
"""

from __future__ import annotations

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
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "performance.md"
PROGRAMS = Path(sys.executable).parent
PAGE_SIZE, ORDERS_A_DAY = 1_000, 100_000
PAIRS = 7
WARM_UP_DAY, FIRST_DAY = "2024-05-01", 8

Measurement = dict[str, Any]


@dataclass(frozen=True)
class Pull:
    """One way to pull orders.

    :param script: file in the folder ``pulls``
    :param environment: name of a file in the folder ``requirements``; None for this provider's environment
    :param in_flight: concurrent requests, where there is a choice
    """

    label: str
    script: str
    environment: str | None = None
    file_format: str = ""
    in_flight: int = 1


FLOOR = Pull("floor: `requests`, one page after another, nothing kept", "floor.py")


def ours(file_format: str, in_flight: int = 4) -> Pull:
    """Return a pull by this provider."""
    return Pull(f"{file_format}, {in_flight} in flight", "ours.py", None, file_format, in_flight)


@dataclass(frozen=True)
class Emulator:
    """An emulator in a process of its own.

    :ivar orders: number of its orders
    """

    origin: str
    orders: int

    @property
    def days(self) -> tuple[str, str]:
        """The first and the last day of its orders."""
        last = FIRST_DAY + max(self.orders // ORDERS_A_DAY, 1) - 1
        return f"2024-05-{FIRST_DAY:02}", f"2024-05-{last:02}"

    def control(self, what: str, body: dict[str, object]) -> None:
        """Send a request to its control API."""
        request = urllib.request.Request(f"{self.origin}/_emulator/{what}", json.dumps(body).encode())
        urllib.request.urlopen(request, timeout=60).close()


@contextlib.contextmanager
def emulator(orders: int) -> Iterator[Emulator]:
    """Start an emulator, and stop it at the end."""
    days = max(orders // ORDERS_A_DAY, 1)
    book = ["--orders", str(orders), "--days", str(days), "--start", f"2024-05-{FIRST_DAY:02}"]
    command = [PROGRAMS / "kapture", "emulator", *book]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            origin = next(found[0] for line in server.stdout if (found := re.search(r"http://127\.0\.0\.1:\d+", line)))
            started = Emulator(origin, orders)
            started.control("orders", {"count": 3, "day": WARM_UP_DAY})
            yield started
        finally:
            server.terminate()


class PullProcess:
    """A process that pulls each time it is told to, so that pulls can be measured by turns."""

    def __init__(self, pull: Pull, server: Emulator, *, is_warm: bool = True, bytecode: str | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="kapture-bench-")
        first_day, last_day = server.days
        job = {
            "origin": server.origin,
            "first_day": first_day,
            "last_day": last_day,
            "page_size": PAGE_SIZE,
            "file_format": pull.file_format,
            "in_flight": pull.in_flight,
            "folder": self._folder.name,
            "warm_up_day": WARM_UP_DAY if is_warm else None,
        }
        self._errors = Path(self._folder.name, "errors")
        with self._errors.open("w") as errors:
            self._process = subprocess.Popen(
                [environment(pull.environment), HERE / "pulls" / pull.script, json.dumps(job)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=with_bytecode(bytecode)
                | {"AIRFLOW_HOME": f"{self._folder.name}/airflow", "HOME": self._folder.name},
            )
        self._read()

    def measure(self, what: str = "time") -> Measurement:
        """Pull once, and return seconds, seconds of CPU, rows and MiB; with ``what="ids"`` also the orders' ids.

        :raises RuntimeError: the pull failed
        """
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"{what}\n")
            self._process.stdin.flush()
        return self._read()

    def _read(self) -> Measurement:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            last = [each for each in self._errors.read_text().splitlines() if each.strip()]
            self.close()
            raise RuntimeError(last[-1].strip()[:120] if last else "no message")
        found: Measurement = json.loads(line)
        return found

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()
        self._folder.cleanup()


def environment(name: str | None) -> Path:
    """Return the interpreter of an environment, which is created if necessary.

    :raises RuntimeError: the environment cannot be created
    """
    if name is None:
        return Path(sys.executable)
    folder, source = HERE / ".venvs" / name, HERE / "requirements" / f"{name}.txt"
    python, made_of = folder / "bin" / "python", folder / "requirements.txt"
    if not made_of.exists() or made_of.read_text() != source.read_text():
        shutil.rmtree(folder, ignore_errors=True)
        progress(f"installing {name}")
        uv = PROGRAMS / "uv"
        for command in (
            [uv, "venv", "--quiet", "--python", sys.executable, folder],
            [uv, "pip", "install", "--quiet", "--python", python, "-r", source],
        ):
            done = subprocess.run(command, check=False, capture_output=True, text=True)
            if done.returncode:
                raise RuntimeError(f"not installed: {done.stderr.strip().splitlines()[-1][:120]}")
        shutil.copy(source, made_of)
    return python


def with_bytecode(folder: str | None) -> dict[str, str]:
    """Return this environment, in which a folder has the bytecode of what is imported, as an installation by pip has.

    :param folder: written to by the first process; None for what this environment is set to
    """
    if folder is None:
        return dict(os.environ)
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPYCACHEPREFIX": folder}


def paired(pull: Pull, server: Emulator, floor: PullProcess, pairs: int = PAIRS) -> list[tuple[Measurement, ...]]:
    """Measure a pull and the floor by turns.

    :raises RuntimeError: the pull failed, or returned another number of orders
    """
    progress(f"{server.orders:,} orders, {pull.label}")
    process = PullProcess(pull, server)
    try:
        found = [(process.measure(), floor.measure()) for _ in range(pairs)]
    finally:
        process.close()
    if any(each["rows"] != server.orders for each, _ in found):
        raise RuntimeError(f"{found[-1][0]['rows']:,} orders instead of {server.orders:,}")
    return found


def spread(values: Sequence[float]) -> str:
    """Return minimum, median and maximum."""
    return f"{min(values):.2f} / **{median(values):.2f}** / {max(values):.2f}"


def row(label: str, pairs: Sequence[tuple[Measurement, ...]]) -> str:
    """Return the row of a table: times as multiples of the floor, seconds and memory."""
    ratios, cpu = ([each[name] / base[name] for each, base in pairs] for name in ("seconds", "cpu_seconds"))
    seconds, mib = (median(each[name] for each, _ in pairs) for name in ("seconds", "mib"))
    return f"| {label} | {spread(ratios)} | {median(cpu):.2f} | {seconds:.2f} | {mib:.0f} |"


ROWS_HEAD = "| pull | x floor: min / median / max | CPU x floor | seconds | + MiB |\n|---|---|---|---|---|"


def machine() -> str:
    """Return a sentence about the machine and the versions."""
    names = ("apache-airflow", "airflow-provider-kapture", "msgspec", "requests", "pyarrow")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {versions}."


def publish(section: str, lines: Iterable[str]) -> None:
    """Print lines as they come, and put them in place of a section of docs/performance.md."""
    printed = []
    for line in lines:
        print(line, flush=True)
        printed.append(line)
    text = "\n".join(printed)
    start, end = (f"<!-- {section}: {edge} -->" for edge in ("begin", "end"))
    before, _, rest = PAGE.read_text().partition(start)
    _, _, after = rest.partition(end)
    PAGE.write_text(f"{before}{start}\n\n{text}\n\n{end}{after}")


def progress(what: str) -> None:
    """Print what is measured now."""
    print(f"... {what}", file=sys.stderr, flush=True)
