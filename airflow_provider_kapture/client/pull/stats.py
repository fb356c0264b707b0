"""Counters of a pull."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field


@dataclass(slots=True)
class PullStats:
    """What a pull has done so far, over all its windows where it has several.

    :ivar days: the account's days that are read
    :ivar resumed: those of the rows that an earlier try has pulled
    :ivar resumed_days: those of the days that an earlier try has pulled
    :ivar overshoot: requests beyond the end of a listing
    :ivar pages: how many pages a day the latest listings had
    :ivar moved: orders that had come out for an earlier day of the pull
    :ivar empty_proof: how a pull without orders was proven, ``control_day`` or ``none``; none where there are orders
    :ivar repaired: orders whose JSON had line breaks inside strings, which are escaped
    :ivar warnings: what a person should look at
    """

    rows: int = 0
    requests: int = 0
    retries: int = 0
    restarts: int = 0
    trimmed: int = 0
    days: int = 0
    resumed: int = 0
    resumed_days: int = 0
    first_ms: int | None = None
    last_ms: int | None = None
    overshoot: int = 0
    pages: deque[float] = field(default_factory=lambda: deque(maxlen=3))
    moved: int = 0
    empty_proof: str | None = None
    repaired: int = 0
    warnings: list[str] = field(default_factory=list)
