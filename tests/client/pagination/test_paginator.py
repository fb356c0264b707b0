import random
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_kapture.client.errors import KaptureListingError
from airflow_provider_kapture.client.pagination.paginator import AnchoredPaginator
from airflow_provider_kapture.client.pagination.requests import PageRequest
from airflow_provider_kapture.client.pagination.spill import RankStore

Change = Callable[[list[int]], None]


class Listing:
    """A server's listing: a cap on pages, and what happens to it after each answer."""

    def __init__(self, rows: int, cap: int, change: Change | None = None, uneven: random.Random | None = None) -> None:
        self.rows = list(range(rows))
        self.always = set(self.rows)
        self.cap = cap
        self.change = change
        self.requests = 0
        self.uneven = uneven
        self.is_steady = not (change or uneven)

    def answer(self, offset: int, limit: int) -> list[int]:
        self.requests += 1
        most = min(limit, self.cap)
        page = self.rows[offset : offset + (self.uneven.randint(min(2, most), most) if self.uneven else most)]
        if self.change:
            self.change(self.rows)
            self.always &= set(self.rows)
        return page


def pull(listing: Listing, limit: int, flight: int = 1, shuffle: random.Random | None = None) -> list[int]:
    """Drive a paginator, with responses that arrive in any order and are handled in theirs."""
    pages = AnchoredPaginator(limit)
    answers: dict[PageRequest, list[int]] = {}
    out: list[int] = []
    while not pages.done:
        waiting = [each for each in pages.next_requests(flight) if each not in answers]
        if shuffle:
            shuffle.shuffle(waiting)
        for each in waiting:
            answers[each] = listing.answer(each.offset, each.limit)
        head = pages.current_request
        page = answers.pop(head)
        has_later_orders = any(rows for each, rows in answers.items() if each.offset > head.offset)
        out += [page[index] for index in pages.handle_page(page, has_later_orders=has_later_orders)]
        assert listing.requests < 5000
    return out


