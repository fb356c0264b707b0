"""Measure a triggerer with many waiting sensors: Airflow's real trigger runner, and an emulator in another process.

    python benchmarks/triggers.py --triggers 1000 --interval 30 --latency 1 --seconds 180
    python benchmarks/triggers.py --triggers 200 --interval 5 --seconds 30 --tls

Each trigger waits for more orders than its day has, so it polls until the end. The first poll is due when the runner
receives the trigger, each further poll an interval after the previous one ended; its lateness is the time from then
until its request is passed to the socket. A heartbeat task that should run every 10 ms measures how long the event loop
is blocked, also by other programs; the CPU time of the loop's thread is shown beside it. Pauses by Python's garbage
collector are shown separately, because most objects it visits are Airflow's. A substitute of the runner's supervisor
passes one trigger at first and the others some seconds later, as in a triggerer that has been running.

The longest steps of the event loop are timed as by asyncio's debug mode: those of the first trigger, which imports what
polls need, and those of all triggers later. Steps of the runner's own tasks are left out.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import logging
import os
import resource
import shlex
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from loop_steps import Pause, Step, longest_step, step_of_triggers, watch_steps

ROOT = Path(__file__).parents[1]
HEARTBEAT = 0.01
MOST_BLOCKED = 0.1
WARM_UP = 5.0


@dataclass
class Poll:
    """A poll of a trigger; times are seconds of the event loop's clock."""

    due: float
    is_first: bool
    sent: float | None = None


@dataclass
class Beat:
    """One heartbeat; all values are seconds.

    :param late: lateness
    :param worked: CPU time of the loop's thread since the previous heartbeat
    :param collected: duration of garbage collections since then
    :param collecting: CPU time of these garbage collections
    """

    late: float
    worked: float
    collected: float
    collecting: float


@dataclass
class Seen:
    """Observations during the benchmark."""

    polls: list[Poll] = field(default_factory=list)
    collections: list[tuple[float, float]] = field(default_factory=list)
    beats: list[Beat] = field(default_factory=list)
    pauses: list[Pause] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    first_steps: list[Step] = field(default_factory=list)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--triggers", type=int, default=1000, metavar="N")
    parser.add_argument("--interval", type=float, default=30.0, metavar="SECONDS", help="between a trigger's polls")
    parser.add_argument("--latency", type=float, default=1.0, metavar="SECONDS", help="of each response")
    parser.add_argument("--seconds", type=float, default=180.0, help="how long the triggers run")
    parser.add_argument("--orders", type=int, default=20, metavar="N", help="orders of the day")
    parser.add_argument("--tls", action="store_true", help="through a relay that speaks TLS, in another process")
    return parser.parse_args()


