"""Counters of a pull. The receipt (`storage/receipt.py`) and the progress log are made from them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field


@dataclass(slots=True)
class PullStats:
    """Counters of a pull so far, over all its windows.

    :ivar rows: orders in the windows
    :ivar requests: requests sent, retries included
    :ivar retries: requests that repeated a failed one
    :ivar restarts: listings that had to start over
    :ivar trimmed: orders of the requested days outside the windows
    :ivar days: days of the account that are complete
    :ivar resumed: rows that an earlier try has pulled
    :ivar resumed_days: days that an earlier try has pulled
    :ivar first_ms: creation time of the earliest order, in epoch milliseconds
    :ivar last_ms: creation time of the latest order, in epoch milliseconds
    :ivar overshoot: requests beyond the end of a listing
    :ivar pages: pages per day of the latest listings
    :ivar moved: orders that also appeared under an earlier day of the pull
    :ivar empty_proof: proof of a pull without orders, ``control_day`` or ``none``; None if there are orders
    :ivar repaired: orders whose JSON had line breaks inside strings, which are now escaped
    :ivar warnings: warnings that a person should read
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
