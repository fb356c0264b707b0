"""Counters of the requests that the emulator received, and the details of the latest ones."""

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
    """A request that the emulator received.

    :param method: the HTTP method
    :param path: the path of the URL
    :param headers: the headers, names in lower case
    :param raw: the body
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    raw: bytes = field(repr=False)

    @property
    def body(self) -> Any:
        """The parsed body; None if it is not JSON."""
        try:
            return json.loads(self.raw)
        except (ValueError, RecursionError):
            return None


class Traffic:
    """Counters of all requests except those to the control API."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Reset the counters; requests in flight stay counted as such."""
        self.requests = 0
        self.statuses: Counter[str] = Counter()
        self.in_flight = getattr(self, "in_flight", 0)
        self.max_in_flight = self.in_flight
        self.offsets: deque[int] = deque(maxlen=_MAX_RECORDED)
        self.seen: deque[SeenRequest] = deque(maxlen=_MAX_RECORDED)

    @contextmanager
    def counting(self, request: SeenRequest) -> Iterator[None]:
        """Count a request, and count it as in flight while the block runs."""
        self.requests += 1
        self.seen.append(request)
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        try:
            yield
        finally:
            self.in_flight -= 1

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON of ``GET /_emulator/stats``."""
        return {
            "requests": self.requests,
            "statuses": dict(self.statuses),
            "in_flight": self.in_flight,
            "max_in_flight": self.max_in_flight,
            "offsets": list(self.offsets),
        }
