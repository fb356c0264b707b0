"""One listing of a pull: its requests, and the pages that are processed ahead of their turn. No I/O.

Which page comes next is decided in `../pagination/`; the listings of a pull are coordinated in `pull.py`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from airflow_provider_kapture.client.api.response import Page
from airflow_provider_kapture.client.days import DayRange, Window
from airflow_provider_kapture.client.errors import KaptureAnswerError, KaptureListingError
from airflow_provider_kapture.client.pagination.paginator import AnchoredPaginator
from airflow_provider_kapture.client.pagination.requests import PageRequest
from airflow_provider_kapture.client.pagination.unpaged import UnpagedListing


@dataclass(frozen=True, slots=True)
class ListingRequest:
    """One request of a pull: the days and the page.

    :param listing: index of the listing within the pull
    :param days: days of that listing
    """

    listing: int
    # The other fields tell requests apart, and hashing dates takes long.
    days: DayRange = field(hash=False)
    page: PageRequest


@dataclass(eq=False, slots=True)
class DayListing:
    """The listing of consecutive days within a pull.

    :param number: index of the listing within the pull
    :param window: window that the days belong to
    :param days: days of the listing
    :param paginate: returns the paginator; called when the first request is due
    :param is_last: whether it is the last listing of its window
    :ivar buffered: requests whose pages were processed ahead of their turn, each with the indices of its new orders
    :ivar is_broken: whether the last page that was processed ahead is an error
    :ivar restarts: restarts that the pull has counted already
    """

    number: int
    window: Window
    days: DayRange
    paginate: Callable[[], AnchoredPaginator | UnpagedListing]
    is_last: bool
    buffered: deque[tuple[ListingRequest, Sequence[int] | KaptureListingError]] = field(default_factory=deque)
    _pages: AnchoredPaginator | UnpagedListing | None = None
    is_broken: bool = False
    restarts: int = 0

    @property
    def pages(self) -> AnchoredPaginator | UnpagedListing:
        """The paginator."""
        if self._pages is None:
            self._pages = self.paginate()
        return self._pages

    def close(self) -> None:
        """Release what the paginator holds."""
        if self._pages is not None:
            self._pages.close()

    @property
    def is_read(self) -> bool:
        """Whether no more pages have to be requested."""
        return self.is_broken or self.pages.done

    @property
    def is_over(self) -> bool:
        """Whether all pages are read and their orders delivered."""
        return self.is_read and not self.buffered

    def requests(self, count: int) -> list[ListingRequest]:
        """Return the requests that may be in flight, at most ``count``."""
        return (
            []
            if self.is_read
            else [ListingRequest(self.number, self.days, each) for each in self.pages.next_requests(count)]
        )

    def process_ahead(self, completed: Mapping[ListingRequest, Page]) -> None:
        """Process completed pages ahead of their turn."""
        while not self.is_read:
            request = ListingRequest(self.number, self.days, self.pages.current_request)
            page = completed.get(request)
            if page is None:
                return
            try:
                self.buffered.append((request, self.pages.handle_page(page.keys, page.raws)))
            except KaptureListingError as error:
                # Orders of earlier pages are delivered before the error is raised.
                self.buffered.append((request, error))
                self.is_broken = True

    def has_later_orders(self, completed: Mapping[ListingRequest, Page]) -> bool:
        """Return whether a completed page beyond the next one contains orders."""
        row = self.pages.current_request.first_row
        return any(
            each.listing == self.number and each.page.first_row > row and page.keys for each, page in completed.items()
        )

    def handle_page(self, page: Page, *, has_later_orders: bool) -> Sequence[int]:
        """Return the indices of the new orders in the page whose turn it is.

        :raises KaptureListingError: the page does not fit the listing
        """
        if not self.buffered:
            return self.pages.handle_page(page.keys, page.raws, has_later_orders=has_later_orders)
        _, fresh = self.buffered.popleft()
        if isinstance(fresh, KaptureListingError):
            raise fresh
        return fresh

    def refuse(self, refusal: KaptureAnswerError) -> None:
        """Process the refusal of the page whose turn it is.

        :raises KaptureAnswerError: the refusal is not the end of the listing
        """
        self.pages.handle_refusal(refusal)
