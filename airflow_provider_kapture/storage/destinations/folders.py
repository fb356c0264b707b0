"""Local folders of a pull: made where they are missing, and removed again where the pull left nothing in them."""

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
    """Remove the folder and its parents at the end, as far as they are empty and were missing before."""
    missing = [each for each in (folder, *folder.parents) if not os.path.lexists(each)]
    try:
        yield
    finally:
        for each in missing:
            # Holds files, or was never made.
            with contextlib.suppress(OSError):
                each.rmdir()


def in_folder(folder: Path, act: Callable[[], _T]) -> _T:
    """Make the folder and act in it; once more if another pull that failed has removed it in between.

    :raises OSError: the folder cannot be made, or as ``act`` raises
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return act()
    except FileNotFoundError:
        folder.mkdir(parents=True, exist_ok=True)
        return act()


def check_writable(folder: Path) -> None:
    """Check that a file can be made in the folder, which is made where it is missing.

    :raises OSError: it cannot
    """
    in_folder(folder, lambda: tempfile.TemporaryFile(dir=folder).close())
