"""Each block of commands or code in the README and in docs/ is run, here or elsewhere, or says why it cannot be."""

import configparser
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import duckdb
import pytest
from airflow.configuration import conf
from doc_blocks import ROOT, Block, blocks, blocks_of

from airflow_provider_kapture.client import Account
from airflow_provider_kapture.emulator import Book, Emulator
from airflow_provider_kapture.get_provider_info import get_provider_info

BLOCKS = blocks()
HERE = "tests/docs/test_blocks.py"


def of_kind(kind):
    return [pytest.param(each.code, id=str(each)) for each in BLOCKS if each.kind == kind and each.run_by == HERE]


# -- which --


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_each_block_is_run_or_says_why_not(block):
    assert bool(block.run_by) != bool(block.reason), (
        f"{block}: put `<!-- not run: REASON -->` or `<!-- run by tests/... -->` on the line before the block"
    )
    if block.run_by.startswith("tests/"):
        assert (ROOT / block.run_by).is_file()


def test_most_blocks_are_run():
    counts = Counter(bool(block.run_by) for block in BLOCKS)
    assert counts.total() == len(BLOCKS)
    assert counts[True] > 2 * counts[False], counts


PAGE = """
```shell
kapture --version
```

<!-- not run: needs Docker -->
```yaml
build: .
```

  <!-- run by tests/docs/test_readme.py -->
  ```shell
  make ui
  ```

```yaml
build: .
```

```text
No code
```

```{literalinclude} ../example_dags/kapture_orders_daily.py
```

```{literalinclude} ../Dockerfile
```
"""


def test_marks_are_read():
    assert blocks_of("page.md", PAGE) == [
        Block("page.md", 2, "shell", "kapture --version\n", HERE, ""),
        Block("page.md", 7, "yaml", "build: .\n", "", "needs Docker"),
        Block("page.md", 12, "shell", "make ui\n", "tests/docs/test_readme.py", ""),
        Block("page.md", 16, "yaml", "build: .\n", "", ""),
        Block("page.md", 24, "../example_dags/kapture_orders_daily.py", "", "tests/test_example_dags.py", ""),
        Block("page.md", 27, "../Dockerfile", "", "", ""),
    ]


# -- running them --

# What a fragment takes for granted. Whole DAGs import it themselves.
NAMES = """
from datetime import datetime, timedelta
from airflow.providers.common.compat.sdk import DAG, Asset, Param, task
from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator
from airflow_provider_kapture.sensors.kapture import KaptureOrdersSensor
"""


def skip_unless_known(code):
    """Skip code for a later Airflow than the one at hand."""
    for names in re.findall("^from airflow.sdk import (.*)$", code, re.MULTILINE):
        sdk = pytest.importorskip("airflow.sdk")
        for name in names.split(", "):
            if not hasattr(sdk, name):
                pytest.skip(f"this Airflow has no {name}")


@pytest.mark.filterwarnings("ignore")  # Airflow's own
@pytest.mark.parametrize("code", of_kind("python"))
def test_python(code, monkeypatch, tmp_path, airflow_db):
    from airflow.providers.common.compat.sdk import DAG

    skip_unless_known(code)
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "page"}
    exec(NAMES, names)
    with Emulator(Book(orders=30, days=3)) as kapture:
        for name, value in kapture.connection_uri_env().items():
            monkeypatch.setenv(name, value)
        with DAG("page", schedule=None):
            exec(code, names)


@pytest.mark.parametrize("code", of_kind("json"))
def test_json_is_a_connection_or_its_extra(code):
    given = json.loads(code)
    connection = given if "conn_type" in given else {"host": "acme", "login": "reader", "password": "x", "extra": given}
    login, password = connection.get("login"), connection["password"].replace("...", "x")
    account = Account.from_connection(connection["host"], login, password, connection["extra"])
    assert account.dialect.cm_id == 1000298


@pytest.mark.parametrize("code", of_kind("ini"))
def test_ini_has_options_that_exist(code):
    parser = configparser.ConfigParser()
    parser.read_string(code)
    ours = get_provider_info()["config"]
    for section, options in parser.items():
        for name in options:
            assert name in ours[section]["options"] if section in ours else conf.has_option(section, name)


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """A folder with orders of three days in May 2024, and their receipts."""
    from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator

    folder = tmp_path_factory.mktemp("lake")
    with Emulator(Book(orders=300, days=3)) as kapture, pytest.MonkeyPatch.context() as patch:
        for name, value in kapture.connection_uri_env().items():
            patch.setenv(name, value)
        days = {"window_start": "2024-05-08", "window_end": "2024-05-11"}
        KapturePullOrdersOperator(task_id="pull", destination=f"{folder}/", file_format="parquet", **days).execute({})
    return folder


@pytest.mark.parametrize("code", of_kind("sql"))
def test_sql_in_duckdb(code, lake, tmp_path):
    with duckdb.connect(str(tmp_path / "orders.duckdb")) as database:
        database.execute(code.replace("/data/orders", str(lake)))
        tables = [name for (name,) in database.execute("SHOW TABLES").fetchall()]
        result = database.execute("FROM orders" if tables else code.replace("/data/orders", str(lake))).fetchall()
    assert result


def run_emulator(command, environment):
    """Start `kapture emulator`, and stop it as Ctrl-C does once it listens."""
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert any("http://127.0.0.1:" in line for line in process.stdout)
        process.send_signal(signal.SIGINT)
        process.stdout.read()
    assert process.returncode == 0


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("code", of_kind("shell"))
def test_shell(code, airflow_db, tmp_path):
    pytest.importorskip("airflow.sdk")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment |= {"AIRFLOW_VAR_KAPTURE_ORDERS": tmp_path.as_uri(), "MAKEFLAGS": "--no-print-directory"}
    environment["AIRFLOW__CORE__TEST_CONNECTION"] = "Enabled"
    with Emulator(Book(orders=900, days=3)) as kapture:
        environment |= kapture.connection_uri_env()
        if "airflow backfill" in code:
            # A DAG has one running backfill at a time, and here is no scheduler that ends it.
            environment["AIRFLOW_HOME"] = str(tmp_path / "airflow")
            code = f"airflow db migrate\nairflow dags reserialize\n{code}"
        lines = code.replace("\\\n", " ").splitlines()
        for line in lines:
            if line.startswith("kapture emulator") and "--list" not in line:
                run_emulator(shlex.split(line, comments=True), environment)
        script = "\n".join(each for each in lines if not re.match("kapture emulator(?!.*--list)", each))
        run = subprocess.run(
            ["bash", "-e", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
    assert run.returncode == 0, run.stdout + run.stderr
