"""How far apart the pages of a listing may start: learnt from what arrives, never from the limit that was asked for."""

from __future__ import annotations

# Pages of another length than those before, not the last one, after which pages have no steady length.
_UNSTEADY = 2


class Stride:
    """What is known of the length of a listing's pages.

    :param limit: the rows that a page is asked for
    :ivar page: the most rows that a page brought
    :ivar overlap: rows that a page starts before what comes next: its anchor, and more where rows leave the listing
    :ivar may_be_cut: whether a page that was not the last was shorter than another: one of one row may not be the last
    :ivar uneven: pages that were not the last, and of another length than those before
    """

    def __init__(self, limit: int) -> None:
        self.page = 0
        self.overlap = 1
        self.may_be_cut = False
        self.uneven = 0
        self._limit = limit
        self._whole = 0  # the length of pages that are not the last
        self._latest = 0

    @property
    def was_short(self) -> bool:
        """Whether the latest page may be the last."""
        return self.is_short(self._latest)

    def is_short(self, rows: int) -> bool:
        """Whether a page is shorter than those that are not the last."""
        return rows < (self._whole or self._limit)

    @property
    def has_any_length(self) -> bool:
        """Whether pages come in any length."""
        return self.uneven >= _UNSTEADY

    @property
    def reads_ahead(self) -> bool:
        """Whether it can be told where the page after the next one starts."""
        return bool(self._whole) and not self.was_short and not self.has_any_length

    def learn(self, rows: int, *, brought: int) -> None:
        """Take note of a page that brought what comes next.

        :param rows: its length
        :param brought: how many of them were new behind all that was read
        """
        self.may_be_cut = self.may_be_cut or (0 < self._latest < self._whole and brought > 0)
        if brought > self._trickle:
            self._note_whole(self._latest)  # the page before was not the last
        if rows == self._limit:
            self._note_whole(rows)
        self._latest = rows
        self.page = max(self.page, rows)

    def missed(self) -> None:
        """A page started behind what comes next: rows left the listing above it."""
        self.overlap = min(self.overlap * 2, max(self.page // 2, 1))

    def joined(self, last_known: int) -> None:
        """A page joined what was read; the index of its last row that was."""
        if last_known >= self.overlap // 2:
            self.overlap = max(self.overlap - 1, 1)

    @property
    def _trickle(self) -> int:
        """What may come at the end of a listing that has a few more orders with each answer."""
        return max(self.page // 8, 1)

    def _note_whole(self, rows: int) -> None:
        if rows:
            self.uneven += rows != (self._whole or rows)
            self.may_be_cut = self.uneven > 0 or self.may_be_cut
            self._whole = max(self._whole, rows)
