"""All that is known while a listing is read, and the requests that follow from it.

What a response means is decided in the modules of the phases: ``reading``, ``end_detector``, ``offset_checks``,
``growth``, ``passes`` and ``refusals``. They change nothing but this state.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_provider_kapture.client.api.keys import OrderKey
from airflow_provider_kapture.client.pagination.drift import DriftTracker
from airflow_provider_kapture.client.pagination.knowledge import AccountKnowledge
from airflow_provider_kapture.client.pagination.phases import Phase
from airflow_provider_kapture.client.pagination.requests import PageRequest, Paging, RequestQueue
from airflow_provider_kapture.client.pagination.state_parts import (
    EndState,
    GrowthState,
    OffsetState,
    PassHistory,
    PassState,
    RefusalState,
)
from airflow_provider_kapture.client.pagination.whole_pages import best_limit, offset_for

TOP_LIMIT = 10  # of the first look at the top, and behind a short page


@dataclass(slots=True)
class ListingState:
    """One listing, as far as it is read.

    :ivar phase: what the next response is for
    :ivar taken: responses so far
    :ivar rows: orders so far
    :ivar restarts: how often it was read on from its top
    :ivar warnings: what a person should look at
    :ivar is_repeated: whether it has one row, which came at every offset
    :ivar longest_page: of all passes
    :ivar is_at_end: whether the response just handled is the last of the pass
    :ivar verified: the rows of a response that is requested a second time
    :ivar is_doubtful: whether the second one had mostly others
    """

    paging: Paging
    knowledge: AccountKnowledge
    current: PassState
    offsets: OffsetState
    phase: Phase = Phase.READ
    queue: RequestQueue = field(default_factory=RequestQueue)
    drift: DriftTracker = field(default_factory=DriftTracker)
    end: EndState = field(default_factory=EndState)
    growth: GrowthState = field(default_factory=GrowthState)
    refusals: RefusalState = field(default_factory=RefusalState)
    passes: PassHistory = field(default_factory=PassHistory)
    taken: int = 0
    rows: int = 0
    restarts: int = 0
    warnings: list[str] = field(default_factory=list)
    is_repeated: bool = False
    longest_page: int = 0
    is_at_end: bool = False
    verified: frozenset[OrderKey] = frozenset()
    is_doubtful: bool = False

    @property
    def is_by_whole_pages(self) -> bool:
        return self.paging is not Paging.ROWS or self.offsets.is_rounded

    @property
    def longest(self) -> int:
        """The rows of the longest page of the pass, or of the limit before there is one."""
        return min(self.current.limit, self.current.sizes.longest or self.current.limit)

    def push(self, row: int, limit: int, *, is_exact: bool = False) -> None:
        """Request the page that starts on a row after those already requested.

        :param is_exact: whether that limit is sent in any case
        """
        if self.is_by_whole_pages:
            if not is_exact and row:
                limit = best_limit(row, min(self.longest, limit))
            row = row // limit * limit
        elif self.refusals.small_limit and not is_exact:
            limit = min(limit, self.refusals.small_limit)
        self.queue.append(offset_for(row, limit, self.paging), limit, row)

    def push_next(self) -> bool:
        """Request the page behind the last one requested; return whether there is one to request."""
        last, longest = self.queue.last, self.current.sizes.longest
        row = last.first_row + min(last.limit, longest) - 1
        if not self.is_by_whole_pages:
            row -= self.current.overlap
        elif best_limit(row, self.longest) == 1:
            return False
        if row <= last.first_row:
            return False
        self.push(row, self.current.limit)
        return True

    def go(self, phase: Phase, row: int, limit: int | None = None, *, is_exact: bool = False) -> None:
        """Enter a phase and request its page, unless one that was requested ahead will do."""
        self.phase = phase
        row = max(row, 0)
        if phase is Phase.READ and limit is None and len(self.queue):
            head = self.queue.head
            if head.first_row <= row < head.first_row + min(head.limit, self.longest):
                return
        self.queue.clear()
        self.push(row, limit or self.current.limit, is_exact=is_exact)

    def read_on(self, overlap: int = 0) -> None:
        """Request the page that starts on the anchor, where it will stand by then, or some rows before it."""
        sizes = self.current.sizes
        row = max(self.current.anchor.predicted(self.taken + 1) - overlap, 0)
        is_end = sizes.is_whole_known and sizes.last_was_short and self.growth.short_pages <= 1 and not overlap
        if self.is_by_whole_pages and best_limit(row, self.longest) == 1:
            self.go(Phase.READ, row, 1, is_exact=True)
        else:
            self.go(Phase.READ, row, TOP_LIMIT if is_end and not self.is_by_whole_pages else None)

    def repeat(self, phase: Phase, offset: int, limit: int, row: int) -> None:
        """Enter a phase and request a page by its offset, whatever that counts."""
        self.phase = phase
        self.queue.clear()
        self.queue.append(offset, limit, row)

    def finish(self) -> None:
        """Note that the listing is read down to its end with this page."""
        self.is_at_end = True

    def count_no_progress(self) -> None:
        """Count a response that did not continue the listing."""
        self.current.guard.count_no_progress(has_changed=self.current.has_changed)

    def advance(self, request: PageRequest, last: OrderKey, rank: int, length: int, behind: int) -> None:
        """Note a page that brought orders: its last one is the anchor from now on.

        :param rank: the rank of its last order
        :param behind: how many of its rows stand behind all that were known
        """
        state, limit = self.current, request.limit
        place = request.first_row + length - 1
        if length != behind or not state.pages:
            state.sizes.learn(length, limit, behind=behind)
        state.anchor.set(last, rank, place, self.taken)
        state.pages += 1
        state.step = 0
        state.has_missed = False
        end = self.end
        end.endings, end.short_page, end.was_empty_behind, end.confirmed = 0, None, False, 0
        self.refusals.count = 0
        self.refusals.small_limit *= 2
        state.guard.advance(place)
        if state.sizes.is_short(length, limit) and state.sizes.is_whole_known:
            self.growth.short_pages += 1
        elif length < limit or limit == state.limit:
            self.growth.short_pages = 0
