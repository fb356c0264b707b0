import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_kapture.client.errors import KaptureListingError
from airflow_provider_kapture.client.memory import Memory
from airflow_provider_kapture.client.walk import Ask, Walk

Change = Callable[[list[int]], None]


class Listing:
    """A server's listing: a cap on pages, and what happens to it after each answer."""

    def __init__(self, rows: int, cap: int, change: Change | None = None) -> None:
        self.rows = list(range(rows))
        self.always = set(self.rows)
        self.cap = cap
        self.change = change
        self.requests = 0

    def answer(self, offset: int, limit: int) -> list[int]:
        self.requests += 1
        page = self.rows[offset : offset + min(limit, self.cap)]
        if self.change:
            self.change(self.rows)
            self.always &= set(self.rows)
        return page


def pull(listing: Listing, limit: int, flight: int = 1, shuffle: random.Random | None = None) -> list[int]:
    """Drive a walk, with answers that arrive in any order and are taken in theirs."""
    walk = Walk(limit)
    answers: dict[Ask, list[int]] = {}
    out: list[int] = []
    while not walk.done:
        asks = [each for each in walk.ask(flight) if each not in answers]
        if shuffle:
            shuffle.shuffle(asks)
        for each in asks:
            answers[each] = listing.answer(each.offset, limit)
        page = answers.pop(walk.head)
        out += [page[index] for index in walk.take(page)]
        assert listing.requests < 5000
    assert walk.overshoot < max(flight, 1)
    return out


@given(st.integers(0, 400), st.integers(2, 60), st.integers(2, 60), st.integers(1, 8), st.randoms())
def test_a_still_listing_comes_out_once_in_order(
    rows: int, cap: int, limit: int, flight: int, rng: random.Random
) -> None:
    listing = Listing(rows, cap)
    assert pull(listing, limit, flight, rng) == list(range(rows))
    pages = -(-max(rows - 1, 1) // (min(cap, limit) - 1))
    assert listing.requests <= pages + flight + 1


@settings(max_examples=300)
@given(
    st.integers(0, 300),
    st.integers(4, 40),
    st.integers(1, 5),
    st.lists(st.tuples(st.booleans(), st.floats(0, 1, exclude_max=True), st.integers(1, 6)), max_size=60),
    st.randoms(),
)
def test_what_stayed_in_a_moving_listing_comes_out_once(
    rows: int, cap: int, flight: int, moves: list[tuple[bool, float, int]], rng: random.Random
) -> None:
    pending = list(moves)
    new = iter(range(10_000, 99_999))

    def change(listing: list[int]) -> None:
        if not pending:
            return
        insert, where, many = pending.pop()
        for _ in range(many):
            if insert:
                listing.insert(int(where * (len(listing) + 1)), next(new))
            elif listing:
                listing.pop(int(where * len(listing)))

    listing = Listing(rows, cap, change)
    try:
        out = pull(listing, 40, flight, rng)
    except KaptureListingError:
        return
    assert len(out) == len(set(out))
    assert listing.always <= set(out)


@pytest.mark.parametrize("flight", [1, 4])
@pytest.mark.parametrize("where", ["top", "end", "middle"])
@pytest.mark.parametrize("insert", [True, False])
def test_one_move_after_every_answer_is_followed(insert: bool, where: str, flight: int) -> None:
    new = iter(range(10_000, 99_999))

    def change(listing: list[int]) -> None:
        place = {"top": 0, "end": len(listing), "middle": len(listing) // 2}[where]
        if insert:
            listing.insert(place, next(new))
        elif listing:
            listing.pop(min(place, len(listing) - 1))

    listing = Listing(1000, 40, change)
    out = pull(listing, 100, flight)
    assert listing.always <= set(out)
    assert len(out) == len(set(out))
    assert listing.requests <= 3 * 26


@pytest.mark.parametrize("rows", [2, 3, 40, 41, 500])
@pytest.mark.parametrize("flight", [1, 4])
def test_an_ignored_offset_is_named_within_a_few_requests(rows: int, flight: int) -> None:
    listing = Listing(rows, 40)
    original = listing.answer
    listing.answer = lambda _offset, limit: original(0, limit)  # type: ignore[method-assign]
    with pytest.raises(KaptureListingError, match="offset"):
        pull(listing, 40, flight)
    assert listing.requests <= 8


def test_one_row_a_page_is_named() -> None:
    with pytest.raises(KaptureListingError, match="single row"):
        pull(Listing(9, 1), 40)


@pytest.mark.parametrize("flight", [1, 4])
@pytest.mark.parametrize("seed", range(20))
def test_an_order_that_is_not_stable_is_an_error(seed: int, flight: int) -> None:
    rng = random.Random(seed)
    listing = Listing(1000, 40, rng.shuffle)
    with pytest.raises(KaptureListingError):
        pull(listing, 40, flight)


@pytest.mark.parametrize("repeat", [1, 3])
def test_rows_repeated_at_page_edges_come_out_once(repeat: int) -> None:
    listing = Listing(500, 40)
    original = listing.answer
    listing.answer = lambda offset, limit: original(max(offset - repeat, 0), limit)  # type: ignore[method-assign]
    assert pull(listing, 40, 4) == list(range(500))


@given(st.integers(0, 200), st.integers(0, 2**32))
def test_pages_of_any_length_lose_nothing(rows: int, seed: int) -> None:
    rng = random.Random(seed)
    listing = Listing(rows, 40)
    original = listing.answer
    listing.answer = lambda offset, limit: original(offset, rng.randint(2, limit))  # type: ignore[method-assign]
    try:
        assert pull(listing, 40, 3) == list(range(rows))
    except KaptureListingError:
        return


def test_memory_knows_what_it_has_spilled() -> None:
    memory = Memory(recent=10)
    keys = [*range(50), 1 << 70, "a", "17"]
    for rank, key in enumerate(keys):
        memory.set({key: rank})
    assert memory.ranks([*keys, "unknown"]) == {key: rank for rank, key in enumerate(keys)}
    memory.close()


@given(
    st.lists(st.dictionaries(st.integers(-9, 90) | st.integers() | st.sampled_from(["a", "17", ""]), st.integers(0, 9)))
)
def test_memory_is_a_dict_that_spills(steps: list[dict[int | str, int]]) -> None:
    memory, expected = Memory(recent=4), dict[int | str, int]()
    for ranks in steps:
        keys = [*ranks, *expected, -1, "other"]
        assert memory.ranks(keys) == {key: expected[key] for key in keys if key in expected}
        memory.set(ranks)
        expected |= ranks
    memory.close()
