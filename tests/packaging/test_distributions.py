"""What is built, what is in it, and that it stands on its own."""

import json
import os
import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

import airflow_provider_kapture

ROOT = Path(__file__).parents[2]
PACKAGE = "airflow_provider_kapture"
DECLARE = """
import json, sys
from importlib.metadata import entry_points, version
[declared] = entry_points(group="apache_airflow_provider", name="provider_info")
[command] = entry_points(group="console_scripts", name="kapture")
info = declared.load()()
json.dump({
    "info": info,
    "version": version(info["package-name"]),
    "distribution": declared.dist.name,
    "command": command.value,
    "modules": sorted({name.partition(".")[0] for name in sys.modules}),
    "file": sys.modules[declared.module].__file__,
}, sys.stdout)
"""


def metadata(wheel):
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return message_from_bytes(archive.read(name))


def sources():
    """Name the package's files as they stand in the checkout."""
    paths = (ROOT / PACKAGE).rglob("*")
    return {str(path.relative_to(ROOT)) for path in paths if path.is_file() and "__pycache__" not in path.parts}


def test_wheel_holds_the_package_and_its_metadata_alone(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    info = f"{PACKAGE}-{airflow_provider_kapture.__version__}.dist-info"
    described = {f"{info}/{name}" for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt")}
    licenses = {f"{info}/licenses/{name}" for name in ("LICENSE", "NOTICE")}
    assert names == sources() | described | licenses
    assert f"{PACKAGE}/py.typed" in names


def test_sdist_holds_what_it_takes_to_build_and_to_test(sdist):
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert sources() <= names
    assert {"pyproject.toml", "README.md", "LICENSE", "NOTICE", "CHANGELOG.md", "Makefile", "noxfile.py"} <= names
    assert {"Dockerfile", "compose.yaml", "PKG-INFO"} <= names
    assert {"tests/conftest.py", "tests/packaging/test_distributions.py", "tests/typing/public_api.py"} <= names
    assert {"docs/conf.py", "docs/index.md", "docs/diagrams/paginator.svg"} <= names
    assert "example_dags/kapture_orders_daily.py" in names
    assert not {name for name in names if name.startswith("docs/_build")}
    tops = {name.partition("/")[0] for name in names}
    assert not {name for name in tops if name.startswith(".")} - {".gitignore"}
    assert not tops & {"dist", "build", "demo-output"}
    assert not {name for name in names if "__pycache__" in name}


def test_metadata_says_what_it_is_and_needs(wheel):
    found = metadata(wheel)
    assert found["Name"] == "airflow-provider-kapture"
    assert found["Version"] == airflow_provider_kapture.__version__
    assert found["Requires-Python"] == ">=3.11"
    assert found["License-Expression"] == "Apache-2.0"
    assert {
        "Framework :: Apache Airflow",
        "Framework :: Apache Airflow :: Provider",
        "Typing :: Typed",
    } <= set(found.get_all("Classifier"))
    extras = {"azure", "emulator", "gcs", "openlineage", "parquet", "s3", "zstd"}
    assert set(found.get_all("Provides-Extra")) == extras
    required = {line.partition(">=")[0] for line in found.get_all("Requires-Dist") if "extra ==" not in line}
    assert required == {
        "aiohttp",
        "apache-airflow",
        "apache-airflow-providers-common-compat",
        "msgspec",
        "requests",
        "tenacity",
    }
    assert found.get_all("Project-URL") is None  # nothing to point to


def test_twine_finds_no_fault(wheel, sdist):
    check = [sys.executable, "-m", "twine", "check", "--strict", str(wheel), str(sdist)]
    found = subprocess.run(check, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.fixture(scope="module")
def declared(wheel, tmp_path_factory):
    """What the wheel alone declares, in an environment that has neither Airflow nor any other dependency."""
    home = tmp_path_factory.mktemp("empty")
    venv.create(home, with_pip=True)
    python = home / "bin" / "python"
    install = [
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--disable-pip-version-check",
        wheel,
    ]
    subprocess.run(install, check=True, capture_output=True)
    run = subprocess.run([python, "-I", "-c", DECLARE], capture_output=True, check=True, text=True, cwd=home)
    return json.loads(run.stdout) | {"home": str(home)}


@pytest.mark.slow
def test_declaration_needs_nothing_but_the_wheel(declared):
    assert declared["file"].startswith(declared["home"])
    assert declared["info"]["package-name"] == declared["distribution"] == "airflow-provider-kapture"
    assert declared["version"] == airflow_provider_kapture.__version__
    assert declared["command"] == "airflow_provider_kapture.cli:main"
    assert "airflow" not in declared["modules"]
    assert (Path(declared["home"]) / "bin" / "kapture").is_file()


# Of the installation that docs/install.md shows.
EXTRAS = ["parquet", "s3"]


@pytest.mark.slow
def test_what_the_documentation_shows_installs_the_wheel(declared, wheel, tmp_path):
    shown = (ROOT / "docs" / "install.md").read_text(encoding="utf-8").replace("/opt/wheels/", f"{wheel.parent}/")
    [path] = re.findall(r'^RUN pip install .* "(\S+\.whl\[.*\])"$', shown, re.MULTILINE)
    lines = re.findall(r"^airflow-provider-kapture.* @ .*$", shown, re.MULTILINE)
    files = [tmp_path / name for name in ("requirements.txt", "constraints.txt")]
    for file, line in zip(files, lines, strict=True):
        file.write_text(line, encoding="utf-8")
    requirements, constraints = map(str, files)
    pip = [Path(declared["home"]) / "bin" / "python", "-m", "pip", "install", "--no-index", "--no-deps", "--dry-run"]
    pip += ["--ignore-installed", "--quiet", "--disable-pip-version-check", "--report", "-"]
    by_constraint = ["airflow-provider-kapture", "--constraint", constraints]
    for given, extras in (([path], EXTRAS), (["--requirement", requirements], EXTRAS), (by_constraint, None)):
        run = subprocess.run([*pip, *given], capture_output=True, check=True, text=True)
        [installed] = json.loads(run.stdout)["install"]
        assert installed["download_info"]["url"] == wheel.as_uri(), given
        assert installed.get("requested_extras") == extras, given


@pytest.mark.skipif("NOX_CURRENT_SESSION" not in os.environ, reason="the checkout is what is tested outside nox")
def test_the_matrix_tests_the_wheel():
    assert Path(airflow_provider_kapture.__file__).parent != ROOT / PACKAGE


# A command of Airflow takes seconds to start: slow here, but in the matrix it is what the other versions make of it.
SLOW = () if "NOX_CURRENT_SESSION" in os.environ else pytest.mark.slow


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        pytest.param(["list"], "airflow-provider-kapture", marks=SLOW),
        pytest.param(["get", "airflow-provider-kapture"], airflow_provider_kapture.__version__, marks=SLOW),
        pytest.param(["hooks"], "airflow_provider_kapture.hooks.kapture.KaptureHook", marks=SLOW),
    ],
    ids=["list", "get", "hooks"],
)
def test_airflow_shows_the_provider(command, shown):
    airflow = Path(sys.executable).with_name("airflow")
    run = subprocess.run(
        [airflow, "providers", *command, "--output", "json"], capture_output=True, check=True, text=True
    )
    assert shown in run.stdout