@given(st.integers(0, 400), st.integers(3, 60), st.integers(3, 60), st.integers(1, 8), st.randoms())
def test_a_still_listing_comes_out_once_in_order(
    rows: int, cap: int, limit: int, flight: int, rng: random.Random
) -> None:
    listing = Listing(rows, cap)
    assert pull(listing, limit, flight, rng) == list(range(rows))
    pages = -(-max(rows - 1, 1) // (min(cap, limit) - 1))
    looks = 24 if min(cap, limit) <= 16 and pages >= 32 else 0
    assert listing.requests <= pages + flight + 2 + looks


@settings(max_examples=150)
@given(
    st.integers(0, 300),
    st.tuples(st.integers(4, 40), st.booleans()),
    st.integers(1, 5),
    st.lists(st.tuples(st.booleans(), st.floats(0, 1), st.integers(1, 6)), max_size=60),
    st.randoms(),
)
def test_what_stayed_in_a_moving_listing_comes_out_once(
    rows: int, pages: tuple[int, bool], flight: int, moves: list[tuple[bool, float, int]], rng: random.Random
) -> None:
    cap, is_uneven = pages
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
                listing.pop(min(int(where * len(listing)), len(listing) - 1))

    listing = Listing(rows, cap, change, rng if is_uneven else None)
    try:
        out = pull(listing, 40, flight, rng)
    except KaptureListingError:
        return
    assert len(out) == len(set(out))
    assert listing.always <= set(out)


def mover(insert: int, delete: int, where: str, seed: int = 0) -> Change:
    """Insert and delete so many rows after each answer."""
    new = iter(range(10_000, 999_999))
    rng = random.Random(seed)

    def place(length: int) -> int:
        return {"top": 0, "end": length, "middle": length // 2, "random": rng.randint(0, length)}[where]

    def change(listing: list[int]) -> None:
        for _ in range(insert):
            listing.insert(place(len(listing)), next(new))
        for _ in range(min(delete, len(listing))):
            listing.pop(min(place(len(listing)), len(listing) - 1))

    return change


@pytest.mark.parametrize("flight", [1, 4, 8])
@pytest.mark.parametrize("where", ["top", "end", "middle", "random"])
@pytest.mark.parametrize("moves", [(1, 0), (0, 1), (1, 1)])
@pytest.mark.parametrize(("rows", "limit"), [(1000, 100), (1000, 40), (60, 40), (30, 100)])
def test_one_move_after_every_answer_is_followed(
    rows: int, limit: int, moves: tuple[int, int], where: str, flight: int
) -> None:
    still = Listing(rows, 40)
    pull(still, limit, flight)
    listing = Listing(rows, 40, mover(*moves, where=where))
    out = pull(listing, limit, flight)
    assert listing.always <= set(out)
    assert len(out) == len(set(out))
    assert listing.requests <= 4 * still.requests + 80


@pytest.mark.parametrize("flight", [1, 4])
@pytest.mark.parametrize("where", ["top", "end", "middle", "random"])
@pytest.mark.parametrize(("insert", "delete"), [(5, 0), (0, 5), (5, 5)])
def test_many_moves_after_every_answer_are_followed(insert: int, delete: int, where: str, flight: int) -> None:
    listing = Listing(1000, 40, mover(insert, delete, where))
    out = pull(listing, 100, flight)
    assert listing.always <= set(out)
    assert len(out) == len(set(out))


@pytest.mark.parametrize("seed", range(30))
def test_pages_that_lose_half_their_rows_while_others_are_on_their_way_are_followed(seed: int) -> None:
    listing = Listing(833, 6, mover(0, 1, "random", seed))
    assert listing.always <= set(pull(listing, 250, flight=4, shuffle=random.Random(seed)))


def once(after: int, change: Change) -> Change:
    """One change, after so many answers."""
    answers = iter(range(1, after + 1))

    def changed(listing: list[int]) -> None:
        if next(answers, None) == after:
            change(listing)

    return changed


@pytest.mark.parametrize("flight", [1, 4])
@pytest.mark.parametrize("after", [1, 3, 8, 9, 20])
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda rows: rows.__setitem__(slice(0, 0), range(10_000, 10_300)), id="many appear at the top"),
        pytest.param(lambda rows: rows.__delitem__(slice(0, 200)), id="many vanish at the top"),
        pytest.param(lambda rows: rows.__delitem__(slice(-200, None)), id="many vanish at the end"),
        pytest.param(lambda rows: rows.__delitem__(slice(30, 45)), id="what was read vanishes, anchors among it"),
        pytest.param(lambda rows: rows.__setitem__(slice(20, 20), range(10_000, 10_010)), id="some appear inside"),
        pytest.param(lambda rows: rows.clear(), id="all vanish"),
    ],
)
def test_what_happens_once_is_followed(change: Change, after: int, flight: int) -> None:
    listing = Listing(700, 40, once(after, change))
    out = pull(listing, 100, flight)
    assert listing.always <= set(out)
    assert len(out) == len(set(out))
    assert listing.requests <= 4 * 20


@pytest.mark.parametrize("flight", [1, 4])
def test_an_order_that_moves_to_the_top_before_it_is_read_is_not_lost(flight: int) -> None:
    listing = Listing(700, 40, once(6, lambda rows: rows.insert(0, rows.pop(600))))
    assert set(pull(listing, 100, flight)) == set(range(700))


@pytest.mark.parametrize("flight", [1, 4])
@pytest.mark.parametrize("between", [1, 38, 39, 45, 90])
def test_an_order_that_moves_to_the_top_is_not_lost_below_others_and_one_that_was_read(
    between: int, flight: int
) -> None:
    def change(listing: list[int]) -> None:
        listing.insert(0, listing.pop(listing.index(350)))
        listing[:0] = range(10_000, 10_000 + between)
        listing.insert(0, listing.pop(listing.index(20)))

    listing = Listing(400, 40, once(4, change))
    try:
        out = pull(listing, 40, flight)
    except KaptureListingError:
        return
    assert listing.always <= set(out)
    assert len(out) == len(set(out))


