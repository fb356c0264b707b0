"""The length of a listing's pages, learnt from the pages that arrive, as servers return fewer rows than the limit.

What it means for the end of the listing is decided in ``end_detector``.
"""

from __future__ import annotations


class PageSizeEstimator:
    """What is known of the length of a listing's pages.

    :param limit: the rows that a page is requested with
    :ivar longest: the most rows of a page
    :ivar is_irregular: whether a page that was not the last was shorter than another, or longer
    :ivar may_be_cut: whether a page that looked like the last was not, so that a page of one row may not be it either
    """

    def __init__(self, limit: int) -> None:
        self.longest = 0
        self.is_irregular = False
        self.may_be_cut = False
        self._limit = limit
        self._whole = 0  # the length of pages that are not the last
        self._latest = 0
        self._latest_limit = limit

    def is_short(self, length: int, limit: int) -> bool:
        """Return whether a page is shorter than one that is not the last."""
        return length < min(self._whole or self._limit, limit)

    @property
    def last_was_short(self) -> bool:
        """Whether the latest page may be the last."""
        return self.is_short(self._latest, self._latest_limit)

    @property
    def is_whole_known(self) -> bool:
        """Whether a page that was not the last has arrived."""
        return self._whole > 0

    def learn(self, length: int, limit: int, *, behind: int) -> None:
        """Note a page that continued the listing.

        :param behind: how many of its rows stand behind all that were known
        """
        self.may_be_cut = self.may_be_cut or (behind > 0 and self._latest > 0 and self._is_latest_cut())
        # A few rows more may have been added at the end since the page before it.
        if behind > max(self.longest // 8, 1) and self._latest:
            self.is_irregular = self.is_irregular or self._is_latest_cut()
            if self._latest < self._latest_limit or self._latest_limit == self._limit:
                self._whole = max(self._whole, self._latest)
        # Pages of a steady length are never longer than one that was not the last.
        self.is_irregular = self.is_irregular or 0 < self._whole < min(length, self._limit)
        self.may_be_cut = self.may_be_cut or self.is_irregular
        if length >= self._limit:
            self._whole = max(self._whole, self._limit)
        self._latest, self._latest_limit = length, limit
        self.longest = max(self.longest, length)

    def _is_latest_cut(self) -> bool:
        return self._whole > 0 and self.is_short(self._latest, self._latest_limit)

    def forget_latest(self) -> None:
        """Note that the next page does not follow the latest one, which may have been the last."""
        self._latest = 0
