"""The changelog's form, and the command that prepares a release, in a clone of its own."""

import datetime as dt
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import release

import airflow_provider_kapture

ROOT = Path(__file__).parents[2]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
KINDS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
CURRENT = airflow_provider_kapture.__version__
MAJOR, MINOR, _ = map(int, CURRENT.split("."))
NEXT = f"{MAJOR}.{MINOR + 1}.0"


def test_the_changelog_keeps_its_form():
    versions = re.split(r"^## ", CHANGELOG, flags=re.MULTILINE)[1:]
    assert versions[0].startswith("[Unreleased]\n")
    for version in versions:
        assert re.match(r"\[(Unreleased|\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d)", version)
        kinds = re.findall(r"^### (.*)$", version, re.MULTILINE)
        assert kinds == [kind for kind in KINDS if kind in kinds]
        for section in re.split(r"^### .*$", version, flags=re.MULTILINE)[1:]:
            assert section.strip().startswith("- ")


def test_unreleased_changes_get_the_version_and_the_day():
    dated = release.date_changelog("# Changelog\n\n## [Unreleased]\n\n### Fixed\n\n- That.\n", "1.2.3", dt.date.min)
    assert dated == "# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 0001-01-01\n\n### Fixed\n\n- That.\n"


def test_a_changelog_without_unreleased_changes_is_an_error():
    with pytest.raises(release.ReleaseError, match="no change under"):
        release.date_changelog(
            "## [Unreleased]\n\n## [1.2.3] - 2024-05-08\n\n### Fixed\n\n- That.\n", "1.2.4", dt.date.min
        )


def git(clone, *arguments):
    return subprocess.run(["git", *arguments], cwd=clone, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A clone with the files that a release writes; its `make dist` fails if there is a file `broken`."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    for path in (release.VERSION_FILE, release.CHANGELOG, *release.PAGES):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    (tmp_path / "Makefile").write_text("dist:\n\ttest ! -e broken\n", encoding="utf-8")
    (tmp_path / release.CHANGELOG).write_text("## [Unreleased]\n\n### Fixed\n\n- That.\n", encoding="utf-8")
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    git(tmp_path, "config", "user.name", "Tester")
    git(tmp_path, "config", "user.email", "tester@example.com")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "Start")
    return tmp_path


def prepare(clone, version):
    command = [sys.executable, ROOT / "scripts" / "release.py", version]
    return subprocess.run(command, cwd=clone, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("version", [CURRENT, NEXT], ids=["the first one", "the next one"])
def test_a_release_is_a_commit_and_a_tag(clone, version):
    found = prepare(clone, version)
    assert found.returncode == 0, found.stderr
    assert git(clone, "log", "-1", "--format=%s") == f"Release {version}"
    assert git(clone, "describe", "--exact-match") == f"v{version}"
    assert git(clone, "status", "--porcelain") == ""
    assert f'__version__ = "{version}"' in (clone / release.VERSION_FILE).read_text(encoding="utf-8")
    assert f"## [{version}] - 2" in (clone / release.CHANGELOG).read_text(encoding="utf-8")
    for page in release.PAGES:
        text = (clone / page).read_text(encoding="utf-8")
        assert set(re.findall(r"airflow_provider_kapture-([\d.]+)-", text)) == {version}
    assert f"git push origin main v{version}" in found.stdout


def test_a_failed_check_leaves_the_clone_as_it_was(clone):
    (clone / "broken").touch()
    git(clone, "add", "--all")
    git(clone, "commit", "--quiet", "--message", "Break")
    found = prepare(clone, NEXT)
    assert found.returncode == 1
    assert "`make dist` failed; the files are as they were" in found.stderr
    assert git(clone, "status", "--porcelain") == ""
    assert git(clone, "tag") == ""
    assert git(clone, "log", "-1", "--format=%s") == "Break"


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("", "VERSION is '': write it as 0.2.0"),
        ("v1.0", "VERSION is 'v1.0': write it as 0.2.0"),
        ("0.0.1", f"the package is {CURRENT} already"),
    ],
)
def test_a_wrong_version_is_refused(clone, version, message):
    found = prepare(clone, version)
    assert found.returncode == 1
    assert message in found.stderr
    assert git(clone, "tag") == ""


def test_a_clone_with_changes_is_refused(clone):
    (clone / "notes.txt").touch()
    assert "uncommitted changes" in prepare(clone, NEXT).stderr


def test_a_version_is_released_once(clone):
    git(clone, "tag", f"v{NEXT}")
    assert f"there is a tag v{NEXT} already" in prepare(clone, NEXT).stderr
