"""The parts of a listing's state: the current pass, and what is known of end, offsets, growth, refusals and passes.

``state`` puts them together, with the requests that follow from them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_provider_kapture.client.api.keys import OrderKey
from airflow_provider_kapture.client.errors import KaptureAnswerError
from airflow_provider_kapture.client.pagination.drift import Anchor
from airflow_provider_kapture.client.pagination.end_search import EndSearch
from airflow_provider_kapture.client.pagination.page import LocatedPage
from airflow_provider_kapture.client.pagination.page_size import PageSizeEstimator
from airflow_provider_kapture.client.pagination.phases import Phase
from airflow_provider_kapture.client.pagination.seen import SeenOrders
from airflow_provider_kapture.client.pagination.spill import RankStore
from airflow_provider_kapture.client.pagination.stall_guard import StallGuard


@dataclass(slots=True)
class PassState:
    """One reading of the listing from top to end.

    :ivar seen: the orders read
    :ivar overlap: rows before the anchor that are requested again, so that a page holds all orders of equal sort keys
    :ivar top: the first order of the listing
    :ivar pages: pages that brought orders
    :ivar changes: how often the listing was seen to change; from then on no page is requested ahead
    :ivar found: orders that no pass before it had read
    :ivar step: how far the latest step back went
    :ivar has_missed: whether a page that should have held the anchor did not
    """

    limit: int
    seen: SeenOrders
    sizes: PageSizeEstimator
    anchor: Anchor = field(default_factory=Anchor)
    guard: StallGuard = field(default_factory=StallGuard)
    overlap: int = 0
    top: OrderKey | None = None
    pages: int = 0
    changes: int = 0
    found: int = 0
    step: int = 0
    has_missed: bool = False

    @classmethod
    def start(cls, limit: int, overlap: int = 0, store: RankStore | None = None) -> PassState:
        """Return the state of a pass before its first page."""
        return cls(limit, SeenOrders(store), PageSizeEstimator(limit), overlap=overlap)

    @property
    def has_changed(self) -> bool:
        return self.changes > 0


@dataclass(slots=True)
class EndState:
    """What shows that the end is reached.

    :ivar page: the page that may be the last
    :ivar endings: pages since the latest new order that ended on the anchor
    :ivar was_empty_behind: whether a page behind it was empty meanwhile
    :ivar short_page: the latest response, if it was short and ended on the anchor
    :ivar follower: of the page behind the anchor: its last order, with rank and row
    :ivar looked_at: the row behind the anchor that was requested
    :ivar confirmed: how often in a row the anchor was found to be the last
    """

    page: LocatedPage | None = None
    endings: int = 0
    was_empty_behind: bool = False
    short_page: LocatedPage | None = None
    follower: tuple[OrderKey, int, int] | None = None
    looked_at: int = 0
    confirmed: int = 0


@dataclass(slots=True)
class OffsetState:
    """What was seen of what ``offset`` does.

    :ivar is_proven: whether a page at an offset above 0 held orders read before, and not the first
    :ivar is_rounded: whether it seems to be rounded down to whole pages
    :ivar is_rounding_new: whether no whole page has shown that yet
    :ivar is_unproven: whether the top came again with the anchor in its place
    :ivar tops: how often a later page was the first again
    :ivar clamps: whether a page beyond the end repeats rows; none while that is not known
    :ivar is_clamp_checked: whether CHECK_OFFSET is to show that
    :ivar first_page: the page of offset 1, while offset 0 is looked at
    :ivar is_first_page_checked: whether offset 0 was looked at
    :ivar singles: how often the only row was seen at another offset, and not far beyond
    :ivar is_single_refuted: whether a listing of one row turned out to have others
    """

    is_rounded: bool
    is_proven: bool = False
    is_rounding_new: bool = False
    is_unproven: bool = False
    tops: int = 0
    clamps: bool | None = None
    is_clamp_checked: bool = False
    first_page: LocatedPage | None = None
    is_first_page_checked: bool = False
    singles: int = 0
    is_single_refuted: bool = False


@dataclass(slots=True)
class GrowthState:
    """What was seen of an end that grows.

    :ivar short_pages: short pages in a row that each brought orders
    :ivar search: the latest search for the end
    :ivar searches: the number of searches
    :ivar searched_at: how often the listing was seen to change before
    :ivar tail: the last order that need be read, and its row
    :ivar is_tail_read: whether it was read
    :ivar end_row: a row that was seen empty or refused; -1: none
    :ivar refusal: what it was refused with; none if it was seen empty
    :ivar beyond: pages read behind it
    """

    short_pages: int = 0
    search: EndSearch | None = None
    searches: int = 0
    searched_at: int = 0
    tail: tuple[OrderKey, int] | None = None
    is_tail_read: bool = False
    end_row: int = -1
    refusal: KaptureAnswerError | None = None
    beyond: int = 0


@dataclass(slots=True)
class RefusalState:
    """What was refused.

    :ivar latest: the phase, the offset and limit, and the refusal that is asked for a second time
    :ivar page: the page without rows that the refusal stands for, while the top is looked at
    :ivar count: refusals in a row of a row that holds an order
    :ivar small_limit: the limit to request instead; 0: any
    """

    latest: tuple[Phase, tuple[int, int], KaptureAnswerError] | None = None
    page: LocatedPage | None = None
    count: int = 0
    small_limit: int = 0


@dataclass(slots=True)
class PassHistory:
    """What the passes before the current one, and the look at the top, have shown.

    :ivar earlier: the orders of each pass
    :ivar missing: orders that these passes may have missed
    :ivar vain: passes that found nothing
    :ivar recheck_run: the first run of ranks of the look at the top
    :ivar recheck_until: the number of the response that it has to end with
    """

    earlier: list[SeenOrders] = field(default_factory=list)
    missing: int = 0
    vain: int = 0
    recheck_run: int = 0
    recheck_until: int = 0
