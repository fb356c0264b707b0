"""What the emulator has seen: counts without bounds, details of the latest requests."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

_MAX_RECORDED = 10_000


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """A request as it came.

    :param method: its HTTP method
    :param path: its path
    :param headers: its headers, names in lower case
    :param raw: its body
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    raw: bytes = field(repr=False)

    @property
    def body(self) -> Any:
        """The body's JSON; none where it is not JSON."""
        try:
            return json.loads(self.raw)
        except (ValueError, RecursionError):
            return None


class Traffic:
    """Counts of the requests for orders; those of the control plane are not among them."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start counting anew. What is in flight stays in flight."""
        self.requests = 0
        self.statuses: Counter[str] = Counter()
        self.in_flight = getattr(self, "in_flight", 0)
        self.max_in_flight = self.in_flight
        self.offsets: deque[int] = deque(maxlen=_MAX_RECORDED)
        self.seen: deque[SeenRequest] = deque(maxlen=_MAX_RECORDED)

    @contextmanager
    def counting(self, request: SeenRequest) -> Iterator[None]:
        """Count a request, and that it is in flight as long as the block runs."""
        self.requests += 1
        self.seen.append(request)
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        try:
            yield
        finally:
            self.in_flight -= 1

    def as_dict(self) -> dict[str, Any]:
        """What ``GET /_emulator/stats`` says."""
        return {
            "requests": self.requests,
            "statuses": dict(self.statuses),
            "in_flight": self.in_flight,
            "max_in_flight": self.max_in_flight,
            "offsets": list(self.offsets),
        }
