"""One listing of a pull: its requests, and the answers that are taken before their turn; pure."""

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
    """One request of a pull: which days, and which page of them.

    :param listing: the how manieth of the pull's listings it belongs to
    """

    listing: int
    days: DayRange
    page: PageRequest


@dataclass(eq=False, slots=True)
class DayListing:
    """The reading of some days, within a pull.

    :param number: the index of the listing within the pull
    :param paginate: makes the paginator, once the first request is due
    :param is_last: whether it is its window's last
    :ivar buffered: requests whose pages were handled before their turn, each with the indices of its new orders
    :ivar is_broken: whether the latest early page is an error
    :ivar restarts: those that are counted
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
        """Whether nothing more is to be asked."""
        return self.is_broken or self.pages.done

    @property
    def is_over(self) -> bool:
        """Whether it is read and taken."""
        return self.is_read and not self.buffered

    def requests(self, count: int) -> list[ListingRequest]:
        """The requests that may be on their way, at most so many."""
        return (
            []
            if self.is_read
            else [ListingRequest(self.number, self.days, each) for each in self.pages.next_requests(count)]
        )

    def process_ahead(self, completed: Mapping[ListingRequest, Page]) -> None:
        """Take answers that are there before their turn."""
        while not self.is_read:
            request = ListingRequest(self.number, self.days, self.pages.current_request)
            page = completed.get(request)
            if page is None:
                return
            try:
                self.buffered.append((request, self.pages.handle_page(page.keys, page.raws)))
            except KaptureListingError as error:
                # What comes before it is to come out first.
                self.buffered.append((request, error))
                self.is_broken = True

    def has_later_orders(self, completed: Mapping[ListingRequest, Page]) -> bool:
        """Whether there is an answer from farther on than what is next, with orders."""
        row = self.pages.current_request.first_row
        return any(
            each.listing == self.number and each.page.first_row > row and page.keys for each, page in completed.items()
        )

    def handle_page(self, page: Page, *, has_later_orders: bool) -> Sequence[int]:
        """Return the indices of the new orders of the page whose turn it is."""
        if not self.buffered:
            return self.pages.handle_page(page.keys, page.raws, has_later_orders=has_later_orders)
        _, fresh = self.buffered.popleft()
        if isinstance(fresh, KaptureListingError):
            raise fresh
        return fresh

    def refuse(self, refusal: KaptureAnswerError) -> None:
        """Take a refusal of the page whose turn it is.

        :raises KaptureAnswerError: it is not the end of the listing
        """
        self.pages.handle_refusal(refusal)
