"""Search for the end of a listing that may grow there as fast as it is read: which offset to request next."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_kapture.client.api.response import OrderKey

# Doublings and halvings: more than any listing needs that a pull could read.
_MAX_LOOKS = 40


class EndSearch:
    """Doubles the distance until a page is empty, then halves it until a page shows the last orders.

    What stands in the listing throughout stands before its end as it was at any moment, so a page that is short, or
    that an empty row follows, shows the last order that need be read.

    :param place: a row that holds an order
    :param page: the length of a page
    :ivar tail: the last order that need be read, once it is found
    :ivar is_over: whether there is nothing more to request
    """

    def __init__(self, place: int, page: int) -> None:
        self.tail: OrderKey | None = None
        self.is_over = False
        self._low, self._high = place, -1
        self._distance = max(place, page)
        self._page = page
        self._looks = 0

    @property
    def offset(self) -> int:
        """The row to request next."""
        return self._low + self._distance if self._high < 0 else (self._low + self._high) // 2

    def see(self, first_row: int, rows: Sequence[OrderKey]) -> bool:
        """Note the page at that row; whether the search is over."""
        self._looks += 1
        if rows:
            self._low = max(self._low, first_row + len(rows) - 1)
            self.tail = rows[-1] if len(rows) < self._page or self._low + 1 >= self._high > 0 else None
            self._distance *= 2
        else:
            self._high = first_row
        # A listing that shrinks may leave nothing between the two.
        self.is_over = self.tail is not None or self._looks >= _MAX_LOOKS or 0 < self._high <= self._low + 1
        return self.is_over
