"""Where the anchor stands, how fast it moves, and how many orders came to stand above it unread."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_kapture.client.api.keys import OrderKey


class Anchor:
    """The last order read, and where the listing was last seen to hold it.

    :ivar key: its id
    :ivar rank: its rank
    :ivar place: its row
    :ivar rate: by how many rows it moves from one response to the next, rounded down: too low only overlaps more
    """

    def __init__(self) -> None:
        self.key: OrderKey | None = None
        self.rank = -1
        self.place = -1
        self.rate = 0
        self._seen_at = 0  # the number of the response that showed it
        self._latest = 0  # the latest two speeds

    def set(self, key: OrderKey, rank: int, place: int, response: int) -> None:
        """Continue from another order."""
        self.key, self.rank, self.place, self._seen_at = key, rank, place, response

    def retreat(self, key: OrderKey, rank: int, place: int, response: int, *, is_end: bool) -> None:
        """Continue from an order further up, as those behind it left; from the last of all, if ``is_end``."""
        speed = (place - self.place) // max(response - self._seen_at, 1)
        self.set(key, rank, place, response)
        self.rate = min(speed, 0) if is_end else 0

    def observe(self, place: int, response: int) -> None:
        """Note where it stands by now."""
        if response > self._seen_at:
            speed = (place - self.place) // (response - self._seen_at)
            # A single move down is not a speed: too high a rate overlaps nothing.
            self.rate = min(speed, max(self._latest, 0)) if speed > 0 else speed
            self._latest = speed
        self.place, self._seen_at = place, response

    def predicted(self, response: int) -> int:
        """Return the row where it will stand in that response."""
        return max(self.place + self.rate * (response - self._seen_at), 0)


class ShiftAccount:
    """How many orders moved into the part that was read, and were not seen there.

    Inserted orders do so, and need not be read; so do orders that moved or changed places with their equals, and were
    not read before. They are told apart by looking again.
    """

    def __init__(self) -> None:
        self.unexplained = 0

    def moved_down(self, rows: int, found: int) -> None:
        """Note that orders read stood so many rows further down, and how many new ones the page showed above them."""
        self.unexplained = max(self.unexplained + max(rows, 0) - found, 0)

    def found(self, rows: int) -> None:
        """Note orders that were found where they had not been read."""
        self.unexplained = max(self.unexplained - rows, 0)


def count_from(places: Sequence[int], place: int) -> int:
    """Return how many of these places are at or behind one."""
    return sum(each >= place for each in places)
