"""Refused requests: which of them mean that no row stands at the offset, and which that Kapture gives no row there."""

from __future__ import annotations

from airflow_provider_kapture.client.errors import KaptureAnswerError
from airflow_provider_kapture.client.pagination import messages
from airflow_provider_kapture.client.pagination.messages import listing_error
from airflow_provider_kapture.client.pagination.page import LocatedPage
from airflow_provider_kapture.client.pagination.phases import LOOKS, Phase
from airflow_provider_kapture.client.pagination.recovery import step_back
from airflow_provider_kapture.client.pagination.requests import PageRequest
from airflow_provider_kapture.client.pagination.state import ListingState

_MAX_REFUSALS = 4  # of a row that holds an order


def judge_refusal(state: ListingState, request: PageRequest, refusal: KaptureAnswerError) -> LocatedPage | None:
    """Return the page without rows that a refusal stands for; none if another request is to show that first.

    :raises KaptureAnswerError: it is not the end of the listing
    """
    phase, empty = state.phase, LocatedPage(request, (), (), {})
    if state.offsets.first_page is not None:
        return empty
    is_failure = phase is Phase.CONFIRM_END and state.knowledge.shows_empty_pages
    if phase is Phase.CONFIRM_REFUSAL or not request.first_row or is_failure:
        raise refusal if state.refusals.latest is None else state.refusals.latest[2]
    if phase in LOOKS or phase is Phase.CONFIRM_END:
        return _judge_beyond(state, empty, refusal)
    _retry_below(state, empty, refusal)
    return None


def _judge_beyond(state: ListingState, empty: LocatedPage, refusal: KaptureAnswerError) -> LocatedPage | None:
    """Judge a refusal where no order was read: it is the end if it comes twice, and the top is still answered.

    A look ahead of the reading needs no top: reading goes on, and shows whether rows stand there.
    """
    refusals, request = state.refusals, empty.request
    state.queue.clear()
    if refusals.latest is None or refusals.latest[1] != (request.offset, request.limit):
        refusals.latest = (state.phase, (request.offset, request.limit), refusal)
        state.queue.append(request.offset, request.limit, request.first_row)
        return None
    if state.phase is Phase.FIND_END and state.growth.search is not None:
        refusals.latest = None
        state.growth.search.refuse(request.first_row, refusal)
        state.read_on()
        return None
    if state.knowledge.is_end_refusal(refusal):
        return empty
    refusals.page = empty
    state.go(Phase.CONFIRM_REFUSAL, 0, 2)
    return None


def _retry_below(state: ListingState, empty: LocatedPage, refusal: KaptureAnswerError) -> None:
    """Request a row again that held an order: it left, or the server gives no rows that deep."""
    refusals, request = state.refusals, empty.request
    refusals.count += 1
    is_retried = refusals.count <= _MAX_REFUSALS and request.limit > 2 * (refusals.count == 1)
    if is_retried and not state.is_by_whole_pages:
        refusals.small_limit = 2
        state.go(state.phase, request.first_row, 2)
        return
    if refusals.count > _MAX_REFUSALS and state.offsets.is_proven and state.phase is Phase.READ:
        is_deepest = request.first_row + request.limit > state.knowledge.deepest
        if state.current.sizes.last_was_short or not is_deepest:
            raise refusal
        raise listing_error(messages.NO_ROWS_BEYOND.format(state.current.anchor.place + 1), is_permanent=True)
    refusals.small_limit = 0
    step_back(state, empty)


def confirm_refusal(state: ListingState, page: LocatedPage) -> LocatedPage:
    """Return the page without rows that the refusal stands for, as the top is still answered.

    :raises KaptureAnswerError: it is not
    """
    assert state.refusals.latest is not None
    assert state.refusals.page is not None
    phase, _, refusal = state.refusals.latest
    if not page.known:
        raise refusal
    state.knowledge.add_end_refusal(refusal)
    state.phase = phase
    return state.refusals.page