def test_an_order_that_was_read_and_moves_down_does_not_hide_others() -> None:
    listing = Listing(700, 40, once(6, lambda rows: rows.insert(600, rows.pop(50))))
    assert sorted(pull(listing, 100)) == list(range(700))


class Deaf(Listing):
    """A server that ignores `offset`."""

    def answer(self, offset: int, limit: int) -> list[int]:
        return super().answer(0, limit)


@pytest.mark.parametrize("rows", [2, 3, 40, 41, 500])
@pytest.mark.parametrize("flight", [1, 4])
def test_an_ignored_offset_is_named_within_a_few_requests(rows: int, flight: int) -> None:
    listing = Deaf(rows, 40)
    with pytest.raises(KaptureListingError, match="offset"):
        pull(listing, 40, flight)
    assert listing.requests <= 8


@pytest.mark.parametrize("rows", [39, 500])
@pytest.mark.parametrize("flight", [1, 4])
def test_an_ignored_offset_is_named_while_the_listing_moves(rows: int, flight: int) -> None:
    listing = Deaf(rows, 40, mover(1, 0, "top"))
    with pytest.raises(KaptureListingError, match="offset"):
        pull(listing, 40, flight)
    assert listing.requests <= 12


@pytest.mark.parametrize("flight", [1, 4])
def test_one_row_a_page_is_named(flight: int) -> None:
    listing = Listing(9, 1)
    with pytest.raises(KaptureListingError, match="single row"):
        pull(listing, 40, flight)
    assert listing.requests <= 4


@pytest.mark.parametrize("where", ["top", "end"])
def test_a_listing_of_one_row_is_followed(where: str) -> None:
    listing = Listing(1, 40, once(1, mover(1, 0, where)))
    assert 0 in pull(listing, 40)
    assert listing.requests <= 9


@pytest.mark.parametrize("flight", [1, 4])
@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("rows", [50, 1000, 10_000])
def test_an_order_that_is_not_stable_is_an_error(rows: int, seed: int, flight: int) -> None:
    rng = random.Random(seed)
    listing = Listing(rows, 40, rng.shuffle)
    with pytest.raises(KaptureListingError):
        pull(listing, 40, flight)
    assert listing.requests <= 30


@pytest.mark.parametrize("flight", [1, 4])
@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("rows", [11, 41, 45])
def test_an_order_that_is_not_stable_is_an_error_where_the_first_page_holds_nearly_all(
    rows: int, seed: int, flight: int
) -> None:
    rng = random.Random(seed)
    with pytest.raises(KaptureListingError):
        pull(Listing(rows, 10 if rows < 40 else 40, rng.shuffle), 40, flight)


@pytest.mark.parametrize("repeat", [1, 3])
@pytest.mark.parametrize("cap", [3, 7, 40])
@pytest.mark.parametrize("rows", [1, 2, 3, 39, 500])
def test_rows_repeated_at_page_edges_come_out_once(rows: int, cap: int, repeat: int) -> None:
    listing = Listing(rows, cap)
    original = listing.answer
    listing.answer = lambda offset, limit: original(max(offset - repeat, 0), limit)  # type: ignore[method-assign]
    assert pull(listing, 40, 4) == list(range(rows))


@pytest.mark.parametrize("repeat", [1, 3])
@pytest.mark.parametrize("rows", [2, 3, 9, 900])
def test_one_row_a_page_is_named_where_rows_repeat(rows: int, repeat: int) -> None:
    listing = Listing(rows, 1)
    original = listing.answer
    listing.answer = lambda offset, limit: original(max(offset - repeat, 0), limit)  # type: ignore[method-assign]
    with pytest.raises(KaptureListingError, match="single row"):
        pull(listing, 40)


