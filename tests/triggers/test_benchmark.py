import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "triggers.py"


@pytest.mark.slow
@pytest.mark.parametrize("tls", [[], ["--tls"]], ids=["plain", "TLS"])
def test_the_benchmark_runs(tls: list[str]) -> None:
    pytest.importorskip("airflow.triggers.shared_stream")  # the runner that it starts is that of Airflow 3.3
    asked = ["--triggers", "5", "--interval", "1", "--latency", "0.1", "--seconds", "4", *tls]
    done = subprocess.run([sys.executable, BENCHMARK, *asked], capture_output=True, text=True, check=False)
    assert "lateness of later polls" in done.stdout, done.stderr
    # Those of the first trigger and of all others: there are steps of ours in both.
    assert re.findall(r"longest step (at first|later) +.*\d ms", done.stdout) == ["at first", "later"]
