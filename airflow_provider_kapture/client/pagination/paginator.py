"""The anchored paginator: reads one listing page by page, so that no order is lost or repeated when it changes.

Kapture pages by ``offset``, gives no total, caps its pages, and shows orders that enter, leave and move between two
requests. So each page is requested to start on the last order read, the *anchor*, wherever that stands by then:

* A page that starts on orders read shortly before continues the listing, whenever it arrives: what stands before them
  was read, what stands behind them is next.
* A page that does not is no continuation: orders above it left, or moved. Step back until a page is one, at worst to
  the top.
* A page that is an order read alone has nothing behind it: the listing is complete. Where pages were cut short, one
  more request must find nothing behind it, and the anchor unmoved.

The one assumption is that orders keep their order among themselves. It is checked as far as it shows: see
:mod:`~airflow_provider_kapture.client.pagination.seen` (order), ``VERIFY_STABLE``, ``RECHECK_TOP`` and ``SECOND_PASS``.

=============== ============================================================== =================================
phase           response                                                       next
=============== ============================================================== =================================
READ            continues the listing                                          READ
READ            no row at all in the listing                                   DONE
READ            the anchor alone                                               RECHECK_TOP, SECOND_PASS, DONE
READ            the anchor alone, but page lengths vary, or offsets are pages  CONFIRM_END
READ            only known rows                                                READ
READ            only known rows, again and again                               CONFIRM_END, RECHECK_TOP
READ            the first page again, although a later one was requested       READ, CHECK_OFFSET
READ            the whole listing, although a page was requested               DONE
READ            does not continue the listing                                  BACKTRACK
READ            refused, although an order was read there                      READ, BACKTRACK
READ            continues it, at an uncertain position                         VERIFY_STABLE
READ            a single row at the top                                        CHECK_SINGLE
READ            the first page of page numbers from 1                          CHECK_OFFSET
READ            continues it by a few rows, again and again                    FIND_END
BACKTRACK       continues the listing                                          as READ
BACKTRACK       still does not                                                 BACKTRACK
BACKTRACK       nothing known even at the top                                  READ
CONFIRM_END     empty, or refused                                              CONFIRM_STILL, RECHECK_TOP, DONE
CONFIRM_END     rows behind the anchor                                         CONFIRM_STILL, BACKTRACK, READ
CONFIRM_END     the anchor                                                     CHECK_OFFSET, as READ
CONFIRM_END     refused for the first time in the pull                         CONFIRM_REFUSAL
CONFIRM_STILL   the page before, nothing having been behind it                 CONFIRM_END, RECHECK_TOP, DONE
CONFIRM_STILL   the page before, rows having been behind it                    READ
CONFIRM_STILL   another page                                                   as READ
CONFIRM_REFUSAL the top again                                                  as CONFIRM_END
CHECK_SINGLE    empty, refused, or that row wherever it is requested           DONE
CHECK_SINGLE    that row at the next offset                                    CHECK_SINGLE
CHECK_SINGLE    refused for the first time in the pull                         CONFIRM_REFUSAL
CHECK_SINGLE    another row                                                    READ
CHECK_OFFSET    the last rows, wherever a page is requested                    RECHECK_TOP, SECOND_PASS, DONE
CHECK_OFFSET    other rows, or none                                            READ, CHECK_SINGLE
CHECK_OFFSET    refused for the first time in the pull                         CONFIRM_REFUSAL
FIND_END        a page ahead                                                   FIND_END, READ
FIND_END        refused for the first time in the pull                         CONFIRM_REFUSAL
VERIFY_STABLE   half of its rows in common with the page before                as READ
VERIFY_STABLE   fewer                                                          VERIFY_STABLE
RECHECK_TOP     ends on an order read before, or brings nothing new            SECOND_PASS, DONE
RECHECK_TOP     else                                                           RECHECK_TOP
SECOND_PASS     the first page of another pass                                 as READ
=============== ============================================================== =================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from airflow_provider_kapture.client.api.keys import OrderKey
from airflow_provider_kapture.client.errors import KaptureAnswerError
from airflow_provider_kapture.client.pagination import messages
from airflow_provider_kapture.client.pagination.depth import check_depth
from airflow_provider_kapture.client.pagination.end_search import EndSearch
from airflow_provider_kapture.client.pagination.knowledge import AccountKnowledge
from airflow_provider_kapture.client.pagination.messages import listing_error
from airflow_provider_kapture.client.pagination.page import LocatedPage, distinct
from airflow_provider_kapture.client.pagination.page_size import PageSizeEstimator
from airflow_provider_kapture.client.pagination.requests import PageRequest, Paging, RequestQueue
from airflow_provider_kapture.client.pagination.seen import (
    MAX_TIE,
    SeenOrders,
    approximate,
    is_approximate,
    position_of,
    run_of,
)
from airflow_provider_kapture.client.pagination.shifts import Anchor, ShiftAccount, count_from
from airflow_provider_kapture.client.pagination.spill import RankStore
from airflow_provider_kapture.client.pagination.whole_pages import best_limit, offset_for

MAX_STALLED = 32  # responses in a row that do not continue the listing
OFFSET_CHECK_AFTER = 3  # of them, after which `offset` itself is checked
MAX_STANDING = 64  # responses in a row that continue it, but get no further down
MAX_RESTARTS = 3
MAX_PASSES = 5
MAX_REFUSALS = 4  # of a row that holds an order
MAX_TOPS = 4  # pages that start where `offset` would be if it counted otherwise
MIN_SECOND_PAGE = 6
MAX_SINGLE_OFFSET = 16  # up to where the only row of a listing may repeat
TOP_LIMIT = 10  # of the first look at the top, and behind a short page
FAR_ROW = 10_000  # a row that no short listing has
# Responses after which the end of a listing of pages no longer than this is looked for: it may grow as fast as it is
# read.
SEARCH_AFTER = ((16, 32), (128, 64), (10_000, 2_048))
# Short pages in a row that each bring orders, after which the end is looked for; the latter where page lengths vary.
GROWING, GROWING_IRREGULAR = 4, 12
MAX_GROWING, MAX_BEYOND = 64, 32  # short pages that each bring orders; pages behind where the end was
MIN_ENDINGS = 8  # pages that end on the anchor while it moves, after which nothing stands behind it


class Phase(Enum):
    """What the next response is for."""

    READ = "read"
    BACKTRACK = "backtrack"
    CONFIRM_END = "confirm_end"
    CONFIRM_STILL = "confirm_still"
    CONFIRM_REFUSAL = "confirm_refusal"
    CHECK_SINGLE = "check_single"
    CHECK_OFFSET = "check_offset"
    FIND_END = "find_end"
    VERIFY_STABLE = "verify_stable"
    RECHECK_TOP = "recheck_top"
    SECOND_PASS = "second_pass"  # noqa: S105
    DONE = "done"


@dataclass(slots=True)
class _Pass:
    """What is known of one reading of the listing from top to end.

    :ivar seen: the orders read
    :ivar overlap: rows before the anchor that are requested again, so that a page holds all orders of equal sort keys
    :ivar top: the first order of the listing
    :ivar pages: pages that brought orders
    :ivar changes: how often the listing was seen to change; no page is read ahead any more
    :ivar searched_at: as it was when the end was searched for
    :ivar found: orders that no pass before it had read
    :ivar stalled: responses in a row that did not continue the listing
    :ivar standing: responses in a row that continued it, but got no further down
    :ivar reached: the row of the latest anchor
    :ivar step: how far the latest step back went
    :ivar has_missed: whether a page that should have held the anchor did not
    :ivar tops: how often a later page was the first again
    :ivar growing: short pages in a row that each brought orders
    :ivar searches: searches for the end
    :ivar brought: orders behind the anchor, in all
    :ivar horizon: how many orders to bring, and which row to reach, until the end as it was is read
    :ivar tail: the last order that need be read, and its row
    :ivar has_tail: whether it was read
    :ivar beyond: pages read behind that row
    """

    seen: SeenOrders
    anchor: Anchor
    sizes: PageSizeEstimator
    limit: int
    overlap: int = 0
    top: OrderKey | None = None
    pages: int = 0
    changes: int = 0
    searched_at: int = 0
    found: int = 0
    stalled: int = 0
    standing: int = 0
    reached: int = -1
    step: int = 0
    has_missed: bool = False
    tops: int = 0
    unproven: bool = False
    growing: int = 0
    searches: int = 0
    brought: int = 0
    horizon: tuple[int, int] | None = None
    tail: tuple[OrderKey, int] | None = None
    has_tail: bool = False
    beyond: int = 0

    @property
    def has_changed(self) -> bool:
        return self.changes > 0


class AnchoredPaginator:
    """One listing, read page by page. Drive it with :meth:`next_requests` and :meth:`handle_page` until :attr:`done`.

    :param limit: the rows that a page is requested with
    :param paging: what ``offset`` counts
    :param knowledge: what the listings of the pull have learnt together
    :ivar phase: what the next response is for
    :ivar taken: responses so far
    :ivar restarts: how often the listing was read on from its top
    :ivar warnings: what a person should look at
    :ivar is_repeated: whether it has one row, which came at every offset
    """

    def __init__(
        self,
        limit: int,
        *,
        paging: Paging = Paging.ROWS,
        knowledge: AccountKnowledge | None = None,
        store: RankStore | None = None,
    ) -> None:
        self.phase = Phase.READ
        self.taken = 0
        self.restarts = 0
        self.rows = 0
        self.warnings: list[str] = []
        self.is_repeated = False
        self._paging = paging
        self._knowledge = knowledge or AccountKnowledge()
        self._queue = RequestQueue()
        self._shifts = ShiftAccount()
        self._earlier: list[SeenOrders] = []  # of the passes before this one
        self._longest_page = 0  # of all passes
        self._has_moved = False  # whether orders were seen where they had not been
        self._pass = _Pass(SeenOrders(store), Anchor(), PageSizeEstimator(limit), limit)
        self._is_at_end = False
        self._widest_tie = 0  # how far apart orders stood that were seen to change places
        self._is_offset_proven = False  # whether a page at an offset above 0 held orders read before, and not the first
        self._missing = 0  # orders that passes before this one may have missed
        self._vain = 0  # passes that found nothing
        self._end: LocatedPage | None = None  # the page that may be the last
        self._empty_at = -1  # the row of the anchor, where it was found empty
        self._endings = 0  # pages since the latest new order that ended on the anchor
        self._was_empty_behind = False  # whether a page behind it was empty meanwhile
        self._short_end: LocatedPage | None = None  # the latest response, if it was short and ended on the anchor
        self._follower: tuple[OrderKey, int, int] | None = None  # of the page behind it: last order, rank, row
        self._looked_at = 0  # the row behind it that was requested
        self._confirmed = 0  # how often in a row it was found to be the last
        self._clamps: bool | None = None  # whether the last rows are repeated beyond the end
        self._checks_clamp = False
        self._is_rounded = self._knowledge.is_rounded
        self._is_rounding_new = False  # whether offsets seem to be rounded, and no whole page has shown it yet
        self._first_page: LocatedPage | None = None  # the page of offset 1, while offset 0 is looked at
        self._search: EndSearch | None = None
        self._verified: frozenset[OrderKey] = frozenset()
        self._is_doubtful = False
        self._is_single_refuted = False
        self._singles = 0  # how often the only row was seen at another offset, and not far beyond
        self._recheck_run = 0
        self._recheck_until = 0
        self._refused: tuple[Phase, tuple[int, int], KaptureAnswerError] | None = None  # phase, offset and limit
        self._refused_page: LocatedPage | None = None  # what it stands for
        self._refusals = 0
        self._small = 0
        self._handlers: Mapping[Phase, Callable[[LocatedPage], set[OrderKey]]] = {
            Phase.READ: self._read,
            Phase.BACKTRACK: self._read,
            Phase.CONFIRM_END: self._confirm_end,
            Phase.CONFIRM_STILL: self._confirm_still,
            Phase.CONFIRM_REFUSAL: self._confirm_refusal,
            Phase.CHECK_SINGLE: self._check_single,
            Phase.CHECK_OFFSET: self._check_offset,
            Phase.FIND_END: self._find_end,
            Phase.VERIFY_STABLE: self._verify_stable,
            Phase.RECHECK_TOP: self._recheck_top,
            Phase.SECOND_PASS: self._read,
        }
        self._go(Phase.READ, 0)

    # -- requests --

    @property
    def done(self) -> bool:
        """Whether the listing is read."""
        return self.phase is Phase.DONE

    @property
    def overshoot(self) -> int:
        """Requests that were sent and turned out not to be needed."""
        return self._queue.overshoot

    @property
    def is_offset_proven(self) -> bool:
        """Whether a page at an offset above 0 was seen to start there."""
        return self._is_offset_proven

    @property
    def pages(self) -> int:
        """The number of pages that held new orders."""
        return self._pass.pages

    @property
    def current_request(self) -> PageRequest:
        """The request whose page is to be handled next."""
        return self._queue.head

    @property
    def _is_by_whole_pages(self) -> bool:
        return self._paging is not Paging.ROWS or self._is_rounded

    def next_requests(self, count: int) -> Sequence[PageRequest]:
        """Return the requests that may be in flight now, at most ``count``, the current one first."""
        sizes = self._pass.sizes
        is_steady = sizes.is_whole_known and not sizes.is_irregular and not sizes.last_was_short
        is_proven = self._is_offset_proven or self._knowledge.is_offset_proven
        if self.phase is Phase.READ and is_steady and is_proven and not self._pass.has_changed:
            while len(self._queue) < count and self._push_next():
                pass
        return self._queue.send(count)

    def _push_next(self) -> bool:
        last = self._queue.last
        row = last.first_row + min(last.limit, self._pass.sizes.longest) - 1 - self._pass.overlap
        if row <= last.first_row:
            return False
        if self._is_by_whole_pages and best_limit(row, self._longest) == 1:
            return False
        self._push(row, self._pass.limit)
        return True

    @property
    def _longest(self) -> int:
        return min(self._pass.limit, self._pass.sizes.longest or self._pass.limit)

    def _push(self, row: int, limit: int, *, is_exact: bool = False) -> None:
        if self._is_by_whole_pages:
            if not is_exact and row:
                limit = best_limit(row, min(self._longest, limit))
            row = row // limit * limit
        elif self._small and not is_exact:
            limit = min(limit, self._small)
        self._queue.append(offset_for(row, limit, self._paging), limit, row)

    def _go(self, phase: Phase, row: int, limit: int | None = None, *, is_exact: bool = False) -> None:
        """Request a page next, unless one that was read ahead will do."""
        self.phase = phase
        row = max(row, 0)
        if phase is Phase.READ and limit is None and len(self._queue):
            head = self._queue.head
            if head.first_row <= row < head.first_row + min(head.limit, self._longest):
                return
        self._queue.clear()
        self._push(row, limit or self._pass.limit, is_exact=is_exact)

    def _read_on(self, overlap: int = 0) -> None:
        """Request the page that starts on the anchor, where it will stand by then, or some rows before it."""
        state = self._pass
        row = max(state.anchor.predicted(self.taken + 1) - overlap, 0)
        is_end = state.sizes.is_whole_known and state.sizes.last_was_short and state.growing <= 1 and not overlap
        if self._is_by_whole_pages and best_limit(row, self._longest) == 1:
            self._go(Phase.READ, row, 1, is_exact=True)
        else:
            self._go(Phase.READ, row, TOP_LIMIT if is_end and not self._is_by_whole_pages else None)

    def close(self) -> None:
        """Release the disk space."""
        for each in (*self._earlier, self._pass.seen):
            each.close()

    # -- responses --

    def handle_page(
        self, keys: Sequence[OrderKey], contents: Sequence[bytes] = (), *, has_later_orders: bool = False
    ) -> Sequence[int]:
        """Take the page of the current request; the indices of its orders that were not read before.

        :param contents: the rows as they came
        :param has_later_orders: whether a page from further down that has arrived holds orders
        :raises KaptureListingError: the pages do not add up to one listing, or it changes too fast
        """
        request = self._queue.take()
        self.taken += 1
        state = self._pass
        self._knowledge.see(request.first_row, request.limit, len(keys))
        self._longest_page = max(self._longest_page, min(len(keys), request.limit))
        if self._continues(request, keys):
            behind = len(keys) - 1
            rank = state.anchor.rank + 2 * behind
            self.rows += behind
            self._is_offset_proven = True
            self._advance(request, keys[-1], rank, len(keys), behind)
            self._find_next(keys)
            self._conclude()
            return range(1, len(keys))
        rows = distinct(keys, contents)
        if self.phase in _LOOKS:
            known = state.seen.find(rows)
        else:
            known = state.seen.ranks(rows, state.sizes.longest, may_move=self.phase is Phase.RECHECK_TOP)
        page = LocatedPage(request, keys, rows, known)
        if len(keys) == 1 and has_later_orders:
            state.sizes.may_be_cut = True
        return self._handle(page)

    def _continues(self, request: PageRequest, keys: Sequence[OrderKey]) -> bool:
        """Whether the page is what is expected: it starts on the anchor, and the others are new; then it is added."""
        anchor = self._pass.anchor
        return (
            self.phase is Phase.READ
            and len(keys) > 1
            and keys[0] == anchor.key
            and request.first_row == anchor.place
            and not self._earlier
            and self._pass.seen.append(anchor.rank, keys)
        )

    def _handle(self, page: LocatedPage) -> list[int]:
        state, earlier = self._pass, tuple(self._earlier)
        fresh = self._handlers[self.phase](page)
        for each in earlier:
            fresh = fresh - each.find(list(fresh)).keys()
        self.rows += len(fresh)
        state.found += len(fresh)
        self._conclude()
        return sorted(page.index_of[row] for row in fresh)

    def _read(self, page: LocatedPage) -> set[OrderKey]:
        state = self._pass
        if not page.rows and not page.first_row:
            self._finish()
            return set()
        if page.first_row and not self._is_offset_proven and state.top in page.index_of:
            starts = page.rows[0] == state.top or len(page.keys) > page.request.limit
            if starts or state.stalled >= OFFSET_CHECK_AFTER:
                return self._top_again(page)
        if self._is_rounding_new and page.first_row:
            # A whole page starts on its row; if not, a page of orders was inserted at the top.
            rank = page.known.get(page.rows[0]) if page.rows else None
            self._is_rounding_new = False
            self._is_rounded = rank is not None and position_of(rank) == page.first_row
        if page.first_row and page.known and state.top not in page.index_of:
            self._prove_offset(page)
        if not self._joins(page):
            self._miss(page)
            return set()
        if not page.first_row:
            self._check_top(page)
        return self._join(page)

    def _joins(self, page: LocatedPage) -> bool:
        """Whether the page continues what was read: it starts on an order read shortly before."""
        if not page.first_row:
            return True
        anchor, seen = self._pass.anchor, self._pass.seen
        rank = page.known.get(page.rows[0]) if page.rows else None
        if rank is None:
            return False
        if anchor.key in page.known:
            return True
        is_near = seen.part_of(rank) == seen.part_of(anchor.rank)
        is_near = is_near and 0 <= position_of(anchor.rank) - position_of(rank) <= self._pass.sizes.longest
        # Further up, one order alone may be one that moved.
        second = page.known.get(page.rows[1]) if len(page.rows) > 1 else rank
        return is_near or (second is not None and abs(position_of(second) - position_of(rank)) <= MAX_TIE)

    def _check_top(self, page: LocatedPage) -> None:
        """Take note of what stands at the top; see that offsets count what they should."""
        state = self._pass
        if state.top is None or not page.known:
            state.top = page.rows[0]
        if self.phase is Phase.BACKTRACK and not self._is_offset_proven:
            state.unproven = (
                page.place_of(state.anchor.key) == state.anchor.place if state.anchor.key is not None else False
            )

    def _prove_offset(self, page: LocatedPage) -> None:
        state = self._pass
        if self._is_offset_proven:
            return
        if self._paging is not Paging.ROWS:
            # Where rows are counted although pages should be, the page starts on the row of that number, or above it.
            position, sent = position_of(page.known.get(page.rows[0], 0)), page.request.offset
            if position - sent <= page.first_row - position:
                state.tops += position != page.first_row
                if state.tops > 1 + self._has_moved * MAX_TOPS:
                    raise self._offset_error(page.first_row)
                return
        self._is_offset_proven = True

    def _offset_error(self, row: int) -> Exception:
        if self._has_moved and self._paging is Paging.ROWS:
            return listing_error(messages.KEPT_CHANGING)
        return listing_error(
            messages.OFFSET_COUNTS_OTHERWISE.format(repr(self._paging.value), "row", row), is_permanent=True
        )

    def _top_again(self, page: LocatedPage) -> set[OrderKey]:
        """A page from further down holds the first row: offsets are rounded, or ignored, or a page was inserted."""
        state = self._pass
        if len(page.keys) > page.request.limit:
            return self._take_whole(page)
        state.tops += 1
        self._count_stalled()
        fresh = state.seen.add(page.rows, page.known)
        if self._paging is Paging.ROWS and not self._is_rounded:
            self._is_rounded = True
            self._is_rounding_new = True
            self._read_on()
        elif state.tops > MAX_TOPS:
            raise self._offset_error(page.first_row)
        else:
            self._checks_clamp = False
            limit = max(self._longest - 1, 1)
            self._go(Phase.CHECK_OFFSET, FAR_ROW // limit * limit, limit, is_exact=True)
        return set(fresh)

    def _take_whole(self, page: LocatedPage) -> set[OrderKey]:
        """A response with more rows than requested, the first row among them: every response is the whole listing."""
        self._knowledge.is_unpaged = True
        fresh = self._pass.seen.add(page.rows, page.known)
        self._complete(self.rows + len(fresh))
        return set(fresh)

    def _join(self, page: LocatedPage, *, is_verified: bool = False) -> set[OrderKey]:
        """Take a page that continues the listing, or shows a part of it that was read."""
        state = self._pass
        if not page.known and state.pages:
            self._restart()
        self._has_moved = self._has_moved or page.inserted > 0
        self._watch(page)
        runs = state.seen.runs
        fresh = state.seen.add(page.rows, page.known)
        is_uncertain = bool(page.known) and state.seen.runs > runs
        if self.restarts and state.seen.part_of(state.anchor.rank):
            self._shifts.found(len(fresh))
        if page.behind:
            last = page.rows[-1]
            place = page.place_of(last)
            assert place is not None
            self._advance(page.request, last, fresh[last], len(page.keys), page.behind)
        if self._paging is Paging.PAGES_FROM_1 and not self._knowledge.is_first_page_proven:
            self._first_page = page
            self._go(Phase.CHECK_OFFSET, 0)
            self._queue.clear()
            self._queue.append(0, page.request.limit, 0)
        elif len(page.rows) == 1 and not page.first_row:
            self._single(page)
        elif is_uncertain and not is_verified:
            state.changes += 1
            self._verified = frozenset(page.rows)
            self._queue.clear()
            self._queue.append(page.request.offset, page.request.limit, page.first_row)
            self.phase = Phase.VERIFY_STABLE
        elif page.behind or (is_verified and page.rows[-1] == state.anchor.key and len(page.rows) > 1):
            self._find_next(page.rows)
        elif len(page.keys) == 1 and (page.request.limit > 1 or page.rows[0] == state.anchor.key):
            self._alone(page)
        else:
            self._stall(page)
        return set(fresh)

    def _watch(self, page: LocatedPage) -> None:
        """Compare where the page shows the anchor with where it stood."""
        state = self._pass
        anchor = state.anchor
        if state.seen.swapped:
            self._widest_tie = max(self._widest_tie, state.seen.widest)
            self._shifts.moved_down(state.seen.swapped, 0)
            state.seen.swapped = 0
        if anchor.key is None or not page.known:
            return
        place = page.place_of(anchor.key)
        expected = anchor.place
        if place is None:
            place = self._estimated(page)
            if place is None or page.first_row <= place <= page.last_place:
                # It left, or moved.
                state.changes += 1
                self._account(page, None if place is None else place - expected)
                return
        if place != expected:
            state.changes += 1
        self._account(page, place - expected)
        anchor.observe(place, self.taken)

    def _account(self, page: LocatedPage, moved: int | None) -> None:
        below = count_from([page.first_row + page.index_of[row] for row in page.known], self._pass.anchor.place)
        extra = below - (self._pass.anchor.key in page.known)
        is_frontier = self._pass.seen.frontier_of(self._pass.anchor.rank)[0] == self._pass.anchor.key
        # Where orders change places, new ones below the anchor do not explain what came down from above it.
        found = page.inserted_above(self._pass.anchor.key) if self._widest_tie else page.inserted
        self._shifts.moved_down(max(moved or 0, extra if is_frontier else 0), found)

    def _estimated(self, page: LocatedPage) -> int | None:
        """Return where the anchor stands, by the last order of the page that has a rank in the same part."""
        state = self._pass
        part = state.seen.part_of(state.anchor.rank)
        for row in reversed(page.rows):
            rank = page.known.get(row)
            if rank is not None and not is_approximate(rank) and state.seen.part_of(rank) == part:
                return page.first_row + page.index_of[row] + position_of(state.anchor.rank) - position_of(rank)
        return None

    def _advance(self, request: PageRequest, last: OrderKey, rank: int, length: int, behind: int) -> None:
        """The page brought what comes next."""
        state = self._pass
        place = request.first_row + length - 1
        if length != behind or not state.pages:
            state.sizes.learn(length, request.limit, behind=behind)
        state.anchor.set(last, rank, place, self.taken)
        state.pages += 1
        state.brought += behind
        state.stalled = state.step = self._endings = 0
        self._short_end, self._was_empty_behind = None, False
        state.has_missed = False
        self._confirmed = self._refusals = 0
        self._small = 2 * self._small if self._small else 0
        state.standing = state.standing + 1 if place <= state.reached else 0
        state.reached = place
        if state.standing > MAX_STANDING:
            raise listing_error(messages.KEPT_CHANGING)
        if state.sizes.is_short(length, request.limit) and state.sizes.is_whole_known:
            state.growing += 1
        elif length < request.limit or request.limit == state.limit:
            state.growing = 0

    def _find_next(self, rows: Sequence[OrderKey]) -> None:
        """Decide what to request after a page that brought orders."""
        state = self._pass
        place = state.anchor.place
        if self._is_tail_read(rows) or (
            state.horizon is not None and state.brought >= state.horizon[0] and place >= state.horizon[1]
        ):
            self._finish()
        elif self._keeps_growing():
            raise listing_error(messages.KEPT_GROWING)
        elif self._is_search_due():
            page = 1 if state.sizes.is_irregular else self._longest
            self._search = EndSearch(place, page)
            state.searched_at = state.changes
            self._look_ahead(self._search.offset)
        elif state.horizon is None and state.growing >= self._growing_limit << state.searches:
            state.searches += 1
            margin = 2 * (len(rows) - 1)
            state.horizon = (state.brought + 2 * margin, place + margin)
            self._look_ahead(place + margin + 1)
        else:
            self._read_on(state.overlap if not self._is_by_whole_pages else 0)

    def _keeps_growing(self) -> bool:
        state = self._pass
        state.beyond += state.tail is not None and state.anchor.place > state.tail[1]
        most = MAX_BEYOND if state.changes == state.searched_at else 8 * MAX_BEYOND
        return state.beyond > most or (state.growing > MAX_GROWING and not state.sizes.is_irregular)

    def _is_tail_read(self, rows: Sequence[OrderKey]) -> bool:
        state = self._pass
        if state.tail is None or state.changes != state.searched_at:
            return False
        if state.has_tail:
            return True
        # One page more: orders may stand behind it that moved up and down again while it was looked for.
        place = state.anchor.place + 1 - len(rows)
        state.has_tail = state.tail[0] in rows and place + list(rows).index(state.tail[0]) == state.tail[1]
        return False

    @property
    def _growing_limit(self) -> int:
        return GROWING_IRREGULAR if self._pass.sizes.is_irregular else GROWING

    def _is_search_due(self) -> bool:
        state = self._pass
        after = next((count for longest, count in SEARCH_AFTER if state.sizes.longest <= longest), 0)
        return self._search is None and 0 < after <= state.pages

    def _look_ahead(self, row: int) -> None:
        limit = (
            1 if self._is_by_whole_pages and self._search is not None and self._search.is_next_row else self._longest
        )
        self._go(Phase.FIND_END, row // limit * limit if self._is_by_whole_pages else row, limit, is_exact=True)

    def _find_end(self, page: LocatedPage) -> set[OrderKey]:
        state = self._pass
        search = self._search
        if search is None or search.is_over:
            if page.rows:
                state.horizon = None
                state.growing = 0
            self._read_on()
            return set()
        if not search.see(page.first_row, page.rows):
            self._look_ahead(search.offset)
            return set()
        if search.tail is not None:
            state.tail = (search.tail, search.last_row)
        self._read_on()
        return set()

    # -- what does not continue the listing --

    def _miss(self, page: LocatedPage) -> None:
        """Step back, twice as far each time."""
        state = self._pass
        if state.unproven and not self._is_offset_proven and page.first_row <= state.anchor.place:
            raise self._offset_error(state.anchor.place)
        self._count_stalled()
        if state.has_changed and not self._is_offset_proven:
            # What looked like rounding may have been a page of orders inserted at the top.
            self._is_rounded = False
        if not page.rows and 0 <= page.first_row - state.anchor.place <= 2 * abs(state.anchor.rate) + 2:
            self._was_empty_behind = True
        self._empty_at = page.first_row if not page.rows and page.first_row == state.anchor.place else self._empty_at
        state.has_missed = True
        state.changes += 1
        state.step = 2 * state.step or max(self._longest // 8, 2)
        self._confirmed = 0
        self._go(Phase.BACKTRACK, page.first_row - state.step)

    def _restart(self) -> None:
        """More than a page was inserted at the top: read on from there; what came out does not come out again."""
        state = self._pass
        self.restarts += 1
        if self.restarts > MAX_RESTARTS:
            raise listing_error(messages.KEPT_CHANGING)
        state.changes += 1
        state.horizon = None
        state.reached = -1
        state.sizes.forget_latest()
        self._queue.clear()

    def _count_stalled(self) -> None:
        self._pass.stalled += 1
        if self._pass.stalled > MAX_STALLED:
            raise listing_error(messages.KEPT_CHANGING if self._pass.has_changed else messages.CANNOT_JOIN)

    def _stall(self, page: LocatedPage) -> None:
        """All of the page was read before."""
        state = self._pass
        anchor, last = state.anchor, page.rows[-1]
        if last == anchor.key or page.last_place <= state.reached:
            self._count_stalled()
        if anchor.key in page.known:
            state.step, state.has_missed = 0, False
        if last != anchor.key:
            self._chase(page)
            if not self._is_at_end:
                self._read_on()
        elif self._is_end_by_count():
            self._finish()
        elif self._is_end_of_whole_page(page) or self._never_stands_alone(page):
            self._end = page
            self._look_behind(page.last_place + 1)
        elif self._is_end_again(page):
            if self._was_empty_behind:
                self._finish()
            else:
                self._end = page
                self._look_behind(anchor.predicted(self.taken + 1) + 2 * abs(anchor.rate) + 2)
        else:
            self._read_on()

    def _chase(self, page: LocatedPage) -> None:
        """Go on from an order that was read before, as the page ends on it and not on the anchor."""
        state = self._pass
        anchor, last = state.anchor, page.rows[-1]
        rank = page.known.get(last, anchor.rank)
        state.reached = max(state.reached, page.last_place)
        if state.seen.part_of(rank) != state.seen.part_of(anchor.rank):
            # Reading on from the top has reached what was read before: go on where that ended.
            state.sizes.forget_latest()
            key, end = state.seen.frontier_of(rank)
            anchor.set(key, end, page.last_place + position_of(end) - position_of(rank), self.taken)
        elif state.has_missed or anchor.key in page.known or anchor.place <= page.last_place:
            is_short = state.sizes.is_short(len(page.keys), page.request.limit)
            is_further = rank > anchor.rank
            anchor.retreat(last, rank, page.last_place, self.taken, is_end=is_short)
            state.reached = page.last_place
            # A page that gets further down over what was read before is not at the end.
            if is_short and not is_further and self._is_end_by_count():
                self._finish()
        else:
            # The anchor stands further down.
            state.sizes.was_not_last(len(page.keys), page.request.limit)

    def _never_stands_alone(self, page: LocatedPage) -> bool:
        """Whether the anchor was not seen alone again and again, as where rows repeat at the edges of pages."""
        state = self._pass
        is_short = state.sizes.is_short(len(page.keys), page.request.limit)
        return state.stalled % 4 == 0 and self._is_offset_proven and is_short

    def _is_end_again(self, page: LocatedPage) -> bool:
        """Whether two short pages in a row that start apart end on the anchor, where pages have a steady length."""
        state, before = self._pass, self._short_end
        if (
            not state.has_changed
            or state.sizes.is_irregular
            or not state.sizes.is_short(len(page.keys), page.request.limit)
        ):
            self._short_end = None
            return False
        if before is None or before.rows[-1] != page.rows[-1]:
            self._short_end = page
            return False
        self._short_end = page
        return state.sizes.is_whole_known and len(before.rows) != len(page.rows)

    def _is_end_by_count(self) -> bool:
        """Whether many pages ended on the anchor, however far it moved between them, where page lengths vary."""
        # No row where the anchor was seen before and after: it is the last, and rows that repeat are counted twice.
        is_empty = self._empty_at == self._pass.anchor.place
        self._was_empty_behind = self._was_empty_behind or is_empty
        self._endings += MIN_ENDINGS // 2 if is_empty else 1
        self._empty_at = -1
        is_seen = self._was_empty_behind and self._is_offset_proven
        return is_seen and self._pass.has_changed and self._endings >= MIN_ENDINGS

    def _is_end_of_whole_page(self, page: LocatedPage) -> bool:
        return self._is_by_whole_pages and self._is_offset_proven and len(page.keys) < page.request.limit

    # -- the end --

    def _alone(self, page: LocatedPage) -> None:
        """An order that was read, and nothing behind it."""
        state = self._pass
        if self._is_by_whole_pages or state.sizes.may_be_cut:
            self._count_stalled()
            if self._is_end_by_count():
                self._finish()
                return
            if page.rows[0] != state.anchor.key:
                state.anchor.set(
                    page.rows[0], page.known.get(page.rows[0], state.anchor.rank), page.first_row, self.taken
                )
            self._end = page
            self._look_behind(state.anchor.predicted(self.taken + 1) + 1)
        else:
            self._finish()

    def _look_behind(self, row: int) -> None:
        """See that no order stands there."""
        if self._is_by_whole_pages:
            self._go(Phase.CONFIRM_END, row, 1, is_exact=True)
        else:
            self._go(Phase.CONFIRM_END, row)

    def _confirm_end(self, page: LocatedPage) -> set[OrderKey]:  # noqa: PLR0911
        state, end = self._pass, self._end
        anchor = state.anchor
        if page.known and self._clamps is None and self._may_repeat(page):
            # It moved down; or the last or first rows are repeated, wherever beyond the end a page is requested.
            self._checks_clamp = True
            self._go(
                Phase.CHECK_OFFSET, page.first_row + FAR_ROW, 1 if self._is_by_whole_pages else None, is_exact=True
            )
            return set()
        if page.known:
            return self._read(page)
        if end is None:
            raise listing_error(messages.NO_LIMIT_FITS.format(self._longest, anchor.place + 1))
        if page.rows and self._is_by_whole_pages and end.request.limit > 1:
            self._count_stalled()
            self._read_on()
            return set()
        fresh: Mapping[OrderKey, int] = {}
        self._follower = None
        if page.rows:
            # A run of its own: until the page before is confirmed, they may not follow the anchor.
            fresh = state.seen.add([end.rows[-1], *page.rows], {end.rows[-1]: approximate(anchor.rank)})
            self._follower = (page.rows[-1], fresh[page.rows[-1]], page.last_place)
            if state.has_changed or page.first_row != end.last_place + 1:
                if self._is_by_whole_pages:
                    raise listing_error(messages.NO_LIMIT_FITS.format(self._longest, anchor.place + 1))
                self._miss(page)
                return set(fresh)
        elif self._is_by_whole_pages and not state.sizes.is_irregular:
            self._finish()
            return set()
        self._looked_at = page.first_row
        self._was_empty_behind = self._was_empty_behind or not page.rows
        if self._is_by_whole_pages:
            self._go(Phase.CONFIRM_STILL, end.first_row, end.request.limit, is_exact=True)
            return set(fresh)
        # Whether it moves with an empty response is not known: start where it stands at the highest.
        row = end.first_row + (anchor.rate if anchor.rate > 0 else 2 * anchor.rate)
        self._go(Phase.CONFIRM_STILL, row, end.request.limit if len(end.rows) > 1 else TOP_LIMIT)
        return set(fresh)

    def _may_repeat(self, page: LocatedPage) -> bool:
        """Return whether a page behind the last order read shows the last rows again, or the first."""
        return bool(page.rows) and (page.rows[-1] == self._pass.anchor.key or page.rows[0] == self._pass.top)

    def _confirm_still(self, page: LocatedPage) -> set[OrderKey]:
        state, end = self._pass, self._end
        assert end is not None
        if not page.rows or page.rows[-1] != end.rows[-1]:
            return self._read(page)
        if self._follower is not None and page.rows == end.rows:
            self._follow(*self._follower)
            return set()
        before, rate = end.last_place, state.anchor.rate
        # Nothing stood behind the anchor: it cannot have stood further up than the row before the one looked at.
        is_behind = min(before, page.last_place) + 1 >= self._looked_at
        is_behind = is_behind or (page.last_place == before + 2 * rate and before + rate + 1 == self._looked_at)
        if self._follower is not None or not (is_behind or state.has_changed):
            return self._read(page)
        self._confirmed += 2 if is_behind else 1
        state.anchor.observe(page.last_place, self.taken)
        state.changes += page.last_place != before
        if self._confirmed > (2 if state.has_changed else 1):
            self._finish()
        else:
            self._end = page
            self._look_behind(state.anchor.predicted(self.taken + 1) + 1)
        return set()

    def _follow(self, last: OrderKey, rank: int, place: int) -> None:
        """The page behind the anchor, between two responses that showed it in one place, continues the listing."""
        state = self._pass
        assert self._end is not None
        behind = place - self._end.last_place
        self._follower = None
        request = PageRequest(0, self._end.last_place + 1, state.limit, self._end.last_place + 1)
        self._advance(request, last, rank, behind, behind)
        self._read_on()

    def _single(self, page: LocatedPage) -> None:
        """The listing seems to have a single row: see that no other page holds another."""
        if self._is_single_refuted and self._longest_page > 1:
            self._read_on()
            return
        if self._is_single_refuted:
            raise listing_error(messages.ONE_ROW_PER_PAGE, is_permanent=True)
        self._pass.top = page.rows[0]
        self._go(Phase.CHECK_SINGLE, 1, 1, is_exact=True)

    def _check_single(self, page: LocatedPage) -> set[OrderKey]:
        row = page.first_row
        if len(page.rows) > 1 and len(page.keys) > page.request.limit and self._pass.top in page.index_of:
            return self._take_whole(page)
        if not page.rows and row == FAR_ROW:
            # It moved down; or rows repeat at the edges of pages.
            self._singles += 1
            if self._singles == 1:
                self._go(Phase.READ, 0)
            else:
                self._go(Phase.CHECK_SINGLE, 2, 1, is_exact=True)
        elif not page.rows or (row == FAR_ROW and page.rows[0] == self._pass.top):
            self.is_repeated = bool(page.rows)
            self._finish()
        elif page.rows[0] != self._pass.top:
            self._is_single_refuted = True
            self._go(Phase.READ, 0)
        elif row == MAX_SINGLE_OFFSET:
            raise listing_error(messages.ONE_ROW_PER_PAGE, is_permanent=True)
        else:
            self._go(Phase.CHECK_SINGLE, FAR_ROW if row == 1 else row + 1, 1, is_exact=True)
        return set()

    def _check_first_page(self, page: LocatedPage) -> set[OrderKey]:
        """Page 0 of page numbers from 1 is no page, or the first one."""
        assert self._first_page is not None
        before, self._first_page = self._first_page, None
        if page.rows and page.rows[0] != before.rows[0]:
            raise self._offset_error(0)
        # The first page again may be the last page again, as beyond the end of a listing of one page.
        self._knowledge.is_first_page_proven = not page.rows
        if len(before.rows) == 1:
            self._single(before)
        else:
            self._find_next(before.rows)
        return set()

    def _check_offset(self, page: LocatedPage) -> set[OrderKey]:
        state = self._pass
        if self._first_page is not None:
            return self._check_first_page(page)
        if self._checks_clamp:
            self._clamps = self._may_repeat(page)
            if self._clamps:
                self._finish()
            else:
                self._read_on()
            return set()
        if len(page.keys) > page.request.limit and state.top in page.index_of:
            return self._take_whole(page)
        if page.known:
            if self._paging is not Paging.ROWS:
                raise self._offset_error(page.first_row)
            raise listing_error(messages.OFFSET_IGNORED, is_permanent=True)
        # `offset` works: what looked like rounding was a page of orders inserted at the top.
        self._is_offset_proven = self._is_offset_proven or self._paging is Paging.ROWS
        self._is_rounded = False
        self._read_on()
        return set()

    def _verify_stable(self, page: LocatedPage) -> set[OrderKey]:
        before, self._verified = self._verified, frozenset(page.rows)
        if 2 * len(before.intersection(page.rows)) >= min(len(page.rows), len(before)):
            self._is_doubtful = False
            if self._joins(page) and page.rows:
                return self._join(page, is_verified=True)
            return self._read(page)
        if self._is_doubtful:
            raise listing_error(messages.NOT_THE_SAME)
        self._is_doubtful = True
        self._queue.append(page.request.offset, page.request.limit, page.first_row)
        return set()

    # -- after the end --

    def _finish(self) -> None:
        """All is read down to the end, with this page."""
        self._is_at_end = True

    def _conclude(self) -> None:
        """Once all is read down to the end, see that nothing moved up meanwhile."""
        if not self._is_at_end:
            return
        self._is_at_end = False
        self._queue.clear()
        self._end = None
        has_several = self._pass.pages > 1 or self._pass.has_changed or self._widest_tie > 0
        if self.phase is not Phase.RECHECK_TOP and not self._earlier and has_several:
            self._recheck_run = self._pass.seen.runs
            self._recheck_until = self.taken + max(self.taken, MAX_GROWING)
            self._go(Phase.RECHECK_TOP, 0, TOP_LIMIT)
        else:
            self._end_pass()

    def _recheck_top(self, page: LocatedPage) -> set[OrderKey]:
        """Read on from the top until a page ends on an order that was read before."""
        seen = self._pass.seen
        fresh = seen.add(page.rows, page.known)
        self._shifts.found(len(fresh))
        self._shifts.moved_down(seen.swapped > 0, 0)
        last = page.known.get(page.rows[-1]) if page.rows else None
        meets = last is not None and run_of(last) < self._recheck_run
        if meets or not fresh:
            self._finish()
        elif self.taken > self._recheck_until:
            raise listing_error(messages.KEPT_CHANGING)
        else:
            self._go(Phase.RECHECK_TOP, page.last_place if page.known or not page.first_row else 0)
        return set(fresh)

    def _end_pass(self) -> None:
        """Accept what was read, or read the listing again where orders may have been missed."""
        missing = self._shifts.unexplained
        if self._earlier:
            missing, found = self._missing, self._pass.found
            # One pass that finds nothing settles it, unless that too saw orders move.
            self._vain += not found
            is_settled = self._vain > (self._shifts.unexplained > 0)
            # Where orders change places, each pass may miss others.
            is_settled = is_settled or (found >= missing and not (self._widest_tie and self._shifts.unexplained))
            missing = 0 if is_settled else max(missing - found, 1)
            if is_settled and self._widest_tie and 2 * self._widest_tie >= self._pass.overlap:
                # No page held all of the orders that change places.
                raise listing_error(messages.NOT_STABLE)
        if not missing:
            self._complete(self.rows)
        elif len(self._earlier) + 1 >= MAX_PASSES:
            raise listing_error(messages.ORDERS_MISSING)
        else:
            # A row less with each pass: pages of the same edges would show the same orders.
            longest = max(self._longest_page - len(self._earlier), min(self._longest_page, MIN_SECOND_PAGE))
            self._earlier.append(self._pass.seen)
            self._missing, self._shifts = missing, ShiftAccount()
            self._pass = _Pass(SeenOrders(), Anchor(), PageSizeEstimator(longest), longest)
            self._pass.overlap = longest // 2
            self._go(Phase.SECOND_PASS, 0)

    def _complete(self, rows: int) -> None:
        self._queue.clear()
        self.phase = Phase.DONE
        self._knowledge.is_rounded = self._knowledge.is_rounded or self._is_rounded
        check_depth(rows, self.warnings)

    # -- refusals --

    def handle_refusal(self, refusal: KaptureAnswerError) -> Sequence[int]:
        """Take a refusal of the current request.

        :raises KaptureAnswerError: it is not the end of the listing
        """
        request = self._queue.take()
        self.taken += 1
        phase, anchor = self.phase, self._pass.anchor
        empty = LocatedPage(request, (), (), {})
        if self._first_page is not None:
            return self._handle(empty)
        is_failure = phase is Phase.CONFIRM_END and self._knowledge.shows_empty_pages
        if phase is Phase.CONFIRM_REFUSAL or not request.first_row or is_failure:
            raise refusal if self._refused is None else self._refused[2]
        if phase is Phase.FIND_END and self._search is not None and not self._search.is_over:
            # The end need not be known.
            self._search.is_over = True
            self._read_on()
            return ()
        if phase in _LOOKS or phase is Phase.CONFIRM_END:
            return self._refuse_end(request, refusal)
        # An order was read there: it left, or the server shows no rows that deep.
        self._refusals += 1
        if self._refusals <= MAX_REFUSALS and request.limit > 2 * (self._refusals == 1) and not self._is_by_whole_pages:
            self._small = 2
            self._go(phase, request.first_row, 2)
            return ()
        if self._refusals > MAX_REFUSALS and self._is_offset_proven and phase is Phase.READ:
            is_deepest = request.first_row + request.limit > self._knowledge.deepest
            if self._pass.sizes.last_was_short or not is_deepest:
                raise refusal
            raise listing_error(messages.NO_ROWS_BEYOND.format(anchor.place + 1), is_permanent=True)
        self._small = 0
        self._miss(empty)
        return ()

    def _refuse_end(self, request: PageRequest, refusal: KaptureAnswerError) -> Sequence[int]:
        """Take a refusal where no order was read: it is the end if it comes twice, and the top still is there."""
        self._queue.clear()
        if self._refused is None or self._refused[1] != (request.offset, request.limit):
            self._refused = (self.phase, (request.offset, request.limit), refusal)
            self._queue.append(request.offset, request.limit, request.first_row)
            return ()
        if self._knowledge.is_end_refusal(refusal):
            self._refused = None
            return self._handle(LocatedPage(request, (), (), {}))
        self._refused_page = LocatedPage(request, (), (), {})
        self._go(Phase.CONFIRM_REFUSAL, 0, 2)
        return ()

    def _confirm_refusal(self, page: LocatedPage) -> set[OrderKey]:
        assert self._refused is not None
        phase, _, refusal = self._refused
        if not page.known:
            raise refusal
        self._refused = None
        self._knowledge.add_end_refusal(refusal)
        self.phase = phase
        assert self._refused_page is not None
        return self._handlers[phase](self._refused_page)


# Phases whose pages are not part of the reading: their order is not compared.
_LOOKS = frozenset({Phase.CHECK_OFFSET, Phase.CHECK_SINGLE, Phase.FIND_END})


def transitions() -> Iterable[tuple[str, str, str]]:
    """Return the rows of the table in this module's docstring: phase, response, next phases."""
    text = (__doc__ or "").split("=\n", 2)[2]
    for line in text.splitlines():
        if line[:1].isupper():
            yield line[:15].strip(), line[16:78].strip(), line[79:].strip()
