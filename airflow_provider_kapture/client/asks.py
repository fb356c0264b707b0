"""The requests of a walk that are yet to be answered."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from airflow_provider_kapture.client.stretch import Ask, Why


class Asks:
    """In the order in which their answers are taken, whichever of them are on their way already.

    :ivar overshoot: requests that turned out to be in vain
    """

    def __init__(self) -> None:
        self.overshoot = 0
        self._waiting: deque[Ask] = deque()
        self._asked = 0
        self._sent = 0

    @property
    def head(self) -> Ask:
        """The request whose answer is to be taken next."""
        return self._waiting[0]

    def read_ahead(self, most: int, step: int) -> None:
        """Ask for pages that start so many rows apart, until ``most`` requests wait."""
        while len(self._waiting) < most:
            self._waiting.append(self._next(self._waiting[-1].offset + step, Why.NEXT))

    def send(self, most: int) -> Sequence[Ask]:
        """The first ``most``: they are on their way from now on."""
        asks = tuple(self._waiting)[:most]
        self._sent = max(self._sent, *(each.number for each in asks))
        return asks

    def take(self) -> Ask:
        """The head, which is answered."""
        return self._waiting.popleft()

    def put_first(self, offset: int, why: Why = Why.NEXT) -> None:
        """Ask this before anything else."""
        self._waiting.appendleft(self._next(offset, why))

    def put_instead(self, offset: int, why: Why) -> None:
        """Ask this, and nothing else."""
        self.drop()
        self.put_first(offset, why)

    def drop(self) -> None:
        """Ask nothing that was to be asked."""
        self.overshoot += sum(each.number <= self._sent for each in self._waiting)
        self._waiting.clear()

    def drop_first_unsent(self) -> None:
        """Ask nothing before what is on its way."""
        while self._waiting and self._waiting[0].number > self._sent:
            self._waiting.popleft()

    def bring_next(self, place: int) -> bool:
        """Whether the head starts no farther than a place."""
        return bool(self._waiting) and self._waiting[0].offset <= place

    def _next(self, offset: int, why: Why) -> Ask:
        self._asked += 1
        return Ask(self._asked, offset, why)
