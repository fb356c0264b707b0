"""One listing of a pull: its requests, and the answers that are taken before their turn; pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from airflow_provider_kapture.client.days import DayRange, Window
from airflow_provider_kapture.client.errors import KaptureListingError
from airflow_provider_kapture.client.protocol import Page
from airflow_provider_kapture.client.stretch import Ask
from airflow_provider_kapture.client.walk import Walk


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a pull: which days, and which page of them.

    :param listing: the how manieth of the pull's listings it belongs to
    """

    listing: int
    days: DayRange
    ask: Ask


@dataclass(eq=False, slots=True)
class Listing:
    """The walk over some days, within a pull.

    :param number: the how manieth of the pull's listings this is
    :param is_last: whether it is its window's last
    :ivar early: requests whose answers the walk took before their turn, each with what comes of it
    :ivar is_broken: whether its latest early answer is an error
    :ivar restarts: those that are counted
    """

    number: int
    window: Window
    days: DayRange
    walk: Walk
    is_last: bool
    early: deque[tuple[Request, list[int] | KaptureListingError]] = field(default_factory=deque)
    is_broken: bool = False
    restarts: int = 0

    @property
    def is_read(self) -> bool:
        """Whether nothing more is to be asked."""
        return self.walk.done or self.is_broken

    @property
    def is_over(self) -> bool:
        """Whether it is read and taken."""
        return self.is_read and not self.early

    def requests(self, most: int) -> list[Request]:
        """The requests that may be on their way, at most so many."""
        return [] if self.is_read else [Request(self.number, self.days, each) for each in self.walk.ask(most)]

    def foresee(self, arrived: Mapping[Request, Page]) -> None:
        """Take answers that are there before their turn."""
        while not self.is_read:
            request = Request(self.number, self.days, self.walk.head)
            page = arrived.get(request)
            if page is None:
                return
            try:
                self.early.append((request, self.walk.take(page.keys)))
            except KaptureListingError as error:
                # What comes before it is to come out first.
                self.early.append((request, error))
                self.is_broken = True

    def goes_on(self, arrived: Mapping[Request, Page]) -> bool:
        """Whether there is an answer from farther on than what is next, with orders."""
        place = self.walk.head.offset
        return any(
            each.listing == self.number and each.ask.offset > place and page.keys for each, page in arrived.items()
        )

    def take(self, page: Page, *, goes_on: bool) -> list[int]:
        """What comes of the page whose turn it is."""
        if not self.early:
            return self.walk.take(page.keys, goes_on=goes_on)
        _, fresh = self.early.popleft()
        if isinstance(fresh, KaptureListingError):
            raise fresh
        return fresh
