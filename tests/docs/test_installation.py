"""Whoever has this repository alone can install what is in it: commands work, and links lead somewhere."""

import re
import tomllib
from pathlib import Path

import pytest

import airflow_provider_kapture

ROOT = Path(__file__).parents[2]
TEXTS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")]
TEXTS += sorted((ROOT / "docs").glob("*.md"))
INSTALL = (ROOT / "README.md").read_text(encoding="utf-8").partition("<!-- start install -->")[2]
INSTALL = INSTALL.partition("<!-- end install -->")[0] + (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
WHEEL = f"airflow_provider_kapture-{airflow_provider_kapture.__version__}-py3-none-any.whl"
OTHERS = [ROOT / "pyproject.toml", ROOT / "docs" / "conf.py"]
by_name = pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)


def code_in(text: str) -> list[str]:
    return re.findall(r"^ *```\S*\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)


@by_name
def test_no_command_installs_from_an_index(path):
    for code in code_in(path.read_text(encoding="utf-8")):
        assert not re.search(r"install\b[^\n]*[ '\"]airflow[-_]provider[-_]kapture(?!-\d)[^/\n]*$", code, re.MULTILINE)


@pytest.mark.parametrize(
    "line",
    ["pip install airflow-provider-kapture", "RUN pip install --no-cache-dir 'airflow-provider-kapture[s3]'"],
)
def test_such_a_command_would_be_found(line):
    assert re.search(r"install\b[^\n]*[ '\"]airflow[-_]provider[-_]kapture(?!-\d)[^/\n]*$", line, re.MULTILINE)


@by_name
def test_links_within_the_repository_lead_to_files(path):
    text = path.read_text(encoding="utf-8")
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if ":" not in link]
    assert links or path.name not in {"README.md", "index.md"}
    for link in filter(None, links):
        assert (path.parent / link).exists(), link


@pytest.mark.parametrize("path", [*TEXTS, *OTHERS], ids=lambda path: path.name)
def test_no_address_of_this_project_is_shown_while_it_has_none(path):
    assert not re.search(r"https?://[^\s)\"'>]*airflow-provider-kapture", path.read_text(encoding="utf-8"))


def test_the_package_links_to_nothing():
    assert "urls" not in tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_installation_names_this_version_extras_and_files_that_exist():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(re.findall(r"airflow_provider_kapture-\S+?\.whl", INSTALL)) == {WHEEL}
    listed = re.search(r"The extras are ([^.]*)\.", INSTALL)
    assert listed is not None
    rows = re.findall(r"^\| (`.*?) \|", INSTALL, re.MULTILINE)
    for text in (listed[1], "".join(rows)):
        assert set(re.findall(r"`(\w+)`", text)) == set(project["optional-dependencies"])
    constraints = re.findall(r"constraints/\S+\.txt", INSTALL)
    assert constraints
    assert all((ROOT / each).is_file() for each in constraints)
    for text in (INSTALL, (ROOT / "Dockerfile").read_text(encoding="utf-8")):
        [(version, python)] = re.findall(r"^FROM apache/airflow:(\S+)-python(\S+)$", text, re.MULTILINE)
        minor = version.rpartition(".")[0]
        pinned = (ROOT / "constraints" / f"airflow-{minor}-py{python}.txt").read_text(encoding="utf-8")
        assert f"apache-airflow=={version}\n" in pinned
