"""A complete local Airflow: scheduler, DAG processor, triggerer and API server, which always stop with their parent.

`airflow standalone` serves its logs on every network interface, and leaves its children running if a signal ends it.
Here the components run in a separate session with a guard process, which is this file run as a program. The guard stops
the whole session once its standard input is closed, which happens however its parent process ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import psutil
import requests

_T = TypeVar("_T")

USER = "admin"
COMPONENTS = (
    ("scheduler", "--skip-serve-logs"),
    ("dag-processor",),
    ("triggerer", "--skip-serve-logs"),
    ("api-server",),
)
_START_SECONDS = 300.0
_STOP_SECONDS = 20.0


class Standalone:
    """A separate Airflow on a free loopback port, as a context manager; leaving it stops all its processes.

    ::

        with Standalone(home, dags) as airflow:
            airflow.call("PATCH", "dags/orders", {"is_paused": False})

    :param home: an empty folder; ``AIRFLOW_HOME``, with each component's output in ``output``
    :param dags: the folder of DAG files
    :param environment: further environment variables, such as connections and ``AIRFLOW__SECTION__KEY`` settings
    :param components: the arguments of each ``airflow`` command that runs side by side
    """

    def __init__(
        self,
        home: Path,
        dags: Path,
        environment: Mapping[str, str] | None = None,
        components: Sequence[Sequence[str]] = COMPONENTS,
    ) -> None:
        self.home = home
        self.dags = dags
        self.components = components
        self.password = secrets.token_urlsafe(12)
        self.port = _free_port()
        self._more = dict(environment or {})
        self._guard: subprocess.Popen[bytes] | None = None
        self._http = requests.Session()
        self._http.trust_env = False

    @property
    def url(self) -> str:
        """The address of the UI and the REST API."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of every component; with it, an ``airflow`` command uses this Airflow's database."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
        return {
            **kept,
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.home / "passwords.json"),
            "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
            # Seconds that a component waits for the others to let go of SQLite.
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home}/airflow.db?timeout=60",
            **self._more,
        }

    def __enter__(self) -> Self:
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "output").mkdir(exist_ok=True)
        (self.home / "passwords.json").write_text(json.dumps({USER: self.password}), encoding="utf-8")
        commands = [["db", "migrate"], *(list(each) for each in self.components)]
        self._guard = subprocess.Popen(
            [sys.executable, __file__, json.dumps(commands), str(self.home / "output")],
            stdin=subprocess.PIPE,
            env=self.environment,
            start_new_session=True,
        )
        try:
            self.wait_for("a healthy Airflow", self._is_healthy, _START_SECONDS)
            self._log_in()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def run_until_stopped(self) -> None:
        """Block while Airflow runs.

        :raises RuntimeError: Airflow has stopped by itself
        """
        assert self._guard is not None
        self._guard.wait()
        raise RuntimeError(f"Airflow stopped:\n{self.output()}")

    def stop(self) -> None:
        """Stop every process; does nothing if Airflow is stopped already."""
        if self._guard is None:
            return
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        # The guard's own deadline, and some time in case it was still starting.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._guard.wait(2 * _STOP_SECONDS)
        _stop_session(self._guard.pid, 0)
        self._guard.wait()
        self._guard = None
        self._http.close()

    def processes(self) -> list[psutil.Process]:
        """Return every process of this Airflow, including the guard."""
        return [] if self._guard is None else _session(self._guard.pid)

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None, **query: Any) -> Any:
        """Send a request to the REST API, and return the JSON of its response; None if the response is empty.

        :param path: the path after ``/api/v2/``
        :raises requests.HTTPError: a status of 400 or above, with the start of the response's text
        """
        response = self._http.request(method, f"{self.url}/api/v2/{path}", json=body, params=query, timeout=60)
        if not response.ok:
            raise requests.HTTPError(
                f"{method} {path}: {response.status_code} {response.text[:2000]}", response=response
            )
        return response.json() if response.content else None

    def wait_for(self, what: str, ask: Callable[[], _T | None], seconds: float = 120) -> _T:
        """Call a function until its result is true, and return the result.

        :param what: describes the result in errors
        :raises TimeoutError: no result was true in time
        :raises RuntimeError: Airflow has stopped
        """
        deadline = time.monotonic() + seconds
        while not (answer := ask()):
            if self._guard is None or self._guard.poll() is not None:
                raise RuntimeError(f"Airflow stopped before there was {what}:\n{self.output()}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what} was not there within {seconds:.0f} s:\n{self.output()}")
            time.sleep(0.2)
        return answer

    def output(self, lines: int = 30) -> str:
        """Return the last lines of each component's output."""
        files = sorted((self.home / "output").glob("*.log"))
        tails = [path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:] for path in files]
        return "\n".join("\n".join([f"--- {path.stem}", *tail]) for path, tail in zip(files, tails, strict=True))

    def _is_healthy(self) -> bool:
        try:
            health = self.call("GET", "monitor/health")
        except requests.RequestException:
            return False
        return all(part is None or part["status"] == "healthy" for part in health.values())

    def _log_in(self) -> None:
        answer = self._http.post(
            f"{self.url}/auth/token", json={"username": USER, "password": self.password}, timeout=60
        )
        answer.raise_for_status()
        self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def _session(session_id: int) -> list[psutil.Process]:
    """Return the running processes of a session. Airflow's tasks have their own process groups, but not sessions."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if os.getsid(process.pid) == session_id and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def _others(session_id: int) -> list[psutil.Process]:
    return [each for each in _session(session_id) if each.pid != os.getpid()]


def _stop_session(session_id: int, timeout: float) -> None:
    """Terminate every other process of a session, and kill those that are left after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    terminated: set[psutil.Process] = set()
    while (others := _others(session_id)) and time.monotonic() < deadline:
        for process in set(others) - terminated:
            with contextlib.suppress(psutil.Error):
                process.terminate()
        terminated.update(others)
        psutil.wait_procs(others, timeout=0.5)
    while others := _others(session_id):
        for process in others:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(others, timeout=0.5)


def _keep(commands: list[list[str]], output: Path) -> int:
    """Run the first command, then the others in parallel; stop all once one ends or standard input is closed."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # With SIG_IGN the child processes would ignore the signals as well; handlers are not inherited.
        signal.signal(number, lambda *_: None)
    airflow = str(Path(sys.executable).with_name("airflow"))

    def start(command: list[str]) -> subprocess.Popen[bytes]:
        with (output / f"{command[0]}.log").open("wb") as log:
            return subprocess.Popen([airflow, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)

    preparing, *others = commands
    running = [start(preparing)]
    while not select.select([sys.stdin], [], [], 0.2)[0]:
        ended = [each.returncode for each in running if each.poll() is not None]
        if ended == [0] and len(running) == 1:
            running += [start(each) for each in others]
        elif len(ended) > 1 or any(ended):
            break
    has_failed = any(each.returncode for each in running)
    _stop_session(os.getsid(0), _STOP_SECONDS)
    return int(has_failed)


if __name__ == "__main__":
    sys.exit(_keep(json.loads(sys.argv[1]), Path(sys.argv[2])))
