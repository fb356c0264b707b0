"""Local folders of a pull: created if missing, flushed to disk, and removed again if the pull left nothing in them."""

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
        _create(folder)
        return act()
    except FileNotFoundError:
        _create(folder)
        return act()


def _create(folder: Path) -> None:
    missing = [each for each in (folder, *folder.parents) if not each.is_dir()]
    folder.mkdir(parents=True, exist_ok=True)
    for each in missing:
        sync(each.parent)


def sync(folder: Path) -> None:
    """Flush the entries of a folder to disk, so that what was created or renamed in it survives a power failure."""
    # Some file systems do not support fsync on folders.
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def check_writable(folder: Path) -> None:
    """Check that a file can be created in the folder, which is created if missing.

    :raises OSError: the folder or the file cannot be created
    """
    in_folder(folder, lambda: tempfile.TemporaryFile(dir=folder).close())
