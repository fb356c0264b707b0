"""Whether a page that brought no orders is the end of the listing, and the phases that confirm it.

A listing that never ends, as orders are added as fast as it is read, is left to ``growth``; a listing of one row to
``offset_checks``.
"""

from __future__ import annotations

from collections.abc import Mapping

from airflow_provider_kapture.client.api.keys import OrderKey
from airflow_provider_kapture.client.pagination import messages
from airflow_provider_kapture.client.pagination.messages import listing_error
from airflow_provider_kapture.client.pagination.offset_checks import check_clamp, may_repeat
from airflow_provider_kapture.client.pagination.page import LocatedPage
from airflow_provider_kapture.client.pagination.phases import Phase
from airflow_provider_kapture.client.pagination.recovery import step_back
from airflow_provider_kapture.client.pagination.requests import PageRequest
from airflow_provider_kapture.client.pagination.seen import approximate
from airflow_provider_kapture.client.pagination.state import TOP_LIMIT, ListingState

_MIN_ENDINGS = 8  # pages that end on the anchor while it moves, after which nothing stands behind it


def alone(state: ListingState, page: LocatedPage) -> None:
    """Handle an order that was read, with nothing behind it."""
    if not (state.is_by_whole_pages or state.current.sizes.may_be_cut):
        state.finish()
        return
    state.count_no_progress()
    if _is_end_by_count(state):
        state.finish()
        return
    anchor, key = state.current.anchor, page.rows[0]
    if key != anchor.key:
        anchor.set(key, page.known.get(key, anchor.rank), page.first_row, state.taken)
    state.end.page = page
    _look_behind(state, anchor.predicted(state.taken + 1) + 1)


def ends_on_anchor(state: ListingState, page: LocatedPage) -> None:
    """Handle several orders that were read, the last of which is the anchor."""
    anchor = state.current.anchor
    if _is_end_by_count(state):
        state.finish()
    elif _is_end_of_whole_page(state, page):
        state.end.page = page
        _look_behind(state, page.last_place + 1)
    elif not _is_end_again(state, page):
        state.read_on()
    elif state.end.was_empty_behind:
        state.finish()
    else:
        state.end.page = page
        _look_behind(state, anchor.predicted(state.taken + 1) + 2 * abs(anchor.rate) + 2)


def _is_end_by_count(state: ListingState) -> bool:
    """Return whether many pages ended on the anchor, however far it moved between them, where page lengths vary."""
    state.end.endings += 1
    is_seen = state.end.was_empty_behind and state.offsets.is_proven
    return is_seen and state.current.has_changed and state.end.endings >= _MIN_ENDINGS


def _is_end_of_whole_page(state: ListingState, page: LocatedPage) -> bool:
    return state.is_by_whole_pages and state.offsets.is_proven and len(page.keys) < page.request.limit


def _is_end_again(state: ListingState, page: LocatedPage) -> bool:
    """Return whether two short pages in a row that start apart end on the anchor, where page lengths are steady."""
    sizes, before = state.current.sizes, state.end.short_page
    is_short = sizes.is_short(len(page.keys), page.request.limit)
    if not state.current.has_changed or sizes.is_irregular or not is_short:
        state.end.short_page = None
        return False
    state.end.short_page = page
    if before is None or before.rows[-1] != page.rows[-1]:
        return False
    return sizes.is_whole_known and len(before.rows) != len(page.rows)


def _look_behind(state: ListingState, row: int) -> None:
    """See that no order stands there."""
    if state.is_by_whole_pages:
        state.go(Phase.CONFIRM_END, row, 1, is_exact=True)
    else:
        state.go(Phase.CONFIRM_END, row)


def confirm_end(state: ListingState, page: LocatedPage) -> set[OrderKey] | None:
    """Handle the page behind the one that may be the last; none if it is to be handled as one of READ."""
    end = state.end.page
    if page.known:
        if state.offsets.clamps is not None or not may_repeat(state, page):
            return None
        check_clamp(state, page)
        return set()
    if end is None:
        raise _no_limit_fits(state)
    if page.rows and state.is_by_whole_pages and end.request.limit > 1:
        state.count_no_progress()
        state.read_on()
        return set()
    state.end.follower = None
    if page.rows:
        return _take_follower(state, end, page)
    state.end.was_empty_behind = True
    _look_again(state, end, page)
    return set()


def _take_follower(state: ListingState, end: LocatedPage, page: LocatedPage) -> set[OrderKey]:
    """Take rows behind the page that may be the last: it is not, but whether they follow it is to be seen."""
    anchor = state.current.anchor
    # A run of its own: until the page before is confirmed, they may not follow the anchor.
    fresh: Mapping[OrderKey, int] = state.current.seen.add(
        [end.rows[-1], *page.rows], {end.rows[-1]: approximate(anchor.rank)}
    )
    state.end.follower = (page.rows[-1], fresh[page.rows[-1]], page.last_place)
    if not state.current.has_changed and page.first_row == end.last_place + 1:
        _look_again(state, end, page)
    elif state.is_by_whole_pages:
        raise _no_limit_fits(state)
    else:
        step_back(state, page)
    return set(fresh)


def _look_again(state: ListingState, end: LocatedPage, page: LocatedPage) -> None:
    """Request the page that may be the last once more."""
    state.end.looked_at = page.first_row
    if state.is_by_whole_pages:
        state.go(Phase.CONFIRM_STILL, end.first_row, end.request.limit, is_exact=True)
        return
    # Whether the anchor moves with an empty response is not known: start where it stands at the highest.
    rate = state.current.anchor.rate
    row = end.first_row + (rate if rate > 0 else 2 * rate)
    state.go(Phase.CONFIRM_STILL, row, end.request.limit if len(end.rows) > 1 else TOP_LIMIT)


def confirm_still(state: ListingState, page: LocatedPage) -> set[OrderKey] | None:
    """Handle the page that may be the last, once more; none if it is to be handled as one of READ."""
    end, anchor = state.end, state.current.anchor
    assert end.page is not None
    if not page.rows or page.rows[-1] != end.page.rows[-1]:
        return None
    if end.follower is not None and page.rows == end.page.rows:
        _follow(state, end.page, *end.follower)
        return set()
    before, rate = end.page.last_place, anchor.rate
    # Nothing stood behind the anchor: it cannot have stood further up than the row before the one looked at.
    is_behind = min(before, page.last_place) + 1 >= end.looked_at
    is_behind = is_behind or (page.last_place == before + 2 * rate and before + rate + 1 == end.looked_at)
    if end.follower is not None or not (is_behind or state.current.has_changed):
        return None
    end.confirmed += 2 if is_behind else 1
    anchor.observe(page.last_place, state.taken)
    state.current.changes += page.last_place != before
    if end.confirmed > (2 if state.current.has_changed else 1):
        state.finish()
    else:
        end.page = page
        _look_behind(state, anchor.predicted(state.taken + 1) + 1)
    return set()


def _follow(state: ListingState, end: LocatedPage, last: OrderKey, rank: int, place: int) -> None:
    """Continue the listing with the page behind the anchor, as two responses showed that in one place."""
    behind = place - end.last_place
    state.end.follower = None
    row = end.last_place + 1
    state.advance(PageRequest(0, row, state.current.limit, row), last, rank, behind, behind)
    state.read_on()


def _no_limit_fits(state: ListingState) -> Exception:
    return listing_error(messages.NO_LIMIT_FITS.format(state.longest, state.current.anchor.place + 1))
