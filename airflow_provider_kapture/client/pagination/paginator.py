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
READ            continues it by a few rows, again and again, or for many pages FIND_END
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
FIND_END        refused twice                                                  READ
VERIFY_STABLE   half of its rows in common with the page before                as READ
VERIFY_STABLE   fewer                                                          VERIFY_STABLE
RECHECK_TOP     ends on an order read before, or brings nothing new            SECOND_PASS, DONE
RECHECK_TOP     else                                                           RECHECK_TOP
SECOND_PASS     the first page of another pass                                 as READ
=============== ============================================================== =================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from airflow_provider_kapture.client.api.keys import OrderKey
from airflow_provider_kapture.client.errors import KaptureAnswerError
from airflow_provider_kapture.client.pagination import messages
from airflow_provider_kapture.client.pagination.end_detector import confirm_end, confirm_still
from airflow_provider_kapture.client.pagination.growth import find_end, find_next
from airflow_provider_kapture.client.pagination.knowledge import AccountKnowledge
from airflow_provider_kapture.client.pagination.messages import listing_error
from airflow_provider_kapture.client.pagination.offset_checks import check_offset, check_single
from airflow_provider_kapture.client.pagination.page import LocatedPage, distinct
from airflow_provider_kapture.client.pagination.passes import conclude, recheck_top
from airflow_provider_kapture.client.pagination.phases import LOOKS, Phase
from airflow_provider_kapture.client.pagination.reading import read, verify_stable
from airflow_provider_kapture.client.pagination.refusals import confirm_refusal, judge_refusal
from airflow_provider_kapture.client.pagination.requests import PageRequest, Paging
from airflow_provider_kapture.client.pagination.spill import RankStore
from airflow_provider_kapture.client.pagination.stall_guard import MAX_RESPONSES
from airflow_provider_kapture.client.pagination.state import ListingState
from airflow_provider_kapture.client.pagination.state_parts import OffsetState, PassState

# What handles a page in each phase: the orders that the pass had not read; none if READ is to handle it.
_HANDLERS: Mapping[Phase, Callable[[ListingState, LocatedPage], set[OrderKey] | None]] = {
    Phase.READ: read,
    Phase.BACKTRACK: read,
    Phase.CONFIRM_END: confirm_end,
    Phase.CONFIRM_STILL: confirm_still,
    Phase.CHECK_SINGLE: check_single,
    Phase.CHECK_OFFSET: check_offset,
    Phase.FIND_END: find_end,
    Phase.VERIFY_STABLE: verify_stable,
    Phase.RECHECK_TOP: recheck_top,
    Phase.SECOND_PASS: read,
}


