"""Fresh environments: Pythons that are installed here, and copies of the repository to install from."""

import os
import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
_NOT_COPIED = (".*", "venv", "dist", "build", "*-output", "_build", "__pycache__")


def supported_versions() -> list[tuple[str, str]]:
    """Each Airflow and Python with a constraint file, oldest first."""
    names = [path.stem for path in (ROOT / "constraints").glob("airflow-*.txt")]
    found = [re.fullmatch(r"airflow-(\d+\.\d+)-py(\d+\.\d+)", name) for name in names]
    versions = [match.groups() for match in found if match is not None]
    return sorted(versions, key=lambda each: [int(part) for text in each for part in text.split(".")])


def python_of(version: str) -> str | None:
    """The program of a Python version that is installed; with pyenv, also one that it has not chosen."""
    program = shutil.which(f"python{version}")
    if program is None:
        return None
    environment = dict(os.environ)
    if pyenv := shutil.which("pyenv"):
        every = subprocess.run([pyenv, "versions", "--bare"], capture_output=True, check=True, text=True).stdout
        environment.setdefault("PYENV_VERSION", ":".join(every.split()))
    found = subprocess.run(
        [program, "-c", "import sys; print(sys.executable)"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip() or None


def clean_environment(**more: str) -> dict[str, str]:
    """This process's environment without Airflow's variables and without a virtual environment."""
    left_out = ("AIRFLOW", "PYTHONPATH", "VIRTUAL_ENV", "PYENV_VERSION", "NOX_")
    return {name: value for name, value in os.environ.items() if not name.startswith(left_out)} | more


def copy_of_repository(folder: Path) -> Path:
    """A copy as a clone would have it."""
    return Path(shutil.copytree(ROOT, folder / "repository", ignore=shutil.ignore_patterns(*_NOT_COPIED)))
