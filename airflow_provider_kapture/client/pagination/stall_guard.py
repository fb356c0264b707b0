"""Bounds of the responses that bring a pull no further. The bounds of its passes are in ``passes``."""

from __future__ import annotations

from airflow_provider_kapture.client.pagination import messages
from airflow_provider_kapture.client.pagination.messages import listing_error

MAX_RESPONSES = 250_000  # of a listing
_MAX_NO_PROGRESS = 32
_MAX_NO_ADVANCE = 64
# Known pages in a row, besides twice the pages read: going back over all of them takes no more.
_MAX_KNOWN = 64


class StallGuard:
    """Counts responses that bring nothing, and raises once there are too many in a row.

    :ivar no_progress: responses in a row that did not continue the listing
    :ivar reached: the row of the latest anchor
    """

    def __init__(self) -> None:
        self.no_progress = 0
        self.reached = -1
        self._no_advance = 0
        self._known = 0

    def count_no_progress(self, *, has_changed: bool) -> None:
        """Count a response that did not continue the listing.

        :param has_changed: whether the listing was seen to change
        """
        self.no_progress += 1
        if self.no_progress > _MAX_NO_PROGRESS:
            raise listing_error(messages.KEPT_CHANGING if has_changed else messages.CANNOT_JOIN)

    def count_known(self, pages: int) -> None:
        """Count a page of known orders only.

        :param pages: the pages that brought orders
        """
        self._known += 1
        if self._known > _MAX_KNOWN + 2 * pages:
            raise listing_error(messages.KEPT_REPEATING.format(self._known))

    def advance(self, place: int) -> None:
        """Note a page that brought orders.

        :param place: the row of its last order
        """
        self.no_progress = self._known = 0
        self._no_advance = self._no_advance + 1 if place <= self.reached else 0
        self.reached = place
        if self._no_advance > _MAX_NO_ADVANCE:
            raise listing_error(messages.KEPT_CHANGING)
