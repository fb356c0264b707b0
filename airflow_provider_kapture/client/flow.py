"""How many pages may be on their way, and how soon the next may start: pure, asked by both transports."""

from __future__ import annotations


class Flow:
    """Pages in flight, halved when Kapture is busy and grown back one by one; and the spacing of requests.

    :param most: the ceiling of pages in flight
    :param per_second: the ceiling of requests a second; none for no ceiling
    """

    def __init__(self, most: int, per_second: float | None) -> None:
        self.limit = most
        self.in_flight = 0
        self._most = most
        self._gap = 1 / per_second if per_second else 0.0
        self._next = float("-inf")

    def may_start(self) -> bool:
        """Whether one more page may be on its way."""
        return self.in_flight < self.limit

    def start(self, now: float) -> float:
        """Count a page in, and say how many seconds to wait before it is asked for."""
        self.in_flight += 1
        begin = max(now, self._next)
        self._next = begin + self._gap
        return begin - now

    def end(self, *, busy: bool) -> None:
        """Count a page out.

        :param busy: whether Kapture answered that it has too much to do
        """
        self.in_flight -= 1
        self.limit = max(self.limit // 2, 1) if busy else min(self.limit + 1, self._most)
