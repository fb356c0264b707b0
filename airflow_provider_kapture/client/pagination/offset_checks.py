"""Checks of what ``offset`` does: whether it counts what it is told to count, is rounded or ignored, or repeats rows.

Checks that need other days or other limits are the pull's, in ``client.pull.paging_checks``.
"""

from __future__ import annotations

from airflow_provider_kapture.client.api.keys import OrderKey
from airflow_provider_kapture.client.pagination import messages
from airflow_provider_kapture.client.pagination.growth import find_next
from airflow_provider_kapture.client.pagination.messages import listing_error
from airflow_provider_kapture.client.pagination.page import LocatedPage
from airflow_provider_kapture.client.pagination.passes import complete
from airflow_provider_kapture.client.pagination.phases import Phase
from airflow_provider_kapture.client.pagination.recovery import offset_error
from airflow_provider_kapture.client.pagination.requests import Paging
from airflow_provider_kapture.client.pagination.seen import position_of
from airflow_provider_kapture.client.pagination.state import ListingState

OFFSET_CHECK_AFTER = 3  # responses without progress, after which `offset` itself is checked
_MAX_TOPS = 4  # pages that start where `offset` would be if it counted otherwise
_MAX_SINGLE_OFFSET = 16  # up to where the only row of a listing may repeat
_FAR_ROW = 10_000  # a row that no short listing has


def is_top_again(state: ListingState, page: LocatedPage) -> bool:
    """Return whether a page from further down holds the first row."""
    if not page.first_row or state.offsets.is_proven or state.current.top not in page.index_of:
        return False
    starts = page.rows[0] == state.current.top or len(page.keys) > page.request.limit
    return starts or state.current.guard.no_progress >= OFFSET_CHECK_AFTER


