"""What the listings of one pull have learnt of how the account pages, so that each learns it once.

What a single listing has shown is in :mod:`~airflow_provider_kapture.client.pagination.state`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_provider_kapture.client.errors import KaptureAnswerError


@dataclass(slots=True)
class AccountKnowledge:
    """What is known of how the account pages; shared by the listings of a pull.

    :ivar is_rounded: whether ``offset`` was seen to be rounded down to whole pages
    :ivar is_offset_proven: whether a listing has shown that pages start at their offset
    :ivar is_unpaged: whether every response was proven to be the whole listing
    :ivar is_first_page_proven: whether offset 0 was seen to show no other page than offset 1
    :ivar longest: the most rows of a response
    :ivar shows_empty_pages: whether a page beyond the end was empty, and not refused
    :ivar deepest: the row up to which a page was requested that held orders
    """

    is_rounded: bool = False
    is_offset_proven: bool = False
    is_unpaged: bool = False
    is_first_page_proven: bool = False
    longest: int = 0
    shows_empty_pages: bool = False
    deepest: int = 0
    _end_refusals: set[tuple[int, str]] = field(default_factory=set)

    def see(self, first_row: int, limit: int, rows: int) -> None:
        """Note a page."""
        self.longest = max(self.longest, rows)
        if rows:
            self.deepest = max(self.deepest, first_row + limit)
        elif first_row:
            self.shows_empty_pages = True

    def is_end_refusal(self, refusal: KaptureAnswerError) -> bool:
        """Return whether this refusal is known to mean that no row stands at the offset."""
        return (refusal.status, refusal.excerpt) in self._end_refusals

    def add_end_refusal(self, refusal: KaptureAnswerError) -> None:
        """Note that this refusal means that no row stands at the offset."""
        self._end_refusals.add((refusal.status, refusal.excerpt))
