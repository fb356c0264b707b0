"""Prepare a release in a clean clone: write the version, date the changelog, build and check, commit and tag.

Nothing is pushed or uploaded. ``make release VERSION=0.2.0`` runs it; what is built and checked is ``make dist``.
"""

from __future__ import annotations

import datetime as dt
import re
import subprocess
import sys
from pathlib import Path

VERSION_FILE = Path("airflow_provider_kapture/__init__.py")
CHANGELOG = Path("CHANGELOG.md")
# Pages that name the wheel.
PAGES = (Path("docs/install.md"),)


class ReleaseError(Exception):
    """The release cannot be prepared; the message says what to do."""


def date_changelog(changelog: str, version: str, day: dt.date) -> str:
    """Return the changelog with its unreleased changes under a version, and none unreleased.

    :raises ReleaseError: it has no unreleased changes
    """
    heading = "## [Unreleased]\n"
    before, found, after = changelog.partition(heading)
    changes = re.split(r"^## ", after, maxsplit=1, flags=re.MULTILINE)[0]
    if not found or not re.search(r"^- ", changes, re.MULTILINE):
        raise ReleaseError(f"{CHANGELOG} has no change under [Unreleased]; describe what is released")
    return f"{before}{heading}\n## [{version}] - {day.isoformat()}\n{after}"


def current_version() -> str:
    """Return the version that the package has now."""
    found = re.search(r'^__version__ = "(.+)"$', VERSION_FILE.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise ReleaseError(f"{VERSION_FILE} has no line `__version__ = ...`")
    return found[1]


def check(version: str) -> None:
    """Check that a version can be released from this clone.

    :raises ReleaseError: it cannot
    """
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise ReleaseError(f"VERSION is {version!r}: write it as 0.2.0")
    if _parts(version) < _parts(current_version()):
        raise ReleaseError(f"VERSION is {version}, but the package is {current_version()} already; choose a later one")
    if _git("status", "--porcelain"):
        raise ReleaseError("the clone has uncommitted changes; commit or remove them")
    if _git("tag", "--list", f"v{version}"):
        raise ReleaseError(f"there is a tag v{version} already; choose a later version")


def write(version: str, day: dt.date) -> list[Path]:
    """Write the version into every file that names it, and return these files."""
    current = current_version()
    texts = {CHANGELOG: date_changelog(CHANGELOG.read_text(encoding="utf-8"), version, day)}
    for path in (VERSION_FILE, *PAGES):
        text = path.read_text(encoding="utf-8")
        texts[path] = text.replace(f'"{current}"', f'"{version}"').replace(f"kapture-{current}-", f"kapture-{version}-")
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
    return list(texts)


def main(version: str) -> None:
    """Prepare the release of a version; if a check fails, the files are as before."""
    check(version)
    files = [str(path) for path in write(version, dt.datetime.now(dt.UTC).date())]
    try:
        subprocess.run(["make", "dist"], check=True)  # noqa: S607 - the make that runs this
    except (subprocess.CalledProcessError, KeyboardInterrupt):
        _git("checkout", "--", *files)
        raise ReleaseError("`make dist` failed; the files are as they were") from None
    _git("commit", "--quiet", "--message", f"Release {version}", "--", *files)
    _git("tag", "--annotate", f"v{version}", "--message", f"Release {version}")
    branch = _git("branch", "--show-current")
    print(f"""
Version {version} is committed and tagged, and its wheel and sdist are in dist/. To publish it:

  git push origin {branch} v{version}

and create a release of the tag on GitHub, which uploads the distributions to PyPI.
Without GitHub: .venv/bin/twine upload dist/*""")


def _parts(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


if __name__ == "__main__":
    try:
        main(sys.argv[1] if len(sys.argv) > 1 else "")
    except ReleaseError as error:
        sys.exit(f"release: {error}")
