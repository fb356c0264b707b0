"""READ, BACKTRACK and VERIFY_STABLE: whether a page continues what was read, and what follows from it.

What a page that brings no orders says of the end is decided in ``end_detector``; what to request after one that brings
orders in ``growth``; after one that does not continue the listing in ``recovery``.
"""

from __future__ import annotations

from airflow_provider_kapture.client.api.keys import OrderKey
from airflow_provider_kapture.client.pagination import messages
from airflow_provider_kapture.client.pagination.end_detector import alone, ends_on_anchor
from airflow_provider_kapture.client.pagination.growth import find_next
from airflow_provider_kapture.client.pagination.messages import listing_error
from airflow_provider_kapture.client.pagination.offset_checks import (
    check_first_page,
    check_rounding,
    is_first_page_check_due,
    is_single,
    is_top_again,
    prove_offset,
    single,
    take_top_again,
)
from airflow_provider_kapture.client.pagination.page import LocatedPage
from airflow_provider_kapture.client.pagination.phases import Phase
from airflow_provider_kapture.client.pagination.recovery import restart, step_back
from airflow_provider_kapture.client.pagination.seen import MAX_TIE, is_approximate, position_of
from airflow_provider_kapture.client.pagination.state import ListingState


def read(state: ListingState, page: LocatedPage) -> set[OrderKey]:
    """Handle a page of the listing; the orders that the pass had not read."""
    if not page.rows and not page.first_row:
        state.finish()
        return set()
    if is_top_again(state, page):
        return take_top_again(state, page)
    check_rounding(state, page)
    prove_offset(state, page)
    if not _joins(state, page):
        step_back(state, page)
        return set()
    if not page.first_row:
        _note_top(state, page)
    return _join(state, page)


def verify_stable(state: ListingState, page: LocatedPage) -> set[OrderKey] | None:
    """Handle the second response to one request; none if it is to be handled as one of READ.

    :raises KaptureListingError: it has mostly other orders than the first, twice
    """
    before, state.verified = state.verified, frozenset(page.rows)
    if 2 * len(before.intersection(page.rows)) >= min(len(page.rows), len(before)):
        state.is_doubtful = False
        return _join(state, page, is_verified=True) if page.rows and _joins(state, page) else None
    if state.is_doubtful:
        raise listing_error(messages.NOT_THE_SAME)
    state.is_doubtful = True
    _verify(state, page)
    return set()


def _verify(state: ListingState, page: LocatedPage) -> None:
    """Send the request of a page once more."""
    state.verified = frozenset(page.rows)
    state.repeat(Phase.VERIFY_STABLE, page.request.offset, page.request.limit, page.first_row)


def _joins(state: ListingState, page: LocatedPage) -> bool:
    """Return whether the page continues what was read: it starts on an order read shortly before."""
    if not page.first_row:
        return True
    anchor, seen = state.current.anchor, state.current.seen
    rank = page.known.get(page.rows[0]) if page.rows else None
    if rank is None:
        return False
    if anchor.key in page.known:
        return True
    distance = position_of(anchor.rank) - position_of(rank)
    if seen.part_of(rank) == seen.part_of(anchor.rank) and 0 <= distance <= state.current.sizes.longest:
        return True
    # Further up, one order alone may be one that moved.
    second = page.known.get(page.rows[1]) if len(page.rows) > 1 else rank
    return second is not None and abs(position_of(second) - position_of(rank)) <= MAX_TIE


def _note_top(state: ListingState, page: LocatedPage) -> None:
    """Note what stands at the top, and whether it came again although a page further down was requested."""
    current = state.current
    current.top = page.rows[0]
    if state.phase is Phase.BACKTRACK and not state.offsets.is_proven:
        key = current.anchor.key
        state.offsets.is_unproven = key is not None and page.place_of(key) == current.anchor.place


