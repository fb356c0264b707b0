"""Listings of accounts without pagination: every response is the whole listing."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_kapture.client.api.keys import OrderKey
from airflow_provider_kapture.client.errors import KaptureAnswerError
from airflow_provider_kapture.client.pagination.depth import check_depth
from airflow_provider_kapture.client.pagination.knowledge import AccountKnowledge
from airflow_provider_kapture.client.pagination.page import distinct
from airflow_provider_kapture.client.pagination.requests import PageRequest

# Numbers of rows that servers cap a response at, besides the multiples of the last.
_LIKELY_CAPS = (10, 20, 25, 50)


def may_be_cap(rows: int) -> bool:
    """Return whether a response of so many rows may have been cut."""
    return rows in _LIKELY_CAPS or (rows > 0 and rows % _LIKELY_CAPS[-1] == 0)


class UnpagedListing:
    """One listing that a single response holds; driven like the paginator.

    :param limit: the rows that are requested, which the account ignores
    :param knowledge: what the listings of the pull have learnt together
    :ivar taken: responses so far
    :ivar rows: the number of its orders
    """

    restarts = 0
    overshoot = 0
    pages = 1
    is_offset_proven = is_repeated = False

    def __init__(self, limit: int, knowledge: AccountKnowledge) -> None:
        self.taken = 0
        self.warnings: list[str] = []
        self._knowledge = knowledge
        self.rows = 0
        self.current_request = PageRequest(1, 0, limit, 0)

    @property
    def done(self) -> bool:
        return self.taken > 0

    def next_requests(self, count: int) -> Sequence[PageRequest]:
        """Return the one request."""
        del count
        return (self.current_request,)

    def handle_page(
        self, keys: Sequence[OrderKey], contents: Sequence[bytes] = (), *, has_later_orders: bool = False
    ) -> Sequence[int]:
        """Handle the response; return the indices of its orders, each once.

        :raises KaptureListingError: two rows have the same id, and differ
        """
        del has_later_orders
        self.taken = 1
        index_of = {key: index for index, key in reversed(list(enumerate(keys)))}
        rows = distinct(keys, contents)
        self.rows = len(rows)
        self._knowledge.longest = max(self._knowledge.longest, len(keys))
        check_depth(self.rows, self.warnings)
        return range(len(keys)) if len(rows) == len(keys) else [index_of[row] for row in rows]

    def handle_refusal(self, refusal: KaptureAnswerError) -> Sequence[int]:
        """Raise the refusal: there is no other request."""
        raise refusal

    def close(self) -> None:
        """Release nothing: nothing is held."""