def take_top_again(state: ListingState, page: LocatedPage) -> set[OrderKey]:
    """Handle such a page: offsets are rounded, or ignored, or a page was inserted."""
    if len(page.keys) > page.request.limit:
        return _take_whole(state, page)
    offsets = state.offsets
    offsets.tops += 1
    state.count_no_progress()
    fresh = state.current.seen.add(page.rows, page.known)
    if state.paging is Paging.ROWS and not offsets.is_rounded:
        offsets.is_rounded = offsets.is_rounding_new = True
        state.read_on()
    elif offsets.tops > _MAX_TOPS:
        raise offset_error(state, page.first_row)
    else:
        offsets.is_clamp_checked = False
        limit = max(state.longest - 1, 1)
        state.go(Phase.CHECK_OFFSET, _FAR_ROW // limit * limit, limit, is_exact=True)
    return set(fresh)


def _take_whole(state: ListingState, page: LocatedPage) -> set[OrderKey]:
    """Take a response with more rows than requested, the first among them: every response is the whole listing."""
    state.knowledge.is_unpaged = True
    fresh = state.current.seen.add(page.rows, page.known)
    complete(state, state.rows + len(fresh))
    return set(fresh)


def check_rounding(state: ListingState, page: LocatedPage) -> None:
    """See whether the first whole page that is requested starts on its row; if not, a page was inserted at the top."""
    if state.offsets.is_rounding_new and page.first_row:
        rank = page.known.get(page.rows[0]) if page.rows else None
        state.offsets.is_rounding_new = False
        state.offsets.is_rounded = rank is not None and position_of(rank) == page.first_row


def prove_offset(state: ListingState, page: LocatedPage) -> None:
    """Note that pages start where they should, if this page shows it."""
    offsets = state.offsets
    if offsets.is_proven or not page.first_row or not page.known or state.current.top in page.index_of:
        return
    if state.paging is not Paging.ROWS:
        # Where rows are counted although pages should be, the page starts on the row of that number, or above it.
        position, sent = position_of(page.known.get(page.rows[0], 0)), page.request.offset
        if position - sent <= page.first_row - position:
            offsets.tops += position != page.first_row
            if offsets.tops > 1 + state.drift.has_moved * _MAX_TOPS:
                raise offset_error(state, page.first_row)
            return
    offsets.is_proven = True


def may_repeat(state: ListingState, page: LocatedPage) -> bool:
    """Return whether a page behind the last order read shows the last rows again, or the first."""
    return bool(page.rows) and (page.rows[-1] == state.current.anchor.key or page.rows[0] == state.current.top)


def check_clamp(state: ListingState, page: LocatedPage) -> None:
    """Request a page far beyond the end, which shows whether rows are repeated there."""
    state.offsets.is_clamp_checked = True
    limit = 1 if state.is_by_whole_pages else None
    state.go(Phase.CHECK_OFFSET, page.first_row + _FAR_ROW, limit, is_exact=True)


def is_first_page_check_due(state: ListingState) -> bool:
    """Return whether page 0 of page numbers from 1 is still to be looked at."""
    is_known = state.knowledge.is_first_page_proven or state.offsets.is_first_page_checked
    return state.paging is Paging.PAGES_FROM_1 and not is_known


def check_first_page(state: ListingState, page: LocatedPage) -> None:
    """Request page 0 of page numbers from 1, which must show no other order than page 1."""
    state.offsets.first_page, state.offsets.is_first_page_checked = page, True
    state.repeat(Phase.CHECK_OFFSET, 0, page.request.limit, 0)


def check_offset(state: ListingState, page: LocatedPage) -> set[OrderKey]:
    """Handle the page of a check."""
    offsets = state.offsets
    if offsets.first_page is not None:
        _compare_first_page(state, offsets.first_page, page)
    elif offsets.is_clamp_checked:
        offsets.clamps = may_repeat(state, page)
        if offsets.clamps:
            state.finish()
        else:
            state.read_on()
    elif len(page.keys) > page.request.limit and state.current.top in page.index_of:
        return _take_whole(state, page)
    elif page.known:
        if state.paging is not Paging.ROWS:
            raise offset_error(state, page.first_row)
        raise listing_error(messages.OFFSET_IGNORED, is_permanent=True)
    else:
        # `offset` works: what looked like rounding was a page of orders inserted at the top.
        offsets.is_proven = offsets.is_proven or state.paging is Paging.ROWS
        offsets.is_rounded = False
        state.read_on()
    return set()


def _compare_first_page(state: ListingState, before: LocatedPage, page: LocatedPage) -> None:
    """See that page 0 is no page, or the first one."""
    state.offsets.first_page = None
    if page.rows and page.rows[0] != before.rows[0]:
        raise offset_error(state, 0)
    # The first page again may be the last page again, as beyond the end of a listing of one page.
    state.knowledge.is_first_page_proven = not page.rows
    if is_single(state, before):
        single(state, before)
    else:
        find_next(state, before.rows)


def is_single(state: ListingState, page: LocatedPage) -> bool:
    """Return whether a first page may be the only row, or show that pages hold one row each."""
    return len(page.rows) == 1 and not (state.offsets.is_single_refuted and state.longest_page > 1)


def single(state: ListingState, page: LocatedPage) -> None:
    """Handle such a page: see that no other page holds another row."""
    if state.offsets.is_single_refuted:
        raise listing_error(messages.ONE_ROW_PER_PAGE, is_permanent=True)
    state.current.top = page.rows[0]
    state.go(Phase.CHECK_SINGLE, 1, 1, is_exact=True)


def check_single(state: ListingState, page: LocatedPage) -> set[OrderKey]:
    """Handle a page behind the only row."""
    row, top = page.first_row, state.current.top
    if len(page.rows) > 1 and len(page.keys) > page.request.limit and top in page.index_of:
        return _take_whole(state, page)
    if not page.rows and row == _FAR_ROW:
        # It moved down; or rows repeat at the edges of pages.
        state.offsets.singles += 1
        if state.offsets.singles == 1:
            state.go(Phase.READ, 0)
        else:
            state.go(Phase.CHECK_SINGLE, 2, 1, is_exact=True)
    elif not page.rows or (row == _FAR_ROW and page.rows[0] == top):
        state.is_repeated = bool(page.rows)
        state.finish()
    elif page.rows[0] != top:
        state.offsets.is_single_refuted = True
        state.go(Phase.READ, 0)
    elif row == _MAX_SINGLE_OFFSET:
        raise listing_error(messages.ONE_ROW_PER_PAGE, is_permanent=True)
    else:
        state.go(Phase.CHECK_SINGLE, _FAR_ROW if row == 1 else row + 1, 1, is_exact=True)
    return set()
