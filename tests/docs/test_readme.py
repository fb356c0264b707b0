"""The README, line by line, in a copy of the repository and a fresh environment; and the files that it names."""

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.request

import pytest
import yaml
from fresh import ROOT, clean_environment, copy_of_repository

from airflow_provider_kapture import cli
from airflow_provider_kapture.client import Account
from airflow_provider_kapture.emulator import Emulator
from airflow_provider_kapture.emulator import cli as emulator_cli
from airflow_provider_kapture.emulator.book import Book

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
SHELL = [code for kind, code in BLOCKS if kind == "shell"]
[DAG] = [code for kind, code in BLOCKS if kind == "python"]
# `make ui` has a test of its own, because it runs until Ctrl-C.
LAST = SHELL.index(next(code for code in SHELL if code.startswith("make ui")))
WAIT_SECONDS = 600


def test_it_fits_on_a_screen():
    assert len(README.splitlines()) <= 75
    assert max(map(len, README.splitlines())) <= 150


def script(kapture, orders):
    """The README's shell blocks up to `make ui`, with this Python, an account that is there, and another folder."""
    code = "set -e\n" + "\n".join(SHELL[:LAST])
    version = ".".join(map(str, sys.version_info[:2]))
    ((name, value),) = kapture.connection_uri_env().items()
    replaced = {
        "python3 -m venv": f"{shlex.quote(sys.executable)} -m venv",
        "airflow-3.3-py3.12.txt": f"airflow-3.3-py{version}.txt",
        next(line for line in code.splitlines() if line.startswith("export ")): f"export {name}={shlex.quote(value)}",
        # The comment behind it stays true: the DAG writes where it says.
        "/tmp/orders": str(orders),
    }
    for old, new in replaced.items():
        assert old in code, old
        code = code.replace(old, new)
    return code


@pytest.mark.fresh
@pytest.mark.timeout(1800)
def test_it_is_true_line_by_line(tmp_path):
    repository, orders, home = copy_of_repository(tmp_path), tmp_path / "orders", tmp_path / "airflow"
    (home / "dags").mkdir(parents=True)
    assert "file:///tmp/orders/" in DAG
    (home / "dags" / "orders.py").write_text(
        DAG.replace("file:///tmp/orders/", f"{orders.as_uri()}/"), encoding="utf-8"
    )
    environment = clean_environment(AIRFLOW_HOME=str(home), AIRFLOW__CORE__LOAD_EXAMPLES="False")
    with Emulator(Book.until_now(900, 3, "Asia/Kolkata")) as kapture:
        run = subprocess.run(
            ["bash", "-c", script(kapture, orders)],
            cwd=repository,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "in Kapture: all of them" in run.stdout
    assert "A pull can be trusted, with the connection as it is." in run.stdout
    assert len(list((repository / "kapture-demo").glob("create_date=*/orders_*.csv"))) == 3
    assert len(list(orders.glob("create_date=*/orders_*.parquet"))) == 1


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_make_demo_writes_files_and_its_first_suggestion_reads_them():
    environment = clean_environment()
    demo = subprocess.run(
        ["make", "--no-print-directory", "demo"], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert "in Kapture: all of them" in demo.stdout
    assert f"The files are in {ROOT / 'demo-output'}. Try next:" in demo.stdout
    assert len(list((ROOT / "demo-output").rglob("orders_*.csv"))) == 3
    [suggested] = re.findall(r"^  (\S+/python -c .*duckdb.*)$", demo.stdout, re.MULTILINE)
    read = subprocess.run(shlex.split(suggested), cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert "deliveryStatus" in read.stdout


@pytest.mark.fresh
@pytest.mark.timeout(900)
def test_make_ui_serves_airflows_ui_until_ctrl_c():
    environment = clean_environment(PATH=os.environ["PATH"])
    with subprocess.Popen(
        ["make", "--no-print-directory", "ui"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as make:
        try:
            shown = []
            for line in make.stdout:
                shown.append(line)
                if line.startswith("Press Ctrl-C"):
                    break
            [url] = re.findall(r"Airflow +(http://\S+)", "".join(shown))
            with urllib.request.urlopen(url, timeout=60) as page:
                assert page.status == 200
        finally:
            # As the terminal does: to every process of the foreground.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(make.pid, signal.SIGINT)
            deadline = time.monotonic() + WAIT_SECONDS
            while make.poll() is None and time.monotonic() < deadline:
                make.stdout.readline()


# -- compose.yaml --

COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]


def test_composes_airflow_pulls_from_its_emulator():
    parser = cli.build_parser()[0]
    command = SERVICES["kapture"]["entrypoint"]
    arguments = parser.parse_args(command[1:])
    emulator = Emulator(emulator_cli.book_of(arguments), user=arguments.user, password=arguments.password)
    given = json.loads(SERVICES["airflow"]["environment"]["AIRFLOW_CONN_KAPTURE_DEFAULT"])
    account = Account.from_connection(given["host"], given["login"], given["password"], given["extra"])
    emulator.port = arguments.port
    assert json.loads(emulator.connection_json()) == {
        **given,
        "extra": {"timezone": account.dialect.timezone, **given["extra"]},
    }
    assert SERVICES["kapture"]["network_mode"] == "service:airflow"


def test_compose_mounts_what_is_there_and_publishes_on_this_machine_only():
    [volume] = SERVICES["airflow"]["volumes"]
    assert (ROOT / volume.partition(":")[0]).is_dir()
    [port] = SERVICES["airflow"]["ports"]
    assert port.startswith("127.0.0.1:8080:")
    assert "http://127.0.0.1:8080" in README
