"""How the listing moves: where the anchor stands, and how many orders came to stand above it unread."""

from __future__ import annotations

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
        self._latest = 0  # the latest rate

    def set(self, key: OrderKey, rank: int, place: int, response: int) -> None:
        """Continue from another order."""
        self.key, self.rank, self.place, self._seen_at = key, rank, place, response

    def retreat(self, key: OrderKey, rank: int, place: int, response: int, *, is_end: bool) -> None:
        """Continue from an order further up, as those behind it left; from the last of all, if ``is_end``."""
        rate = (place - self.place) // max(response - self._seen_at, 1)
        self.set(key, rank, place, response)
        self.rate = min(rate, 0) if is_end else 0

    def observe(self, place: int, response: int) -> None:
        """Note where a response shows it."""
        if response > self._seen_at:
            rate = (place - self.place) // (response - self._seen_at)
            # A single move down is not a rate: one too high overlaps nothing.
            self.rate = min(rate, max(self._latest, 0)) if rate > 0 else rate
            self._latest = rate
        self.place, self._seen_at = place, response

    def predicted(self, response: int) -> int:
        """Return the row where it will stand in that response."""
        return max(self.place + self.rate * (response - self._seen_at), 0)


class DriftTracker:
    """How many orders moved into the part that was read, and were not seen there.

    Inserted orders do so, and need not be read; so do orders that moved or changed places with their equals, and were
    not read before. They are told apart by reading again.

    :ivar unexplained: the number of these orders
    :ivar widest_tie: how far apart orders stood that were seen to change places
    :ivar has_moved: whether orders were seen where they had not been
    """

    def __init__(self) -> None:
        self.unexplained = 0
        self.widest_tie = 0
        self.has_moved = False

    def moved_down(self, rows: int, found: int) -> None:
        """Note that orders read stood so many rows further down, and how many new ones the page showed above them."""
        self.unexplained = max(self.unexplained + max(rows, 0) - found, 0)

    def found(self, rows: int) -> None:
        """Note orders that were found where they had not been read."""
        self.unexplained = max(self.unexplained - rows, 0)

    def restart(self) -> None:
        """Note that the listing is read again."""
        self.unexplained = 0