class AnchoredPaginator:
    """One listing, read page by page. Drive it with :meth:`next_requests` and :meth:`handle_page` until :attr:`done`.

    :param limit: the rows that a page is requested with
    :param paging: what ``offset`` counts
    :param knowledge: what the listings of the pull have learnt together
    :param store: holds the orders read; by default a new one
    """

    def __init__(
        self,
        limit: int,
        *,
        paging: Paging = Paging.ROWS,
        knowledge: AccountKnowledge | None = None,
        store: RankStore | None = None,
    ) -> None:
        knowledge = knowledge or AccountKnowledge()
        offsets = OffsetState(is_rounded=knowledge.is_rounded)
        self._state = ListingState(paging, knowledge, PassState.start(limit, store=store), offsets)
        self._state.go(Phase.READ, 0)

    @property
    def phase(self) -> Phase:
        """What the next response is for."""
        return self._state.phase

    @property
    def done(self) -> bool:
        """Whether the listing is read."""
        return self._state.phase is Phase.DONE

    @property
    def taken(self) -> int:
        """The number of responses so far."""
        return self._state.taken

    @property
    def rows(self) -> int:
        """The number of orders so far."""
        return self._state.rows

    @property
    def pages(self) -> int:
        """The number of pages that held new orders."""
        return self._state.current.pages

    @property
    def restarts(self) -> int:
        """How often the listing was read on from its top."""
        return self._state.restarts

    @property
    def overshoot(self) -> int:
        """Requests that were sent and turned out not to be needed."""
        return self._state.queue.overshoot

    @property
    def warnings(self) -> Sequence[str]:
        """What a person should look at."""
        return self._state.warnings

    @property
    def is_repeated(self) -> bool:
        """Whether the listing has one row, which every offset returned."""
        return self._state.is_repeated

    @property
    def is_offset_proven(self) -> bool:
        """Whether a page at an offset above 0 was seen to start there."""
        return self._state.offsets.is_proven

    @property
    def current_request(self) -> PageRequest:
        """The request whose page is to be handled next."""
        return self._state.queue.head

    def next_requests(self, count: int) -> Sequence[PageRequest]:
        """Return the requests that may be in flight now, at most ``count``, the current one first."""
        state, sizes = self._state, self._state.current.sizes
        is_steady = sizes.is_whole_known and not sizes.is_irregular and not sizes.last_was_short
        is_proven = state.offsets.is_proven or state.knowledge.is_offset_proven
        if state.phase is Phase.READ and is_steady and is_proven and not state.current.has_changed:
            while len(state.queue) < count and state.push_next():
                pass
        return state.queue.send(count)

    def handle_page(
        self, keys: Sequence[OrderKey], contents: Sequence[bytes] = (), *, has_later_orders: bool = False
    ) -> Sequence[int]:
        """Handle the page of the current request; return the indices of its orders that were not read before.

        :param contents: the rows as they came
        :param has_later_orders: whether a page from further down that has arrived holds orders
        :raises KaptureListingError: the pages do not add up to one listing, or it changes too fast
        """
        state = self._state
        request = self._take_request()
        state.knowledge.see(request.first_row, request.limit, len(keys))
        state.longest_page = max(state.longest_page, min(len(keys), request.limit))
        if self._continues(request, keys):
            return self._handle_continuation(request, keys)
        current, rows = state.current, distinct(keys, contents)
        if state.phase in LOOKS:
            known = current.seen.find(rows)
        else:
            known = current.seen.ranks(rows, current.sizes.longest, may_move=state.phase is Phase.RECHECK_TOP)
        if len(keys) == 1 and has_later_orders:
            current.sizes.may_be_cut = True
        return self._handle(LocatedPage(request, keys, rows, known))

    def handle_refusal(self, refusal: KaptureAnswerError) -> Sequence[int]:
        """Handle a refusal of the current request.

        :raises KaptureAnswerError: it is not the end of the listing
        """
        page = judge_refusal(self._state, self._take_request(), refusal)
        return () if page is None else self._handle(page)

    def close(self) -> None:
        """Release the disk space."""
        for each in (*self._state.passes.earlier, self._state.current.seen):
            each.close()

    def _take_request(self) -> PageRequest:
        self._state.taken += 1
        if self._state.taken > MAX_RESPONSES:
            raise listing_error(messages.NO_END.format(MAX_RESPONSES))
        return self._state.queue.take()

    def _continues(self, request: PageRequest, keys: Sequence[OrderKey]) -> bool:
        """Return whether the page starts on the anchor, and its others are new; if so, add them."""
        state, anchor = self._state, self._state.current.anchor
        return (
            state.phase is Phase.READ
            and len(keys) > 1
            and keys[0] == anchor.key
            and request.first_row == anchor.place
            and not state.passes.earlier
            and state.current.seen.append(anchor.rank, keys)
        )

    def _handle_continuation(self, request: PageRequest, keys: Sequence[OrderKey]) -> Sequence[int]:
        """Handle the ordinary page, without the cost of comparing its rows."""
        state, behind = self._state, len(keys) - 1
        state.rows += behind
        state.offsets.is_proven = state.offsets.is_proven or request.first_row > 0
        state.advance(request, keys[-1], state.current.anchor.rank + 2 * behind, len(keys), behind)
        find_next(state, keys)
        conclude(state)
        return range(1, len(keys))

    def _handle(self, page: LocatedPage) -> Sequence[int]:
        state, current, earlier = self._state, self._state.current, tuple(self._state.passes.earlier)
        if state.phase is Phase.CONFIRM_REFUSAL:
            page = confirm_refusal(state, page)
        state.refusals.latest = None
        fresh = _HANDLERS[state.phase](state, page)
        if fresh is None:
            fresh = read(state, page)
        for each in earlier:
            fresh = fresh - each.find(list(fresh)).keys()
        state.rows += len(fresh)
        current.found += len(fresh)
        conclude(state)
        return sorted(page.index_of[row] for row in fresh)


def transitions() -> Iterable[tuple[str, str, str]]:
    """Return the rows of the table in this module's docstring: phase, response, next phases."""
    text = (__doc__ or "").split("=\n", 2)[2]
    for line in text.splitlines():
        if line[:1].isupper():
            yield line[:15].strip(), line[16:78].strip(), line[79:].strip()
