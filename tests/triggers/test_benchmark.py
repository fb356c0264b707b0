import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "triggers.py"


@pytest.mark.slow
def test_the_benchmark_runs() -> None:
    pytest.importorskip("airflow.triggers.shared_stream")  # the runner that it starts is that of Airflow 3.3
    asked = ["--triggers", "5", "--interval", "1", "--latency", "0.1", "--seconds", "4"]
    done = subprocess.run([sys.executable, BENCHMARK, *asked], capture_output=True, text=True, check=False)
    assert "lateness of later polls" in done.stdout, done.stderr