class Kapture:
    """An emulator in another process.

    :ivar environment: environment variable with the connection
    """

    def __init__(self, *, orders: int, latency: float) -> None:
        self._process = subprocess.Popen(
            [
                Path(sys.executable).with_name("kapture"),
                "emulator",
                "--orders",
                str(orders),
                "--days",
                "1",
                "--start",
                "2024-05-08",
                "--latency",
                str(latency),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        output = ""
        while "export " not in output:
            line = self._process.stdout.readline()
            assert line, "the emulator did not start"
            output += line
        name, _, value = shlex.split(output.partition("export ")[2])[0].partition("=")
        self.environment = {name: value}
        self._stats = output.partition("control   ")[2].split()[0]

    def behind_tls(self, folder: Path) -> subprocess.Popen[str]:
        """Start a relay that speaks TLS, and make the connection name it."""
        sys.path.append(str(ROOT / "tests" / "support"))
        import certifi
        from certificates import self_signed

        certificate = self_signed(folder)
        # As long to read as the bundle of a real connection.
        bundle = folder / "bundle.pem"
        bundle.write_bytes(
            Path(certifi.where()).read_bytes() + certificate.read_bytes().partition(b"-----BEGIN PRI")[0]
        )
        ((name, value),) = self.environment.items()
        connection = json.loads(value)
        relay = subprocess.Popen(
            [sys.executable, ROOT / "benchmarks" / "tls_relay.py", certificate, connection["host"].rpartition(":")[2]],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert relay.stdout is not None
        connection["host"] = f"https://127.0.0.1:{relay.stdout.readline().strip()}"
        connection["extra"]["verify"] = str(bundle)
        self.environment = {name: json.dumps(connection)}
        return relay

    def stats(self) -> dict[str, Any]:
        with urllib.request.urlopen(self._stats) as response:
            found: dict[str, Any] = json.load(response)
        return found

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()


def watch_polls(seen: Seen, interval: float) -> None:
    """Record when polls are due and when their requests are sent."""
    from airflow_provider_kapture.client.transport.aiohttp_transport import AiohttpTransport
    from airflow_provider_kapture.triggers.waiting import OrderWait

    current: ContextVar[Poll | None] = ContextVar("poll", default=None)
    due: dict[int, float] = {}
    count, send = OrderWait.count, AiohttpTransport.send

    async def counted(wait: Any, *args: Any, **settings: Any) -> int:
        when = due.get(id(wait))
        poll = Poll(STARTED[0] if when is None else when, when is None)
        seen.polls.append(poll)
        current.set(poll)
        try:
            return await count(wait, *args, **settings)
        finally:
            due[id(wait)] = asyncio.get_running_loop().time() + interval

    async def sent(transport: Any, *args: Any) -> Any:
        poll = current.get()
        if poll is not None and poll.sent is None:
            poll.sent = asyncio.get_running_loop().time()
        return await send(transport, *args)

    OrderWait.count = counted  # type: ignore[method-assign]
    AiohttpTransport.send = sent  # type: ignore[method-assign]


# When the runner received the triggers.
STARTED = [0.0]


async def beat(seen: Seen) -> None:
    clock = asyncio.get_running_loop().time
    while True:
        due, worked, collections = clock() + HEARTBEAT, time.thread_time(), len(seen.collections)
        await asyncio.sleep(HEARTBEAT)
        late, worked = clock() - due, time.thread_time() - worked
        collected, collecting = (sum(each) for each in zip((0, 0), *seen.collections[collections:], strict=True))
        seen.beats.append(Beat(late, worked, collected, collecting))


def triggers(count: int, interval: float) -> list[Any]:
    from airflow.executors.workloads import RunTrigger
    from airflow.models.trigger import Trigger

    from airflow_provider_kapture.triggers.kapture import KaptureOrdersTrigger

    waiting = KaptureOrdersTrigger(
        kapture_conn_id="kapture_default",
        window_start="2024-05-08T00:00:00+05:30",
        window_end="2024-05-09T00:00:00+05:30",
        min_orders=1_000_000,
        poll_interval=interval,
    )
    path, kwargs = waiting.serialize()
    return [
        RunTrigger(id=number, classpath=path, encrypted_kwargs=Trigger.encrypt_kwargs(kwargs))
        for number in range(count)
    ]


def watch_collections(seen: Seen) -> None:
    """Record the pauses by Python's garbage collector."""
    began = [0.0, 0.0]

    def note(phase: str, _: object) -> None:
        if phase == "start":
            began[:] = time.perf_counter(), time.thread_time()
        else:
            took, worked = time.perf_counter() - began[0], time.thread_time() - began[1]
            seen.collections.append((took, worked))
            is_loops = threading.current_thread() is threading.main_thread()
            seen.pauses.append(Pause(began[0], took, worked if is_loops else 0.0))

    gc.callbacks.append(note)


async def run(workloads: list[Any], seen: Seen, seconds: float) -> None:
    from airflow.jobs.triggerer_job_runner import TriggerRunner, messages

    loop = asyncio.get_running_loop()
    handed_out = workloads[:1]

    class Supervisor:
        def __init__(self) -> None:
            self._reader_task = asyncio.create_task(asyncio.Event().wait())

        async def asend(self, message: Any) -> Any:
            if not isinstance(message, messages.TriggerStateChanges):
                return None
            new, handed_out[:] = handed_out[:], []
            if new:
                STARTED[0] = loop.time()
            return messages.TriggerStateSync(to_create=new, to_cancel=set())

        def send(self, message: Any) -> Any:
            return asyncio.run_coroutine_threadsafe(self.asend(message), loop).result()

    class Runner(TriggerRunner):
        async def init_comms(self) -> None:
            from airflow.sdk.execution_time import task_runner

            self.comms_decoder = Supervisor()  # type: ignore[assignment]
            task_runner.SUPERVISOR_COMMS = self.comms_decoder

    runner = Runner()
    running = asyncio.create_task(runner.arun())
    await asyncio.sleep(WARM_UP)
    assert seen.polls, "the first trigger did not poll"
    seen.polls.clear()
    seen.collections.clear()
    seen.first_steps, seen.steps[:] = list(seen.steps), []
    handed_out += workloads[1:]
    heart = asyncio.create_task(beat(seen))
    await asyncio.wait([running], timeout=seconds)
    assert not runner.failed_triggers, runner.failed_triggers[0]
    assert not running.done(), running.result()
    heart.cancel()
    waiting = [each["task"] for each in runner.triggers.values()]
    for each in waiting:
        each.cancel()
    await asyncio.wait(waiting)
    runner.stop = True
    await running


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


def described(late: list[float]) -> str:
    if not late:
        return "none"
    ninety_nine = late[int(len(late) * 0.99)]
    return f"{statistics.median(late):.3f} s median, {ninety_nine:.3f} s for 99 in 100, {late[-1]:.3f} s worst"


def report(options: argparse.Namespace, seen: Seen, requests: int, memory: SimpleNamespace) -> bool:
    first, later = (
        sorted(each.sent - each.due for each in seen.polls if each.sent is not None and each.is_first is is_first)
        for is_first in (True, False)
    )
    apart = max(each.late - each.collected for each in seen.beats)
    worked = max(each.worked - each.collecting for each in seen.beats)
    collection, collecting = max(seen.collections, default=(0.0, 0.0))
    longest = [longest_step(each, seen.pauses) for each in (seen.first_steps, seen.steps)]
    each_took = (memory.peak - memory.before) * 1024 / options.triggers
    rows = {
        "load average": f"{' '.join(f'{each:.2f}' for each in os.getloadavg())} on {os.cpu_count()} CPUs",
        "polls": f"{len(first) + len(later):,}",
        "requests per second": f"{requests / options.seconds:.1f}",
        "lateness of first polls": described(first),
        "lateness of later polls": described(later),
        "event loop blocked, worst": f"{apart * 1000:.1f} ms; {worked * 1000:.1f} ms of CPU time",
        "longest step at first": str(longest[0] or "less than 1 ms"),
        "longest step later": str(longest[1] or "less than 1 ms"),
        "by garbage collection": f"{collection * 1000:.1f} ms; {collecting * 1000:.1f} ms of CPU time",
        "memory": f"{memory.before:.0f} MiB before, {memory.peak:.0f} MiB at most: {each_took:.0f} KiB per trigger",
    }
    print(
        f"{options.triggers:,} triggers, {options.interval:g} s interval, {options.latency:g} s latency, "
        f"{options.seconds:g} s, {'TLS' if options.tls else 'plain HTTP'}"
    )
    print("\n".join(f"  {name:<27}{value}" for name, value in rows.items()))
    is_short = all(each is None or each.took <= MOST_BLOCKED for each in longest)
    return max(first + later, default=0.0) <= options.interval and apart <= MOST_BLOCKED and is_short


def main() -> int:
    options = arguments()
    kapture = Kapture(orders=options.orders, latency=options.latency)
    seen = Seen()
    with contextlib.ExitStack() as stack:
        stack.callback(kapture.stop)
        home = stack.enter_context(tempfile.TemporaryDirectory())
        if options.tls:
            relay = stack.enter_context(kapture.behind_tls(Path(home)))
            stack.callback(relay.terminate)
        os.environ |= {
            "AIRFLOW_HOME": home,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
            **kapture.environment,
        }
        logging.disable(logging.INFO)
        watch_polls(seen, options.interval)
        watch_collections(seen)
        workloads = triggers(options.triggers, options.interval)
        before = resident_mib()
        watch_steps(seen.steps, step_of_triggers)
        asyncio.run(run(workloads, seen, options.seconds))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        requests = kapture.stats()["requests"]
    return 0 if report(options, seen, requests, SimpleNamespace(before=before, peak=peak)) else 1


if __name__ == "__main__":
    sys.exit(main())
