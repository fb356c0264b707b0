"""Random listings of every kind: each order exactly once, or an error."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from listing_simulator import KINDS, SimulatedListing, Simulation, changes, drive, run, simulate

from airflow_provider_kapture.client.errors import KaptureAnswerError
from airflow_provider_kapture.client.pagination.paginator import AnchoredPaginator, Phase, transitions
from airflow_provider_kapture.client.pagination.requests import Paging

# Pulls of a kind that may end in an error, in per cent; the kinds that are not named here always do or often may.
MAX_ERRORS = {
    "still": 0,
    "quiet": 0,
    "busy": 2,
    "burst": 0.5,
    "an order jumps to the top": 1,
    "orders move up": 1,
    "orders move to the end": 1,
    "ties": 2,
    "orders leave with each response": 0.5,
    "the end grows": 1,
    "2 arrivals per response": 0,
    "5 arrivals per response": 1,
    "10 arrivals per response": 2,
    "cut by bytes": 0,
    "cut to single orders": 1,
    "cut by bytes, with arrivals": 2,
    "rows repeat at page edges": 0.5,
    "a replica lags": 0.5,
    "refused or repeated beyond the end": 0,
    "offset rounded to pages": 0,
    "offset rounded to pages, quiet": 10,
    "page numbers from 0": 0,
    "page numbers from 1": 0,
    "unpaged": 0,
}


def check(kind: str, pulls: int) -> None:
    outcomes: Counter[str] = Counter()
    silent = []
    for seed in range(pulls):
        outcome = run(simulate(kind, seed))
        outcomes[outcome.kind] += 1
        silent += [seed] if outcome.kind == "silent" else []
    assert not silent
    # One in few pulls says nothing of a rate.
    assert outcomes["error"] <= max(MAX_ERRORS.get(kind, 100) * pulls / 100, 2 if MAX_ERRORS.get(kind) else 0)


@pytest.mark.parametrize("kind", KINDS)
def test_random_listings_are_complete_or_an_error(kind: str) -> None:
    check(kind, 70)


@pytest.mark.parametrize(
    ("kind", "seed"),
    [
        ("ties", 668),
        ("ties as wide as a page", 11_982),
        ("burst", 810),
        ("burst", 10_404),
        ("burst", 11_227),
        ("burst", 11_229),
        ("cut by bytes", 10_316),
        ("cut by bytes", 10_915),
        ("orders leave with each response", 11_388),
        ("5 arrivals per response", 89),
        ("5 arrivals per response", 674),
        ("5 arrivals per response", 10_047),
        ("5 arrivals per response", 10_664),
        ("10 arrivals per response", 10_021),
        ("offset rounded to pages, quiet", 4),
        ("offset rounded to pages, quiet", 184),
    ],
)
def test_listings_that_were_once_misread_are_complete_or_an_error(kind: str, seed: int) -> None:
    outcome = run(simulate(kind, seed))
    assert outcome.kind == ("error" if kind == "ties as wide as a page" else "complete"), outcome


@pytest.mark.parametrize("beyond", ["empty", "refused", "last"])
@pytest.mark.parametrize("paging", ["rows", "pages", "pages_from_1"])
@pytest.mark.parametrize("counts", ["rows", "rounded", "pages", "pages_from_1", "ignored"])
def test_whatever_offset_counts_and_is_told_to_count_nothing_is_lost_in_silence(
    counts: str, paging: str, beyond: str
) -> None:
    for rows in (0, 1, 2, 3, 5, 11, 12, 13, 40, 46):
        for cap in (4, 5, 12, 100):
            listing = SimulatedListing(list(range(rows)), cap, counts=counts, beyond=beyond)
            outcome = run(Simulation(listing, 12, 3, random.Random(0), Paging(paging)))
            # Where no order comes at all, the pull looks at another offset, and not the paginator.
            assert outcome.kind != "silent" or not outcome.rows, (rows, cap, outcome)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", KINDS)
def test_many_random_listings_are_complete_or_an_error(kind: str) -> None:
    check(kind, 700)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if MAX_ERRORS.get(kind) == 0])
def test_a_still_listing_gives_the_same_orders_whenever_responses_arrive(kind: str) -> None:
    for seed in range(12):
        orders = set()
        for arrival in range(6):
            simulation = simulate(kind, seed)
            if simulation.listing.change is not None:
                return
            simulation = Simulation(
                simulation.listing, simulation.limit, 1 + 6 * arrival, random.Random(arrival), simulation.paging
            )
            out: list[int] = []
            for _ in drive(simulation, AnchoredPaginator(simulation.limit, paging=simulation.paging), out):
                pass
            orders.add(tuple(out))
        assert len(orders) == 1


@settings(max_examples=80, deadline=None)
@given(
    rows=st.integers(0, 200),
    cap=st.integers(4, 40),
    flight=st.integers(1, 32),
    steps=st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 3), st.sampled_from(["top", "end", "middle"])), max_size=40
    ),
    rng=st.randoms(use_true_random=False),
)
def test_whatever_is_inserted_and_deleted_the_orders_that_stay_come_out_once(rows, cap, flight, steps, rng) -> None:
    pending = [changes(rng, insert=insert, delete=delete, where=where) for insert, delete, where in steps]
    new = iter(range(100_000, 1_000_000))

    def change(listing: list[int]) -> None:
        if pending:
            pending.pop()(listing)
            # Each change numbers its new orders from the same start.
            seen = set(range(100_000))
            listing[:] = [row if row in seen and not seen.discard(row) else next(new) for row in listing]

    listing = SimulatedListing(list(range(rows)), cap, None)
    listing.change = change
    outcome = run(Simulation(listing, 40, flight, rng))
    assert outcome.kind != "silent"


def test_every_transition_is_in_the_table_of_the_module() -> None:
    allowed: dict[str, set[str]] = {}
    for phase, _, following in transitions():
        allowed.setdefault(phase, set()).update(following.replace("as ", "as:").split(", "))
    for phases in allowed.values():
        for each in [each for each in phases if each.startswith("as:")]:
            phases.update(allowed[each.removeprefix("as:")])
    seen = set()
    for kind in KINDS:
        for seed in range(20):
            simulation = simulate(kind, seed)
            pages = AnchoredPaginator(simulation.limit, paging=simulation.paging)
            before = pages.phase
            with suppress(KaptureAnswerError):
                for _ in drive(simulation, pages, []):
                    seen.add((before.name, pages.phase.name))
                    before = pages.phase
    assert not {(phase, following) for phase, following in seen if following not in allowed[phase]}
    assert set(allowed) | {Phase.DONE.name} == {phase.name for phase in Phase}
