"""The suite against each Airflow and Python, with the built wheel installed; and the constraints that pin them."""

from __future__ import annotations

import os
import shutil
import subprocess
import tomllib
from pathlib import Path

import nox

nox.options.default_venv_backend = "uv"
nox.options.error_on_missing_interpreters = False
nox.options.reuse_venv = "no"
nox.options.sessions = ["tests"]

EXTRAS = "emulator,openlineage,parquet,s3,zstd"
# (Airflow, Python); "lowest" is the least version of each direct dependency that pyproject.toml allows.
MATRIX = [
    ("lowest", "3.11"),
    ("2.11", "3.12"),
    ("3.0", "3.12"),
    ("3.1", "3.12"),
    ("3.2", "3.12"),
    ("3.3", "3.11"),
    ("3.3", "3.12"),
    ("3.3", "3.13"),
]
# What these tests cover knows nothing of Airflow. `make test` runs them in the development environment; here the least
# versions and the newest Python are enough.
WITHOUT_AIRFLOW = ["client", "docs", "emulator", "storage/encoders"]
WHOLE = [("lowest", "3.11"), ("3.3", "3.13")]
# Those of `make test`.
QUICK = "not (slow or fresh or airflow or browser or clouds or distributed or changes)"
# Releases that an Airflow accepts although it breaks on later ones.
BREAKS_ON_LATER = {
    "lowest": ["universal-pathlib<0.3"],
    "3.0": ["fastapi<0.118", "universal-pathlib<0.3"],
    "3.1": ["sqlalchemy<2.1"],
    "3.2": ["fastapi<0.137", "svcs<26"],
}
ROOT = Path(__file__).parent


def show_every_pyenv_python() -> None:
    """Let pyenv's `python3.12` mean something where another version is the chosen one."""
    if pyenv := shutil.which("pyenv"):
        versions = subprocess.run([pyenv, "versions", "--bare"], capture_output=True, check=True, text=True)
        os.environ.setdefault("PYENV_VERSION", ":".join(versions.stdout.split()))


show_every_pyenv_python()


def constraints_of(airflow: str, python: str) -> Path:
    return ROOT / "constraints" / f"airflow-{airflow}-py{python}.txt"


def built_wheel(session: nox.Session) -> Path:
    folder = Path(session.create_tmp()).resolve()
    session.run("uv", "build", "--quiet", "--wheel", "--out-dir", str(folder), str(ROOT), external=True)
    [wheel] = folder.glob("*.whl")
    return wheel


@nox.session(download_python="never")
@nox.parametrize(
    ("python", "airflow"),
    [(python, airflow) for airflow, python in MATRIX],
    ids=[f"airflow-{airflow}-py{python}" for airflow, python in MATRIX],
)
def tests(session: nox.Session, airflow: str) -> None:
    """Run the suite with the built wheel installed; what follows `--` goes to pytest."""
    constraints = constraints_of(airflow, str(session.python))
    wheel = built_wheel(session)
    session.install("--constraint", str(constraints), "--group", f"{ROOT}/pyproject.toml:test", f"{wheel}[{EXTRAS}]")
    wheel.unlink()
    if "browser" in session.posargs:
        # Not in the constraints of older releases.
        session.install("--constraint", str(constraints), "--group", f"{ROOT}/pyproject.toml:browser")
    # From elsewhere than the checkout, so that nothing but the wheel can be what is imported.
    with session.chdir(session.create_tmp()):
        session.run("pytest", "--rootdir", str(ROOT), "-c", str(ROOT / "pyproject.toml"), *arguments(session, airflow))


def arguments(session: nox.Session, airflow: str) -> list[str]:
    if session.posargs:
        return list(session.posargs)
    left_out = [] if (airflow, session.python) in WHOLE else WITHOUT_AIRFLOW
    ignored = [f"--ignore={ROOT / 'tests' / folder}" for folder in left_out]
    return ["-m", QUICK, *ignored, str(ROOT / "tests")]


def pins(airflow: str) -> list[str]:
    """Return the constraints that a row of the matrix starts from."""
    if airflow != "lowest":
        return [f"apache-airflow=={airflow}.*", *BREAKS_ON_LATER.get(airflow, [])]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [each.replace(">=", "==") for each in project["dependencies"]] + BREAKS_ON_LATER[airflow]


@nox.session(venv_backend="none")
def constraints(session: nox.Session) -> None:
    """Remake the constraint files from the newest releases; what follows `--` chooses some, such as `lowest 3.3`."""
    pinned = Path(session.create_tmp()) / "pins.txt"
    for airflow, python in MATRIX:
        if session.posargs and airflow not in session.posargs:
            continue
        pinned.write_text("\n".join(pins(airflow)), encoding="utf-8")
        lowest = airflow == "lowest"
        extras = [f"--extra={extra}" for extra in EXTRAS.split(",")] if lowest else ["--all-extras"]
        wanted = ["test"] if lowest else ["test", "lint", "matrix"]
        # Only the newest Airflow is looked at in a browser, and runs on Celery here.
        newest = ["browser", "distributed"] if airflow == MATRIX[-1][0] else []
        groups = [f"--group={group}" for group in [*wanted, *newest]]
        session.run(
            *("uv", "pip", "compile", "--quiet", "--upgrade", "pyproject.toml"),
            *("--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"),
            *("--python-version", python, "--constraint", str(pinned), *extras, *groups),
            *("--resolution", "lowest-direct" if lowest else "highest"),
            *("--output-file", str(constraints_of(airflow, python))),
            external=True,
        )
