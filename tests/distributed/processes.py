"""Programs that run side by side, each in a session of its own, and none of them left behind, whatever happens."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time

import psutil

STOP_SECONDS = 5.0


class Processes:
    """Starts, kills and restarts programs by name; on leaving, all that are left are stopped.

    A guard (this file run as a program) is told each session that is started, and ends them all once its standard
    input is closed: that is so too where whoever started it is killed.

    :param folder: where each program's output goes, ``NAME.log``
    """

    def __init__(self, folder):
        self._folder = folder
        self._running = {}

    def __enter__(self):
        self._guard = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, start_new_session=True, text=True, bufsize=1
        )
        return self

    def __exit__(self, *_):
        with contextlib.suppress(BrokenPipeError):
            self._guard.stdin.close()
        self._guard.wait()
        for process in self._running.values():
            end_session(process.pid)
            process.wait()
        self._running.clear()

    def start(self, name, command, environment, **options):
        """Start a program; ``options`` are those of :class:`subprocess.Popen`."""
        assert name not in self._running, f"{name} runs already"
        with (self._folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **options,
            )
        self._running[name] = process
        self._guard.stdin.write(f"+{process.pid}\n")
        return process

    def run(self, name, command, environment, **options):
        """Run a program to its end.

        :raises RuntimeError: it failed; with the last of what it said
        """
        status = self.start(name, command, environment, **options).wait()
        self._remove(name)
        if status:
            raise RuntimeError(f"{name} ended with {status}:\n{self.last_output(name)}")

    def kill(self, name):
        """SIGKILL for the program and all that it started, as when its container dies."""
        process = self._running[name]
        end_session(process.pid)
        process.wait()
        self._remove(name)

    def pause(self, name):
        """SIGSTOP for the program and all that it started; their ids."""
        return self._signal_all(name, signal.SIGSTOP)

    def resume(self, name):
        """SIGCONT for them."""
        self._signal_all(name, signal.SIGCONT)

    def _signal_all(self, name, number):
        found = self.of(name)
        send(found, number)
        return {process.pid for process in found}

    def stop(self, name, seconds=60):
        """SIGTERM, and the program's own time to end.

        :return: how many seconds it took
        :raises TimeoutError: it did not end in time
        """
        process = self._running[name]
        began = time.monotonic()
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise TimeoutError(
                f"{name} did not end within {seconds:.0f} s of SIGTERM:\n{self.last_output(name)}"
            ) from None
        self.kill(name)
        return time.monotonic() - began

    def _remove(self, name):
        self._guard.stdin.write(f"-{self._running.pop(name).pid}\n")

    def signal(self, name, number):
        """Send a signal to the program alone."""
        self._running[name].send_signal(number)

    def cpu_seconds(self, name):
        """The CPU time of a program and of all that it has started and that has ended by now."""
        with contextlib.suppress(psutil.Error):
            return sum(sum(process.cpu_times()[:4]) for process in self.of(name))
        return self.cpu_seconds(name)  # one ended in between

    def of(self, name):
        """The living processes of a program's session: itself and all that it started."""
        return session(self._running[name].pid)

    def wait_for(self, what, ask, seconds):
        """Ask until there is an answer that is true; that answer.

        :raises TimeoutError: there was none in time
        :raises RuntimeError: a program has ended that should run
        """
        deadline = time.monotonic() + seconds
        while not (answer := ask()):
            for name, process in self._running.items():
                if process.poll() is not None:
                    raise RuntimeError(
                        f"{name} ended with {process.returncode}, before {what}:\n{self.last_output(name)}"
                    )
            if time.monotonic() > deadline:
                said = "\n".join(f"--- {name}\n{self.last_output(name, 8)}" for name in self._running)
                raise TimeoutError(f"Not within {seconds:.0f} s: {what}\n{said}")
            time.sleep(0.05)
        return answer

    def last_output(self, name, lines=40):
        """The last lines of a program's output."""
        text = (self._folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-lines:])


def free_port():
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def session(leader):
    """The processes of a session that still run, whoever their parent is by now."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if os.getsid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def send(processes, number):
    """Send a signal to those of the processes that still run."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)


def end_session(leader):
    """SIGKILL for every process of a session, so that none starts another in between."""
    while found := session(leader):
        send(found, signal.SIGSTOP)
        send(found, signal.SIGKILL)
        psutil.wait_procs(found, timeout=1)


def _guard():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    leaders = []
    for line in sys.stdin:
        change = leaders.append if line[0] == "+" else leaders.remove
        change(int(line[1:]))
    deadline = time.monotonic() + STOP_SECONDS
    for leader in reversed(leaders):
        with contextlib.suppress(psutil.Error, OSError):
            if os.getsid(leader) == leader:
                psutil.Process(leader).terminate()
    while any(map(session, leaders)) and time.monotonic() < deadline:
        time.sleep(0.1)
    for leader in leaders:
        end_session(leader)


if __name__ == "__main__":
    _guard()
