"""The wheel in a fresh environment of the oldest and the newest Airflow, and in the image's Dockerfile."""

import re
import shlex
import shutil
import subprocess
import sys

import pytest
from fresh import ROOT, clean_environment, python_of, supported_versions

import airflow_provider_kapture

pytestmark = [pytest.mark.fresh, pytest.mark.timeout(1800)]

UV = [sys.executable, "-m", "uv"]
OLDEST, NEWEST = supported_versions()[0], supported_versions()[-1]


def fresh_environment(folder, airflow, python):
    """A new environment's Python, and the options that pin its Airflow."""
    program = python_of(python)
    if program is None:
        pytest.skip(f"Python {python} is not installed")
    subprocess.run([*UV, "venv", "--quiet", "--python", program, folder], check=True)
    constraints = ROOT / "constraints" / f"airflow-{airflow}-py{python}.txt"
    return folder / "bin" / "python", ["--constraint", str(constraints)]


def install(python, constraints, *requirements):
    command = [*UV, "pip", "install", "--quiet", "--python", python, *constraints, *requirements]
    subprocess.run(command, check=True, env=clean_environment())


@pytest.mark.parametrize(("airflow", "python"), [OLDEST, NEWEST], ids=["oldest", "newest"])
def test_the_demo_runs_from_the_wheel(airflow, python, wheel, tmp_path):
    program, constraints = fresh_environment(tmp_path / "venv", airflow, python)
    install(program, constraints, f"{wheel}[emulator]")
    environment = clean_environment(AIRFLOW_HOME=str(tmp_path / "airflow"))

    def run(command, *arguments):
        found = subprocess.run(
            [program.with_name(command), *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert found.returncode == 0, found.stdout + found.stderr
        return found

    assert run("airflow", "version").stdout.strip().splitlines()[-1].startswith(f"{airflow}.")
    assert run("kapture", "--version").stdout.strip() == airflow_provider_kapture.__version__
    demo = run("kapture", "demo", "orders")
    assert re.search(r"(\d+) orders in the files, \1 in Kapture: all of them", demo.stdout)
    assert demo.stderr == ""
    assert len(list((tmp_path / "orders").glob("create_date=*/orders_*.csv"))) == 3


def test_the_dockerfile_copies_what_it_installs(tmp_path):
    shown = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    context = tmp_path / "kapture"
    for line in re.findall(r"^COPY --chown=airflow:root (.*)$", shown, re.MULTILINE):
        *sources, target = line.split()
        inside = context / target.removeprefix("/opt/kapture").lstrip("/")
        for source in sources:
            assert f"!{source}" in ignored
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, inside)
            else:
                inside.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / source, inside)
    image = re.search(r"^FROM apache/airflow:(\d+\.\d+)(\.\d+)-python(\S+)$", shown, re.MULTILINE)
    assert image is not None
    program, constraints = fresh_environment(tmp_path / "venv", image[1], image[3])
    [command] = re.findall(r"^RUN pip install --no-cache-dir (.*)$", shown, re.MULTILINE)
    command = command.replace("${AIRFLOW_VERSION}", image[1] + image[2]).replace("/opt/kapture", str(context))
    install(program, constraints, *shlex.split(command))
    kapture = program.with_name("kapture")
    shown = subprocess.run([kapture, "--version"], capture_output=True, text=True, check=True, env=clean_environment())
    assert shown.stdout.strip() == airflow_provider_kapture.__version__
