"""The search for the end of a listing that may grow there as fast as it is read: which row to request next.

When to search, and what follows from the end, is decided in :mod:`~airflow_provider_kapture.client.pagination.growth`.
"""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_kapture.client.api.keys import OrderKey
from airflow_provider_kapture.client.errors import KaptureAnswerError

# Doublings and halvings: more than any listing needs that a pull could read.
_MAX_LOOKS = 40


class EndSearch:
    """Doubles the distance until a page is empty, then halves it until a page shows the last orders.

    What stands in the listing throughout stands before its end as it was at any moment, so a page that an empty row
    follows shows the last order that need be read.

    :param place: a row that holds an order
    :param page: the length of a page
    :ivar tail: the last order that need be read, once it is found
    :ivar is_over: whether there is nothing more to request
    :ivar last_row: the last row that is known to hold an order
    :ivar empty_row: the first row that was seen empty, or was refused; -1: none
    :ivar refusal: what that row was refused with; none if it was seen empty
    :ivar is_next_row: whether the row behind it is requested next: a short page may be the last, or one that was cut
    """

    def __init__(self, place: int, page: int) -> None:
        self.tail: OrderKey | None = None
        self.is_over = False
        self.last_row, self.empty_row = place, -1
        self.refusal: KaptureAnswerError | None = None
        self._distance = max(place, page)
        self._page = page
        self._looks = 0
        self._last: OrderKey | None = None
        self.is_next_row = False

    @property
    def offset(self) -> int:
        """The row to request next."""
        if self.is_next_row:
            return self.last_row + 1
        return self.last_row + self._distance if self.empty_row < 0 else (self.last_row + self.empty_row) // 2

    def handle_page(self, first_row: int, rows: Sequence[OrderKey]) -> None:
        """Note the page at that row."""
        self._looks += 1
        if first_row > self.last_row + self._page and self._last in rows:
            # Rows are repeated beyond the end: no page shows where it is.
            self.is_over, self.empty_row = True, first_row
            return
        if rows:
            self.is_next_row = not self.is_next_row and len(rows) < self._page
            if first_row + len(rows) > self.last_row:
                self.last_row, self._last = first_row + len(rows) - 1, rows[-1]
            self._distance *= 2
        else:
            self.empty_row, self.is_next_row = first_row, False
        self.tail = self._last if self.last_row + 1 >= self.empty_row > 0 else None
        # A listing that shrinks may leave nothing between the two.
        self.is_over = self.tail is not None or self._looks >= _MAX_LOOKS or 0 < self.empty_row <= self.last_row + 1

    def refuse(self, first_row: int, refusal: KaptureAnswerError) -> None:
        """Note that the page at that row is refused: it shows no last order, and need not be the end."""
        self.is_over = True
        if self.empty_row < 0:
            self.empty_row, self.refusal = first_row, refusal