def test_rows_that_stand_twice_in_a_row_come_out_once() -> None:
    listing = Listing(0, 7)
    listing.rows = [row // 2 for row in range(100)]
    assert pull(listing, 40, 4) == list(range(50))


class Cut(Listing):
    """A server that cuts the pages at some offsets short."""

    def __init__(self, rows: int, cap: int, lengths: Mapping[int, int]) -> None:
        super().__init__(rows, cap)
        self.lengths = lengths
        self.is_steady = False

    def answer(self, offset: int, limit: int) -> list[int]:
        return super().answer(offset, limit)[: self.lengths.get(offset, limit)]


@pytest.mark.parametrize("flight", [1, 4])
def test_a_page_of_one_row_is_not_the_end_where_pages_were_cut(flight: int) -> None:
    assert pull(Cut(60, 10, {9: 6, 14: 10, 23: 1}), 40, flight) == list(range(60))


@pytest.mark.parametrize("lengths", [{19: 2, 20: 2, 21: 1}, {76: 2, 77: 2, 78: 2, 79: 1}])
@pytest.mark.parametrize("flight", [1, 4])
def test_a_page_of_one_row_is_not_the_end_where_one_before_was_short_and_not_the_last(
    lengths: Mapping[int, int], flight: int
) -> None:
    assert pull(Cut(100, 20, lengths), 20, flight) == list(range(100))


@pytest.mark.parametrize("flight", [3, 4, 8, 32])
@pytest.mark.parametrize("at", [38, 57, 95])
def test_a_page_of_one_row_is_not_the_end_where_a_page_beyond_it_has_come(at: int, flight: int) -> None:
    assert pull(Cut(400, 20, {at: 1}), 20, flight) == list(range(400))


@pytest.mark.parametrize("flight", [3, 4, 8])
def test_pages_that_shrink_to_one_row_are_followed_where_pages_beyond_have_come(flight: int) -> None:
    assert pull(Cut(120, 20, dict.fromkeys(range(38, 50), 1)), 20, flight) == list(range(120))


@settings(max_examples=150)
@given(st.integers(0, 200), st.integers(2, 40), st.integers(0, 2**32))
def test_pages_of_any_length_lose_nothing(rows: int, cap: int, seed: int) -> None:
    assert pull(Listing(rows, cap, uneven=random.Random(seed)), 40, 3) == list(range(rows))


def test_a_rank_store_knows_what_it_has_spilled() -> None:
    memory = RankStore(recent=10)
    keys = [*range(50), 1 << 70, "a", "17"]
    for rank, key in enumerate(keys):
        memory.set({key: rank})
    assert memory.ranks([*keys, "unknown"]) == {key: rank for rank, key in enumerate(keys)}
    memory.close()


@given(
    st.lists(st.dictionaries(st.integers(-9, 90) | st.integers() | st.sampled_from(["a", "17", ""]), st.integers(0, 9)))
)
def test_a_rank_store_is_a_dict_that_spills(steps: list[dict[int | str, int]]) -> None:
    memory, expected = RankStore(recent=4), dict[int | str, int]()
    for ranks in steps:
        keys = [*ranks, *expected, -1, "other"]
        assert memory.ranks(keys) == {key: expected[key] for key in keys if key in expected}
        memory.set(ranks)
        expected |= ranks
    memory.close()


class RepeatingListing(Listing):
    """One that shows its first page again at each offset beyond its end."""

    def answer(self, offset: int, limit: int) -> list[int]:
        return super().answer(offset if offset < len(self.rows) else 0, limit)


@pytest.mark.parametrize("flight", [1, 2, 4])
@pytest.mark.parametrize("rows", [2, 19, 28, 41, 79])
def test_the_first_page_again_beyond_the_end_is_the_end(rows: int, flight: int) -> None:
    listing = RepeatingListing(rows, 10)
    assert pull(listing, 10, flight) == list(range(rows))
    assert listing.requests <= rows // 9 + flight + 5
