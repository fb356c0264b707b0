"""How a listing moves while it is read."""

from __future__ import annotations

from airflow_provider_kapture.client.protocol import OrderKey
from airflow_provider_kapture.client.stretch import Stretch


class Drift:
    """Where the order that was read last is seen again, and what that says.

    :ivar has_moved: whether it was further down, or missing where others that were read stood
    """

    def __init__(self) -> None:
        self.has_moved = False
        self._order: OrderKey | None = None
        self._place = 0
        self._seen = 0
        self._rate = 0

    def follow(self, answer: Stretch) -> None:
        """The last order of an answer is the one to look for from now on."""
        self._order, self._place, self._seen = answer.last, answer.place, answer.number

    def watch(self, answer: Stretch) -> None:
        """See where that order is in another answer."""
        index = None if self._order is None else answer.where.get(self._order)
        if index is None:
            self.has_moved = self.has_moved or (self._order is not None and bool(answer.known))
        else:
            place = answer.offset + index
            self.has_moved = self.has_moved or place > self._place
            self._rate = round((place - self._place) / (answer.number - self._seen))
            self._place, self._seen = place, answer.number

    def rate(self, answer: Stretch, joined: Stretch) -> int:
        """By how many rows the end of an answer that brought nothing moves from one answer to the next.

        :param joined: the answer before it that joined
        """
        if answer.last == self._order:
            return self._rate
        return min(round((answer.place - joined.place) / (answer.number - joined.number)), 0)
