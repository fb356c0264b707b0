"""The requests of a listing: which rows a request is meant to return, and what is sent for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Paging(StrEnum):
    """What ``offset`` counts: connection extra ``paging``."""

    ROWS = "rows"
    PAGES = "pages"
    PAGES_FROM_1 = "pages_from_1"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class PageRequest:
    """One request of a listing.

    :param number: the index of the request within the listing
    :param offset: the ``offset`` that is sent
    :param limit: the ``limit`` that is sent
    :param first_row: the row that the page should start with
    """

    number: int
    # Hashed for each page several times: the number alone tells requests apart.
    offset: int = field(hash=False)
    limit: int = field(hash=False)
    first_row: int = field(hash=False)


class RequestQueue:
    """The requests whose pages are still to be handled, in the order in which they are handled.

    :ivar overshoot: requests that were sent and turned out not to be needed
    """

    def __init__(self) -> None:
        self.overshoot = 0
        self._waiting: deque[PageRequest] = deque()
        self._numbered = 0
        self._sent = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def head(self) -> PageRequest:
        """The request whose page is handled next."""
        return self._waiting[0]

    @property
    def last(self) -> PageRequest:
        """The request whose page is handled last."""
        return self._waiting[-1]

    def append(self, offset: int, limit: int, first_row: int) -> None:
        """Add a request behind the last one."""
        self._numbered += 1
        self._waiting.append(PageRequest(self._numbered, offset, limit, first_row))

    def send(self, count: int) -> Sequence[PageRequest]:
        """Return the first ``count`` requests, which count as sent from now on."""
        found = tuple(self._waiting)[:count]
        self._sent = max(self._sent, found[-1].number)
        return found

    def take(self) -> PageRequest:
        """Remove the head, whose page has arrived."""
        return self._waiting.popleft()

    def clear(self) -> None:
        """Drop all requests."""
        if self._waiting:
            self.overshoot += sum(each.number <= self._sent for each in self._waiting)
            self._waiting.clear()
