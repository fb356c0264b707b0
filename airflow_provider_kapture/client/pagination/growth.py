"""What to request after a page that brought orders: the next page, or the end, if it may grow as fast as it is read."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_kapture.client.api.keys import OrderKey
from airflow_provider_kapture.client.pagination import messages
from airflow_provider_kapture.client.pagination.end_search import EndSearch
from airflow_provider_kapture.client.pagination.messages import listing_error
from airflow_provider_kapture.client.pagination.page import LocatedPage
from airflow_provider_kapture.client.pagination.phases import Phase
from airflow_provider_kapture.client.pagination.state import ListingState

# The length of pages, and after how many of them the end is looked for: so long a listing may grow as it is read.
_SEARCH_AFTER = ((16, 32), (128, 64), (10_000, 2_048))
# Short pages in a row that each bring orders, after which the end is looked for; the latter where page lengths vary.
_SHORT_PAGES, _SHORT_PAGES_IRREGULAR = 4, 12
_MAX_SHORT_PAGES = 64
# Pages behind the end as it was: orders inserted once are caught up with within the first number of pages; the others
# are those of a listing that was still, or that changed, since the end was searched for.
_CATCH_UP, _MAX_BEYOND, _MAX_BEYOND_CHANGED = 12, 64, 256


def find_next(state: ListingState, rows: Sequence[OrderKey]) -> None:
    """Decide what to request after a page that brought orders.

    :raises KaptureListingError: the end grows as fast as it is read
    :raises KaptureAnswerError: looks at the end are refused, although rows stand there
    """
    growth, place = state.growth, state.current.anchor.place
    if growth.end_row < 0 and growth.search is not None:
        growth.end_row, growth.refusal = growth.search.empty_row, growth.search.refusal
    growth.beyond += 0 < growth.end_row <= place
    if _is_read_to_tail(state, rows):
        state.finish()
    elif _keeps_growing(state):
        # Whole pages behind a refused row show that it was not the end; short ones that the end moves.
        if growth.refusal is not None and not state.current.sizes.last_was_short:
            raise growth.refusal
        raise listing_error(messages.KEPT_GROWING)
    elif _is_search_due(state):
        sizes = state.current.sizes
        growth.search = EndSearch(place, 1 if sizes.is_irregular else state.longest)
        growth.short_pages = 0
        growth.searched_at = state.current.changes
        growth.searches += 1
        _look_ahead(state, growth.search)
    else:
        state.read_on(state.current.overlap if not state.is_by_whole_pages else 0)


def _is_read_to_tail(state: ListingState, rows: Sequence[OrderKey]) -> bool:
    """Return whether the orders that stood in the listing when its end was found were read, with a margin."""
    growth = state.growth
    if growth.tail is None or state.current.changes != growth.searched_at:
        return False
    key, row = growth.tail
    if not growth.is_tail_read and key in rows:
        first_row = state.current.anchor.place + 1 - len(rows)
        growth.is_tail_read = first_row + list(rows).index(key) == row
    return growth.is_tail_read and growth.beyond > _CATCH_UP


def _keeps_growing(state: ListingState) -> bool:
    growth = state.growth
    is_still = state.current.changes == growth.searched_at
    if growth.beyond > (_MAX_BEYOND if is_still else _MAX_BEYOND_CHANGED):
        return True
    return growth.short_pages > _MAX_SHORT_PAGES and not state.current.sizes.is_irregular


def _is_search_due(state: ListingState) -> bool:
    growth, sizes, search = state.growth, state.current.sizes, state.growth.search
    if search is not None and search.refusal is not None and search.empty_row <= state.current.anchor.place:
        # Rows stand where a look was refused.
        return True
    if search is None and state.current.pages >= _SEARCH_AFTER[0][1]:
        after = next((pages for longest, pages in _SEARCH_AFTER if sizes.longest <= longest), 0)
        if 0 < after <= state.current.pages:
            return True
    if not growth.short_pages or (search is not None and search.tail is not None):
        return False
    short_pages = _SHORT_PAGES_IRREGULAR if sizes.is_irregular else _SHORT_PAGES
    return growth.short_pages >= short_pages << growth.searches


def _look_ahead(state: ListingState, search: EndSearch) -> None:
    if not state.is_by_whole_pages:
        state.go(Phase.FIND_END, search.offset, state.longest, is_exact=True)
        return
    limit = 1 if search.is_next_row else state.longest
    state.go(Phase.FIND_END, search.offset // limit * limit, limit, is_exact=True)


def find_end(state: ListingState, page: LocatedPage) -> set[OrderKey]:
    """Handle a page ahead."""
    growth, search = state.growth, state.growth.search
    assert search is not None
    if growth.refusal is not None:
        # A look is answered again: the row that was refused is no longer taken for the end.
        growth.end_row, growth.refusal, growth.beyond = -1, None, 0
    search.handle_page(page.first_row, page.rows)
    if not search.is_over:
        _look_ahead(state, search)
        return set()
    if search.tail is not None:
        growth.tail = (search.tail, search.last_row)
    state.read_on()
    return set()