def _join(state: ListingState, page: LocatedPage, *, is_verified: bool = False) -> set[OrderKey]:
    """Take a page that continues the listing, or shows a part of it that was read."""
    current = state.current
    if not page.known and current.pages:
        restart(state)
    state.drift.has_moved = state.drift.has_moved or page.inserted > 0
    _watch_anchor(state, page)
    runs = current.seen.runs
    fresh = current.seen.add(page.rows, page.known)
    is_uncertain = bool(page.known) and current.seen.runs > runs
    if state.restarts and current.seen.part_of(current.anchor.rank):
        # What was read on from the top explains what came to stand above.
        state.drift.found(len(fresh))
    if page.behind:
        last = page.rows[-1]
        state.advance(page.request, last, fresh[last], len(page.keys), page.behind)
    if is_first_page_check_due(state):
        check_first_page(state, page)
    elif not page.first_row and is_single(state, page):
        single(state, page)
    elif is_uncertain and not is_verified:
        current.changes += 1
        _verify(state, page)
    elif page.behind or (is_verified and page.rows[-1] == current.anchor.key and len(page.rows) > 1):
        find_next(state, page.rows)
    elif len(page.keys) == 1 and (page.request.limit > 1 or page.rows[0] == current.anchor.key):
        alone(state, page)
    else:
        _stall(state, page)
    return set(fresh)


def _watch_anchor(state: ListingState, page: LocatedPage) -> None:
    """Compare where the page shows the anchor with where it stood."""
    current, drift, anchor = state.current, state.drift, state.current.anchor
    if current.seen.swapped:
        drift.widest_tie = max(drift.widest_tie, current.seen.widest)
        drift.moved_down(current.seen.swapped, 0)
        current.seen.swapped = 0
    if anchor.key is None or not page.known:
        return
    place = page.place_of(anchor.key)
    expected = anchor.place
    if place is None:
        place = _estimate_place(state, page)
        if place is None or page.first_row <= place <= page.last_place:
            # It left, or moved.
            current.changes += 1
            _account(state, page, 0 if place is None else place - expected)
            return
    current.changes += place != expected
    _account(state, page, place - expected)
    anchor.observe(place, state.taken)


def _account(state: ListingState, page: LocatedPage, moved: int) -> None:
    """Account for orders read that stand further down than before.

    :param moved: how far the anchor moved down
    """
    anchor = state.current.anchor
    below = sum(page.first_row + page.index_of[row] >= anchor.place for row in page.known)
    extra = below - (anchor.key in page.known)
    is_frontier = state.current.seen.frontier_of(anchor.rank)[0] == anchor.key
    # Where orders change places, new ones below the anchor do not explain what came down from above it.
    found = page.inserted_above(anchor.key) if state.drift.widest_tie else page.inserted
    state.drift.moved_down(max(moved, extra if is_frontier else 0), found)


def _estimate_place(state: ListingState, page: LocatedPage) -> int | None:
    """Return where the anchor stands, by the last order of the page that has a rank in the same part."""
    seen, anchor = state.current.seen, state.current.anchor
    for row in reversed(page.rows):
        rank = page.known.get(row)
        if rank is not None and not is_approximate(rank) and seen.part_of(rank) == seen.part_of(anchor.rank):
            return page.first_row + page.index_of[row] + position_of(anchor.rank) - position_of(rank)
    return None


def _stall(state: ListingState, page: LocatedPage) -> None:
    """Handle a page of several orders, all of which were read before."""
    current, anchor = state.current, state.current.anchor
    is_at_anchor = page.rows[-1] == anchor.key
    current.guard.count_known(current.pages)
    if is_at_anchor or page.last_place <= current.guard.reached:
        state.count_no_progress()
    if anchor.key in page.known:
        current.step, current.has_missed = 0, False
    if is_at_anchor:
        ends_on_anchor(state, page)
    else:
        _follow_known(state, page)
        state.read_on()


def _follow_known(state: ListingState, page: LocatedPage) -> None:
    """Go on from an order that was read before, as the page ends on it and not on the anchor."""
    current, anchor, last = state.current, state.current.anchor, page.rows[-1]
    rank = page.known.get(last, anchor.rank)
    current.guard.reached = max(current.guard.reached, page.last_place)
    if current.seen.part_of(rank) != current.seen.part_of(anchor.rank):
        # Reading on from the top has reached what was read before: go on where that ended.
        current.sizes.forget_latest()
        key, end = current.seen.frontier_of(rank)
        anchor.set(key, end, page.last_place + position_of(end) - position_of(rank), state.taken)
    elif current.has_missed or anchor.key in page.known or anchor.place <= page.last_place:
        is_short = current.sizes.is_short(len(page.keys), page.request.limit)
        anchor.retreat(last, rank, page.last_place, state.taken, is_end=is_short)
        current.guard.reached = page.last_place
