"""The phases of the paginator. Which follows which is the table in the docstring of ``paginator``."""

from __future__ import annotations

from enum import Enum


class Phase(Enum):
    """What the next response is for."""

    READ = "read"
    BACKTRACK = "backtrack"
    CONFIRM_END = "confirm_end"
    CONFIRM_STILL = "confirm_still"
    CONFIRM_REFUSAL = "confirm_refusal"
    CHECK_SINGLE = "check_single"
    CHECK_OFFSET = "check_offset"
    FIND_END = "find_end"
    VERIFY_STABLE = "verify_stable"
    RECHECK_TOP = "recheck_top"
    SECOND_PASS = "second_pass"  # noqa: S105
    DONE = "done"


# Phases whose pages are not part of the reading: the order of their rows is not compared.
LOOKS = frozenset({Phase.CHECK_OFFSET, Phase.CHECK_SINGLE, Phase.FIND_END})
