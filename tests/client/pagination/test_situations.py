"""Situations that lose, repeat or refuse orders where a listing is read less carefully, each as a simulated listing."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import count

import pytest
from listing_simulator import Outcome, SimulatedListing, Simulation, changes, now_and_then, once, run

from airflow_provider_kapture.client.errors import KaptureListingError, KaptureRefusedError
from airflow_provider_kapture.client.pagination.paginator import AnchoredPaginator
from airflow_provider_kapture.client.pagination.requests import Paging

SEEDS = range(8)


def listing_of(rows: int, cap: int, **more: object) -> SimulatedListing:
    return SimulatedListing(list(range(rows)), cap, **more)  # type: ignore[arg-type]


def outcome_of(listing: SimulatedListing, limit: int = 100, flight: int = 3, paging: Paging = Paging.ROWS) -> Outcome:
    return run(Simulation(listing, limit, flight, random.Random(flight), paging))


def leaves_above(rows: list[int]) -> None:
    if len(rows) > 20:
        rows.pop(10)


def two_move_to_the_end(rows: list[int]) -> None:
    rows += [rows.pop(20), rows.pop(20)]


def jumps_up_as_another_leaves(rows: list[int]) -> None:
    row = rows.pop(250)
    rows.pop(5)
    rows.insert(0, row)


def moves_up(rows: list[int]) -> None:
    rows.insert(30, rows.pop(260))


def arrive(count: int) -> Callable[[list[int]], None]:
    new = iter(range(100_000, 10_000_000))

    def change(rows: list[int]) -> None:
        rows[:0] = [next(new) for _ in range(count)]

    return change


def grows(count: int) -> Callable[[list[int]], None]:
    return changes(random.Random(0), insert=count, delete=0, where="end")


def weight(row: int) -> int:
    return 30 if row % 7 == 3 else row % 5 + 1


def shows_two_pages_by_turns(rows: int) -> SimulatedListing:
    """From row 30 on, responses show the same two pages by turns."""
    listing = listing_of(rows, 10)
    page = listing._page
    listing._page = lambda rows, offset, limit: page(  # type: ignore[method-assign]
        rows, offset if offset < 30 else 20 + 3 * (listing.requests % 2), limit
    )
    return listing


def insert_near_the_end(rows: list[int]) -> None:
    rows[-5:-5] = range(100_000, 100_100)


def shrinks_to_one(rows: list[int]) -> None:
    del rows[1:]


SITUATIONS: list[tuple[str, Callable[[int], SimulatedListing], str]] = [
    (
        "an order above the end leaves with each response",
        lambda _: listing_of(300, 40, change=leaves_above),
        "complete",
    ),
    ("51 rows, rounded offsets, a cap of 50", lambda _: listing_of(51, 50, counts="rounded"), "complete"),
    ("250 rows, rounded offsets, a cap of 100", lambda _: listing_of(250, 100, counts="rounded"), "complete"),
    ("page numbers, told to be rows", lambda _: listing_of(250, 50, counts="pages"), "error"),
    (
        "cut by bytes while orders arrive at the top",
        lambda seed: listing_of(
            300, 40, sizes=(weight, 70), change=changes(random.Random(seed), insert=1, delete=0, where="top")
        ),
        "complete",
    ),
    (
        "two orders that were read move to the end",
        lambda seed: listing_of(90, 40, change=once(random.Random(seed), two_move_to_the_end, 2)),
        "any",
    ),
    (
        "an unread order jumps to the top as another leaves",
        lambda seed: listing_of(300, 40, change=once(random.Random(seed), jumps_up_as_another_leaves, 5)),
        "complete",
    ),
    (
        "equal sort keys at page edges",
        lambda seed: listing_of(300, 30, tie_sizes=random.Random(seed).choices([1, 1, 1, 2, 3], k=300)),
        "complete",
    ),
    (
        "an unread order moves up into what was read",
        lambda seed: listing_of(300, 40, change=once(random.Random(seed), moves_up, 5)),
        "complete",
    ),
    ("unpaged, one order", lambda _: listing_of(1, 40, counts="both"), "complete"),
    ("unpaged, two orders", lambda _: listing_of(2, 40, counts="both"), "complete"),
    ("unpaged, 49 orders", lambda _: listing_of(49, 40, counts="both"), "complete"),
    ("unpaged, more orders than requested", lambda _: listing_of(333, 40, counts="both"), "complete"),
    ("one order, refused beyond the end", lambda _: listing_of(1, 40, beyond="refused"), "complete"),
    ("one order, repeated beyond the end", lambda _: listing_of(1, 40, beyond="last"), "complete"),
    ("a search engine's window that holds all", lambda _: listing_of(990, 100, window=1_000), "complete"),
    ("a search engine's window that does not", lambda _: listing_of(1_300, 100, window=1_000), "error"),
    ("the end grows as fast as it is read", lambda _: listing_of(99, 4, change=grows(3)), "complete"),
    ("cut by bytes", lambda _: listing_of(300, 40, sizes=(weight, 70)), "complete"),
    ("5 arrivals per response", lambda _: listing_of(400, 50, change=arrive(5)), "complete"),
    (
        "now and then one arrives",
        lambda seed: listing_of(400, 50, change=now_and_then(random.Random(seed), arrive(1))),
        "complete",
    ),
    ("two known pages by turns, for ever", lambda _: shows_two_pages_by_turns(500), "error"),
    (
        "a listing of some orders shrinks to one",
        lambda seed: listing_of(3, 40, change=once(random.Random(seed), shrinks_to_one, 2)),
        "complete",
    ),
    (
        "many orders are inserted before the last page while the end is looked for",
        lambda seed: listing_of(400, 12, change=once(random.Random(seed), insert_near_the_end, 30)),
        "complete",
    ),
    ("exactly as many rows as a search engine gives", lambda _: listing_of(10_000, 1_000), "error"),
]


@pytest.mark.parametrize("flight", [1, 4, 32])
@pytest.mark.parametrize(("make", "expected"), [each[1:] for each in SITUATIONS], ids=[each[0] for each in SITUATIONS])
def test_each_situation_is_complete_or_a_true_error(
    make: Callable[[int], SimulatedListing], expected: str, flight: int
) -> None:
    for seed in SEEDS:
        outcome = outcome_of(make(seed), flight=flight)
        assert outcome.kind != "silent"
        assert expected in ("any", outcome.kind), outcome


def test_a_listing_that_grows_as_it_is_read_takes_few_requests_more_than_a_still_one() -> None:
    for cap in (2, 4, 12, 16):
        still = outcome_of(listing_of(99, cap), flight=1).requests
        assert outcome_of(listing_of(99, cap, change=grows(cap - 1)), flight=1).requests <= still + 64


@pytest.mark.parametrize(
    ("rows", "requests"), [(0, 1), (1, 2), (2, 2), (499, 2), (500, 2), (501, 4), (998, 4), (999, 4), (1_000, 5)]
)
def test_a_still_listing_takes_as_few_requests_as_prove_it(rows: int, requests: int) -> None:
    assert outcome_of(listing_of(rows, 500), 500, 1).requests == requests


def test_known_pages_that_come_again_for_ever_are_a_bounded_error() -> None:
    outcome = outcome_of(shows_two_pages_by_turns(500), flight=1)
    assert "only orders that had been read before" in (outcome.error or "")
    assert outcome.requests <= 100


def test_a_listing_without_an_end_is_a_bounded_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_kapture.client.pagination.paginator.MAX_RESPONSES", 200)
    listing = listing_of(0, 40)
    listing._page = lambda rows, offset, limit: list(range(offset, offset + 40))  # type: ignore[method-assign]
    outcome = outcome_of(listing)
    assert "did not end within 200 requests" in (outcome.error or "")
    assert outcome.requests <= 210


def test_orders_that_leave_while_the_end_of_page_numbers_is_confirmed_hide_no_others() -> None:
    answered = iter(range(1, 100))

    def change(rows: list[int]) -> None:
        if next(answered) == 2:
            del rows[:2]

    listing = listing_of(4, 2, counts="pages", change=change)
    assert outcome_of(listing, flight=1, paging=Paging.PAGES).kind != "silent"


def test_a_listing_that_grows_where_requests_beyond_the_end_are_refused_is_bounded() -> None:
    listing = listing_of(12, 40, beyond="refused", change=grows(2))
    assert outcome_of(listing, limit=5, flight=1).requests <= 400


def refuses_looks(refused: Callable[[int], bool]) -> SimulatedListing:
    """Pages of 12, whose end is looked for, and looks refused by their number; no other request but these has a 12."""
    listing = listing_of(2_400, 12)
    page, looks = listing._page, count(1)

    def page_unless_refused(rows: list[int], offset: int, limit: int) -> list[int]:
        if limit == 12 and refused(next(looks)):
            raise KaptureRefusedError("Try once more", status=200)
        return page(rows, offset, limit)

    listing._page = page_unless_refused  # type: ignore[method-assign]
    return listing


@pytest.mark.parametrize("flight", [1, 4])
@pytest.mark.parametrize("number", range(1, 9))
def test_a_look_ahead_that_is_refused_once_is_requested_again(number: int, flight: int) -> None:
    still = outcome_of(refuses_looks(lambda _: False), flight=flight)
    outcome = outcome_of(refuses_looks(lambda look: look == number), flight=flight)
    assert (outcome.kind, outcome.requests) == ("complete", still.requests + 1)


@pytest.mark.parametrize("flight", [1, 4])
@pytest.mark.parametrize("number", range(1, 9))
def test_rows_behind_a_look_that_is_refused_twice_show_that_it_is_not_the_end(number: int, flight: int) -> None:
    outcome = outcome_of(refuses_looks(lambda look: look in (number, number + 1)), flight=flight)
    assert outcome.kind == "complete", outcome


@pytest.mark.parametrize("flight", [1, 4])
def test_looks_ahead_that_are_always_refused_although_rows_stand_there_are_an_error_by_name(flight: int) -> None:
    outcome = outcome_of(refuses_looks(lambda _: True), flight=flight)
    assert outcome.error == "Try once more"
    assert outcome.requests <= 200


@pytest.mark.parametrize("seed", range(40))
def test_looks_ahead_that_are_refused_now_and_then_lose_nothing(seed: int) -> None:
    rng = random.Random(seed)
    outcome = outcome_of(refuses_looks(lambda _: rng.random() < 0.4))
    assert outcome.kind == "complete" or outcome.error == "Try once more", outcome


def test_the_end_is_not_looked_for_again_where_a_look_before_an_empty_page_is_refused() -> None:
    looks: list[int] = []
    outcome = outcome_of(refuses_looks(lambda look: looks.append(look) or look > 3))  # type: ignore[func-returns-value]
    assert (outcome.kind, looks) == ("complete", [1, 2, 3, 4, 5])


@pytest.mark.parametrize("refused", [{1}, {1, 2}])
def test_a_refusal_that_was_of_no_consequence_is_not_the_error_of_a_later_one(refused: set[int]) -> None:
    listing = refuses_looks(lambda look: look in refused)
    page = listing._page

    def page_but_one_top(rows: list[int], offset: int, limit: int) -> list[int]:
        if not offset and listing.requests > 1:
            raise KaptureRefusedError("another refusal", status=200)
        return page(rows, offset, limit)

    listing._page = page_but_one_top  # type: ignore[method-assign]
    assert outcome_of(listing).error == "another refusal"


@pytest.mark.parametrize("flight", [1, 4])
def test_a_listing_that_grows_is_so_called_where_requests_beyond_the_end_are_refused(flight: int) -> None:
    outcome = outcome_of(listing_of(12, 40, beyond="refused", change=grows(2)), limit=5, flight=flight)
    assert "grew at its end" in (outcome.error or "")


def test_what_a_listing_says_of_its_end_is_said_by_name() -> None:
    assert "no rows beyond" in (outcome_of(listing_of(1_300, 100, window=1_000)).error or "")
    assert "exactly 10,000" in (outcome_of(listing_of(10_000, 1_000)).error or "")
    assert "`paging`" in (outcome_of(listing_of(250, 50, counts="pages")).error or "")


@pytest.mark.parametrize("rows", [1_000, 5_000])
def test_a_usual_limit_is_a_warning(rows: int) -> None:
    pages = AnchoredPaginator(500)
    run(Simulation(listing_of(rows, 500), 500, 1, random.Random(0)), pages)
    assert f"{rows:,}" in pages.warnings[0]


def test_rows_of_one_response_that_share_an_id_and_differ_are_an_error() -> None:
    with pytest.raises(KaptureListingError, match="lists lines, not orders") as caught:
        AnchoredPaginator(10).handle_page([1, 2, 1], [b"a", b"b", b"c"])
    assert caught.value.permanent


def test_rows_of_one_response_that_are_the_same_are_one() -> None:
    assert list(AnchoredPaginator(10).handle_page([1, 2, 1], [b"a", b"b", b"a"])) == [0, 1]
