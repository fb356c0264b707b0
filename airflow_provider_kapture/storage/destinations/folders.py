"""Local folders of a pull: created if missing, and removed again if the pull left nothing in them."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

_T = TypeVar("_T")


@contextlib.contextmanager
def no_empty_folders(folder: Path) -> Iterator[None]:
    """Remove the folder and its parents at the end, if they are empty and did not exist before."""
    missing = [each for each in (folder, *folder.parents) if not os.path.lexists(each)]
    try:
        yield
    finally:
        for each in missing:
            # It contains files, or was never created.
            with contextlib.suppress(OSError):
                each.rmdir()


def in_folder(folder: Path, act: Callable[[], _T]) -> _T:
    """Create the folder and call ``act``; once more if another pull that failed removed the folder in between.

    :raises OSError: the folder cannot be created, or ``act`` raised it
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return act()
    except FileNotFoundError:
        folder.mkdir(parents=True, exist_ok=True)
        return act()


def check_writable(folder: Path) -> None:
    """Check that a file can be created in the folder, which is created if missing.

    :raises OSError: the folder or the file cannot be created
    """
    in_folder(folder, lambda: tempfile.TemporaryFile(dir=folder).close())
