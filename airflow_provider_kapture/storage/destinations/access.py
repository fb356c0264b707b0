"""Owner, group and mode of a local file that replaces another one."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from pathlib import Path


def copy_access(spool: Path, target: Path) -> str | None:
    """Give a file that only its owner may read the access of the file that it is to replace; else that of a new file.

    :return: what the process may not set, in words; None if all is as before. Nobody gets access who had none
    """
    try:
        old = target.stat()
    except FileNotFoundError:
        spool.chmod(0o666 & ~_umask())
        return None
    mode = stat.S_IMODE(old.st_mode)
    if not _set_owner(spool, old, spool.stat()):
        # The group is another one: it gets what others have.
        mode &= ~0o070 | (mode & 0o007) << 3
    spool.chmod(mode)
    new = spool.stat()
    if (new.st_uid, new.st_gid) == (old.st_uid, old.st_gid):
        return None
    return f"{_described(old)}; this process may only write it with {_described(new)}"


def _described(state: os.stat_result) -> str:
    return f"owner {state.st_uid}, group {state.st_gid} and mode {stat.S_IMODE(state.st_mode):04o}"


def _set_owner(spool: Path, old: os.stat_result, new: os.stat_result) -> bool:
    """Set owner and group where the process may, and return whether the group is the old one."""
    if (new.st_uid, new.st_gid) == (old.st_uid, old.st_gid):
        return True
    with contextlib.suppress(OSError):
        os.chown(spool, old.st_uid, old.st_gid)
        return True
    with contextlib.suppress(OSError):
        os.chown(spool, -1, old.st_gid)
    return spool.stat().st_gid == old.st_gid


def _umask() -> int:
    """Return the process's umask, without changing it for other threads where the system tells it."""
    with contextlib.suppress(OSError):
        found = re.search(r"^Umask:\s*([0-7]+)", Path("/proc/self/status").read_text(), re.MULTILINE)
        if found:
            return int(found[1], 8)
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
