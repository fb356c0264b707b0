"""After the end: the look at the top, further passes over the whole listing, and when to accept what was read."""

from __future__ import annotations

from airflow_provider_kapture.client.api.keys import OrderKey
from airflow_provider_kapture.client.pagination import messages
from airflow_provider_kapture.client.pagination.depth import check_depth
from airflow_provider_kapture.client.pagination.messages import listing_error
from airflow_provider_kapture.client.pagination.page import LocatedPage
from airflow_provider_kapture.client.pagination.phases import Phase
from airflow_provider_kapture.client.pagination.seen import run_of
from airflow_provider_kapture.client.pagination.state import TOP_LIMIT, ListingState
from airflow_provider_kapture.client.pagination.state_parts import GrowthState, PassState

_MAX_PASSES = 5
_MIN_SECOND_PAGE = 6
_MIN_RECHECKS = 64  # pages that the look at the top may have, even of a listing of few


def conclude(state: ListingState) -> None:
    """Once all is read down to the end, see that nothing moved up meanwhile."""
    if not state.is_at_end:
        return
    state.is_at_end = False
    state.queue.clear()
    state.end.page = None
    current, passes = state.current, state.passes
    has_several = current.pages > 1 or current.has_changed or state.drift.widest_tie > 0
    if state.phase is not Phase.RECHECK_TOP and not passes.earlier and has_several:
        passes.recheck_run = current.seen.runs
        passes.recheck_until = state.taken + max(state.taken, _MIN_RECHECKS)
        state.go(Phase.RECHECK_TOP, 0, TOP_LIMIT)
    else:
        _end_pass(state)


def recheck_top(state: ListingState, page: LocatedPage) -> set[OrderKey]:
    """Read on from the top until a page ends on an order that was read before."""
    seen = state.current.seen
    fresh = seen.add(page.rows, page.known)
    state.drift.found(len(fresh))
    state.drift.moved_down(seen.swapped > 0, 0)
    last = page.known.get(page.rows[-1]) if page.rows else None
    meets = last is not None and run_of(last) < state.passes.recheck_run
    if meets or not fresh:
        state.finish()
    elif state.taken > state.passes.recheck_until:
        raise listing_error(messages.KEPT_CHANGING)
    else:
        state.go(Phase.RECHECK_TOP, page.last_place if page.known or not page.first_row else 0)
    return set(fresh)


def _end_pass(state: ListingState) -> None:
    """Accept what was read, or read the listing again where orders may have been missed."""
    missing = _count_missing(state) if state.passes.earlier else state.drift.unexplained
    if not missing:
        complete(state, state.rows)
    elif len(state.passes.earlier) + 1 >= _MAX_PASSES:
        raise listing_error(messages.ORDERS_MISSING)
    else:
        _start_pass(state, missing)


def _count_missing(state: ListingState) -> int:
    """Return how many orders may still be missing after a further pass."""
    passes, drift, found = state.passes, state.drift, state.current.found
    # One pass that finds nothing settles it, unless that too saw orders move.
    passes.vain += not found
    is_settled = passes.vain > (drift.unexplained > 0)
    # Where orders change places, each pass may miss others.
    is_settled = is_settled or (found >= passes.missing and not (drift.widest_tie and drift.unexplained))
    if not is_settled:
        return max(passes.missing - found, 1)
    if drift.widest_tie and 2 * drift.widest_tie >= state.current.overlap:
        # No page held all of the orders that change places.
        raise listing_error(messages.NOT_STABLE)
    return 0


def _start_pass(state: ListingState, missing: int) -> None:
    """Read the listing again, with other page edges: the same ones would show the same orders."""
    passes = state.passes
    limit = max(state.longest_page - len(passes.earlier), min(state.longest_page, _MIN_SECOND_PAGE))
    passes.earlier.append(state.current.seen)
    passes.missing = missing
    state.drift.restart()
    state.current = PassState.start(limit, overlap=limit // 2)
    state.growth = GrowthState(search=state.growth.search)
    state.go(Phase.SECOND_PASS, 0)


def complete(state: ListingState, rows: int) -> None:
    """End the reading of the listing.

    :raises KaptureListingError: it has exactly the rows of a search engine's window
    """
    state.queue.clear()
    state.phase = Phase.DONE
    state.knowledge.is_rounded = state.knowledge.is_rounded or state.offsets.is_rounded
    check_depth(rows, state.warnings)
