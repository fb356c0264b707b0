"""``kapture demo``: from nothing to files of orders."""

import csv
import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

# One demo for all of them takes seconds.
pytestmark = pytest.mark.slow

KAPTURE = Path(sys.executable).with_name("kapture")


def run(folder, *arguments, **environment):
    return subprocess.run(
        [KAPTURE, "demo", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The current folder of a demo, and what it printed."""
    folder = tmp_path_factory.mktemp("here")
    # An Airflow of the user's that has another connection, and a proxy that isn't there.
    found = run(
        folder,
        AIRFLOW_HOME=str(folder / "airflow"),
        AIRFLOW_CONN_KAPTURE_DEFAULT='{"conn_type": "kapture", "host": "acme"}',
        HTTP_PROXY="http://127.0.0.1:9",
    )
    assert found.returncode == 0, found.stdout + found.stderr
    return folder, found


def test_every_order_is_in_a_file_of_its_day(demo):
    folder, found = demo
    files = sorted((folder / "kapture-demo").glob("create_date=*/orders_*.csv"))
    assert len(files) == 3
    assert all(str(file) in found.stdout for file in files)
    ids = [row["id"] for file in files for row in csv.DictReader(io.StringIO(file.read_text(encoding="utf-8")))]
    assert len(set(ids)) == len(ids)
    assert f"{len(ids)} orders in the files, {len(ids)} in Kapture: all of them" in found.stdout


def test_orders_change_and_the_audit_shows_it(demo):
    folder, found = demo
    _, audited = found.stdout.split(f"kapture audit {folder / 'kapture-demo'}/ --conn kapture_default` shows")
    assert "~ incomplete  x gap  ! finding" in audited
    assert "different    Kapture has" in audited
    assert "\x1b" not in audited


def test_the_users_airflow_is_left_alone_and_nothing_is_logged(demo):
    folder, found = demo
    assert [path.name for path in folder.iterdir()] == ["kapture-demo"]
    assert found.stderr == ""


def test_it_states_what_it_does_and_where_the_files_are_before_the_pull(demo):
    folder, found = demo
    before, after = found.stdout.split("\n\n", 1)
    assert str(folder / "kapture-demo") in before
    assert f"The files are in {folder / 'kapture-demo'}. Try next:" in after


def test_the_command_that_it_suggests_reads_the_files(demo):
    _, found = demo
    [command] = re.findall(r"^  (python -c .*duckdb.*)$", found.stdout, re.MULTILINE)
    shown = subprocess.run([sys.executable, *shlex.split(command)[1:]], capture_output=True, text=True, check=True)
    assert "deliveryStatus" in shown.stdout


def test_the_dag_that_it_suggests_is_a_dag(demo):
    _, found = demo
    code = found.stdout[found.stdout.index("import pendulum") :]
    namespace: dict[str, object] = {}
    exec(code.replace("catchup=False):", "catchup=False) as dag:"), namespace)
    assert namespace["dag"].task_ids == ["pull_orders"]


@pytest.mark.slow
def test_a_second_demo_gets_a_folder_of_its_own(demo):
    folder, _ = demo
    assert run(folder).returncode == 0
    assert len(list((folder / "kapture-demo-2").glob("create_date=*/orders_*.csv"))) == 3


def test_a_folder_that_holds_something_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    found = run(tmp_path, str(tmp_path))
    assert found.returncode == 2
    assert found.stderr == f"kapture demo: cannot write to {tmp_path}: it is not empty; name another folder\n"
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_without_the_emulators_packages_it_names_the_extra(tmp_path):
    code = "import sys; sys.modules['uvicorn'] = None; from airflow_provider_kapture import cli; sys.exit(cli.main())"
    found = subprocess.run(
        [sys.executable, "-c", code, "demo"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert found.returncode == 2
    assert "pip install 'airflow-provider-kapture[emulator]'" in found.stderr
    assert not list(tmp_path.iterdir())
