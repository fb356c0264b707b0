"""What to request after a page that does not continue the listing."""

from __future__ import annotations

from airflow_provider_kapture.client.errors import KaptureListingError
from airflow_provider_kapture.client.pagination import messages
from airflow_provider_kapture.client.pagination.messages import listing_error
from airflow_provider_kapture.client.pagination.page import LocatedPage
from airflow_provider_kapture.client.pagination.phases import Phase
from airflow_provider_kapture.client.pagination.requests import Paging
from airflow_provider_kapture.client.pagination.state import ListingState

MAX_RESTARTS = 3


def step_back(state: ListingState, page: LocatedPage) -> None:
    """Request a page further up, twice as far each time."""
    current, anchor = state.current, state.current.anchor
    if state.offsets.is_unproven and not state.offsets.is_proven and page.first_row <= anchor.place:
        raise offset_error(state, anchor.place)
    state.count_no_progress()
    if not page.rows and 0 <= page.first_row - anchor.place <= 2 * abs(anchor.rate) + 2:
        state.end.was_empty_behind = True
    current.has_missed = True
    current.changes += 1
    current.step = 2 * current.step or max(state.longest // 8, 2)
    state.end.confirmed = 0
    state.go(Phase.BACKTRACK, page.first_row - current.step)


def restart(state: ListingState) -> None:
    """Read on from the top, as more than a page was inserted there; what came out does not come out again."""
    state.restarts += 1
    if state.restarts > MAX_RESTARTS:
        raise listing_error(messages.KEPT_CHANGING)
    current = state.current
    current.changes += 1
    current.guard.reached = -1
    current.sizes.forget_latest()
    state.queue.clear()


def offset_error(state: ListingState, row: int) -> KaptureListingError:
    """Return the error of an offset that does not count what it is told to count."""
    if state.drift.has_moved and state.paging is Paging.ROWS:
        return listing_error(messages.KEPT_CHANGING)
    return listing_error(
        messages.OFFSET_COUNTS_OTHERWISE.format(repr(state.paging.value), "row", row), is_permanent=True
    )
