import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes import Processes, session

STARTER = """
import os, pathlib, signal, sys
from processes import Processes
with Processes(pathlib.Path(sys.argv[1])) as processes:
    print(processes.start("family", ["sh", "-c", "sleep 600 & sleep 600"], os.environ).pid, flush=True)
    signal.pause()
"""


def wait_until(ask):
    while not ask():
        time.sleep(0.05)


def test_a_program_is_killed_with_all_that_it_started(tmp_path):
    with Processes(tmp_path) as processes:
        leader = processes.start("family", ["sh", "-c", "sleep 600 & sleep 600"], os.environ).pid
        wait_until(lambda: len(processes.of("family")) == 3)
        processes.kill("family")
        assert session(leader) == []


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_nothing_is_left_where_the_starter_is_killed(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    command = [sys.executable, "-c", STARTER, tmp_path]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as starter:
        leader = int(starter.stdout.readline())
        assert session(leader)
        starter.send_signal(signal.SIGKILL)
    wait_until(lambda: session(leader) == [])


def test_what_ends_too_early_is_told_with_what_it_said(tmp_path):
    with Processes(tmp_path) as processes:
        processes.start("hasty", ["sh", "-c", "echo no licence; exit 3"], os.environ)
        with pytest.raises(RuntimeError, match=r"hasty ended with 3, before anything:\nno licence"):
            processes.wait_for("anything", lambda: False, 60)


def test_what_does_not_come_is_told_with_what_everyone_said(tmp_path):
    with Processes(tmp_path) as processes:
        processes.start("talker", ["sh", "-c", "echo still waiting; exec sleep 600"], os.environ)
        wait_until(lambda: processes.last_output("talker"))
        with pytest.raises(TimeoutError, match=r"Not within 0 s: anything\n--- talker\nstill waiting"):
            processes.wait_for("anything", lambda: False, 0)
