"""A listing that changes while it is read, and the server that shows it: seeded, without I/O or clock.

Each kind of listing is a function of a random generator, so a kind and a seed name one pull. The invariant is that of
guarantee G1: each order that stands in the listing, on every replica, at every moment of the pull comes out exactly
once, or the pull ends in an error.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from airflow_provider_kapture.client.errors import KaptureListingError, KaptureRefusedError
from airflow_provider_kapture.client.pagination.paginator import AnchoredPaginator
from airflow_provider_kapture.client.pagination.requests import PageRequest, Paging

Change = Callable[[list[int]], None]
MAX_RESPONSES = 6_000


class EndlessError(AssertionError):
    """The pull sent more requests than any pull should need."""


@dataclass
class SimulatedListing:
    """The rows of a listing and how a server shows them.

    :param cap: the most rows of one page
    :param change: what happens to the rows after each response that has rows
    :param lengths: draws the length of a page, where pages have no steady length
    :param sizes: the bytes of a row and of the longest page, where pages are cut by bytes
    :param tie_sizes: the sizes of groups of neighbours whose order depends on the request
    :param repeated: rows that are shown again at the edge between two pages
    :param lag: responses of a lagging replica show the rows as they were so many changes ago
    :param counts: what `offset` counts: `rows`, `rounded`, `pages`, `pages_from_1`; `ignored`; `both` ignored
    :param beyond: what a request past the end gets: `empty`, `refused` or `last` (the last page again)
    :param window: the deepest row that may be requested, as a search engine's
    """

    rows: list[int]
    cap: int = 40
    change: Change | None = None
    lengths: Callable[[int], int] | None = None
    sizes: tuple[Callable[[int], int], int] | None = None
    tie_sizes: Sequence[int] = ()
    repeated: int = 0
    lag: Callable[[], int] | None = None
    counts: str = "rows"
    beyond: str = "empty"
    window: int | None = None
    always: set[int] = field(default_factory=set)
    requests: int = 0

    def __post_init__(self) -> None:
        self.always = set(self.rows)
        self._before: deque[list[int]] = deque([list(self.rows)], maxlen=9)

    def respond(self, offset: int, limit: int) -> list[int]:
        """Return the page of a request, then let the listing change."""
        self.requests += 1
        if self.requests > MAX_RESPONSES:
            raise EndlessError
        rows = self.rows
        if self.lag is not None:
            rows = self._before[-1 - min(self.lag(), len(self._before) - 1)]
        if self.tie_sizes:
            rows = self._with_ties(rows, offset, limit)
        page = self._page(rows, offset, limit)
        if self.change is not None and page:
            self.change(self.rows)
            self._before.append(list(self.rows))
            self.always.intersection_update(self.rows)
        return page

    def _page(self, rows: list[int], offset: int, limit: int) -> list[int]:
        size = min(limit, self.cap)
        start = self._start(offset, size)
        if start is None or (self.window is not None and start + limit > self.window):
            raise KaptureRefusedError("refused", status=400)
        if self.counts == "both":
            return list(rows)
        if start >= len(rows) and rows and self.beyond == "last":
            start = (len(rows) - 1) // size * size
        if start >= len(rows) and start and self.beyond == "refused":
            raise KaptureRefusedError("no rows there", status=404)
        if self.sizes is not None:
            return self._cut_by_bytes(rows[start : start + size])
        return rows[start : start + (self.lengths(size) if self.lengths else size)]

    def _start(self, offset: int, size: int) -> int | None:
        if self.counts == "ignored":
            return 0
        if self.counts == "rounded":
            return offset // size * size
        if self.counts == "pages":
            return offset * size
        if self.counts == "pages_from_1":
            return (offset - 1) * size if offset else None
        return max(offset - self.repeated, 0)

    def _cut_by_bytes(self, page: list[int]) -> list[int]:
        assert self.sizes is not None
        size_of, most = self.sizes
        total = 0
        for index, row in enumerate(page):
            total += size_of(row)
            if total > most and index:
                return page[:index]
        return page

    def _with_ties(self, rows: list[int], offset: int, limit: int) -> list[int]:
        rng = random.Random(offset * 10_007 + limit)
        found: list[int] = []
        for size in self.tie_sizes:
            if len(found) >= offset + limit:
                break
            group = rows[len(found) : len(found) + size]
            found += rng.sample(group, len(group)) if size > 1 else group
        return found + rows[len(found) :]


@dataclass(frozen=True)
class Simulation:
    """One pull: a listing, and how it is read."""

    listing: SimulatedListing
    limit: int
    flight: int
    rng: random.Random
    paging: Paging = Paging.ROWS


@dataclass(frozen=True)
class Outcome:
    """What a pull returned.

    :ivar error: the message of the error that ended it
    :ivar missing: rows that stood in the listing throughout and did not come out
    :ivar repeated: rows that came out more than once
    """

    rows: int
    requests: int
    missing: int
    repeated: int
    error: str | None = None

    @property
    def kind(self) -> str:
        if self.error is not None:
            return "error"
        return "silent" if self.missing or self.repeated else "complete"


def run(simulation: Simulation, paginator: AnchoredPaginator | None = None) -> Outcome:
    """Read a simulated listing, with responses that arrive in random order."""
    listing = simulation.listing
    pages = paginator or AnchoredPaginator(simulation.limit, paging=simulation.paging)
    out: list[int] = []
    error = None
    try:
        for _ in drive(simulation, pages, out):
            pass
    except (KaptureListingError, KaptureRefusedError) as failure:
        error = str(failure)
    finally:
        pages.close()
    missing = len(listing.always - set(out))
    return Outcome(len(out), listing.requests, missing, len(out) - len(set(out)), error)


def drive(simulation: Simulation, pages: AnchoredPaginator, out: list[int]) -> Iterator[PageRequest]:
    """Send what the paginator asks for, and hand it each page in its turn; the requests whose pages it took."""
    arrived: dict[PageRequest, list[int] | KaptureRefusedError] = {}
    while not pages.done:
        waiting = [each for each in pages.next_requests(simulation.flight) if each not in arrived]
        simulation.rng.shuffle(waiting)
        head = pages.current_request
        while head not in arrived:
            request = waiting.pop()
            try:
                arrived[request] = simulation.listing.respond(request.offset, request.limit)
            except KaptureRefusedError as refusal:
                arrived[request] = refusal
        page = arrived.pop(head)
        if isinstance(page, KaptureRefusedError):
            fresh = pages.handle_refusal(page)
        else:
            later = any(
                each.first_row > head.first_row and isinstance(rows, list) and rows for each, rows in arrived.items()
            )
            fresh = pages.handle_page(page, has_later_orders=later)
        out += [page[index] for index in fresh] if isinstance(page, list) else []
        yield head


# ---- kinds ----


def changes(rng: random.Random, *, insert: int, delete: int, where: str) -> Change:
    """Insert and delete so many rows, at the top, the end, the middle or anywhere."""
    new = iter(range(100_000, 10_000_000))

    def place(length: int) -> int:
        return {"top": 0, "end": length, "middle": length // 2, "random": rng.randint(0, length)}[where]

    def change(rows: list[int]) -> None:
        for _ in range(insert):
            rows.insert(place(len(rows)), next(new))
        for _ in range(min(delete, len(rows))):
            rows.pop(min(place(len(rows)), len(rows) - 1))

    return change


def once(rng: random.Random, change: Change, latest: int = 30) -> Change:
    """One change, after some response."""
    left = [rng.randint(1, latest)]

    def changed(rows: list[int]) -> None:
        left[0] -= 1
        if left[0] == 0:
            change(rows)

    return changed


def now_and_then(rng: random.Random, change: Change, chance: float = 0.06) -> Change:
    def changed(rows: list[int]) -> None:
        if rng.random() < chance:
            change(rows)

    return changed


PLACES = ("top", "end", "middle", "random")


def _base(rng: random.Random, change: Change | None = None, *, uneven: float = 0.15, **more: object) -> Simulation:
    cap = rng.randint(4, 40)
    lengths = (lambda most: rng.randint(min(2, most), most)) if rng.random() < uneven else None
    rows = list(range(rng.choice([rng.randint(0, 60), rng.randint(0, 400), rng.randint(100, 700)])))
    listing = SimulatedListing(rows, cap, change, lengths, **more)  # type: ignore[arg-type]
    return Simulation(listing, rng.choice([40, 40, cap, 100]), rng.randint(1, 8), rng)


def still(rng: random.Random) -> Simulation:
    return _base(rng)


def quiet(rng: random.Random) -> Simulation:
    change = changes(rng, insert=rng.randint(0, 2), delete=rng.randint(0, 2), where=rng.choice(PLACES))
    return _base(rng, now_and_then(rng, change))


def busy(rng: random.Random) -> Simulation:
    insert, delete = rng.choice([(1, 0), (0, 1), (1, 1)])
    return _base(rng, changes(rng, insert=insert, delete=delete, where=rng.choice(PLACES)))


def burst(rng: random.Random) -> Simulation:
    count, where = rng.randint(1, 300), rng.choice(PLACES)
    insert = rng.random() < 0.5
    return _base(rng, once(rng, changes(rng, insert=count * insert, delete=count * (not insert), where=where)))


def jump(rng: random.Random) -> Simulation:
    """An order moves to the top; in half of the listings one that was read leaves with it."""
    leaves = rng.random() < 0.5

    def change(rows: list[int]) -> None:
        if len(rows) > 2:
            row = rows.pop(rng.randrange(len(rows)))
            if leaves:
                rows.pop(rng.randrange(min(len(rows), 20)))
            rows.insert(0, row)

    return _base(rng, once(rng, change))


def move_up(rng: random.Random) -> Simulation:
    """Orders move up, into the part that may have been read."""

    def change(rows: list[int]) -> None:
        if rows:
            place = rng.randrange(len(rows))
            rows.insert(rng.randint(0, place), rows.pop(place))

    return _base(rng, now_and_then(rng, change, 0.1))


def move_to_end(rng: random.Random) -> Simulation:
    """Orders that were read move to the end."""

    def change(rows: list[int]) -> None:
        for _ in range(2):
            if rows:
                rows.append(rows.pop(rng.randrange(len(rows))))

    return _base(rng, once(rng, change))


def ties(rng: random.Random) -> Simulation:
    """Orders with equal sort keys, in an order that depends on the request."""
    simulation = _base(rng, uneven=0, tie_sizes=[rng.choice([1, 1, 1, 1, 1, 2, 3]) for _ in range(600)])
    simulation.listing.cap = rng.randint(12, 40)
    return Simulation(simulation.listing, 40, simulation.flight, rng)


def wide_ties(rng: random.Random) -> Simulation:
    """As many orders with equal sort keys as a page holds."""
    simulation = _base(rng, uneven=0, tie_sizes=[rng.choice([1, 1, 1, 2, 3, 5, 8]) for _ in range(400)])
    simulation.listing.cap = rng.randint(4, 12)
    return simulation


def shuffled(rng: random.Random) -> Simulation:
    return _base(rng, rng.shuffle, uneven=0)


def leaving(rng: random.Random) -> Simulation:
    """An order above the end leaves with each response that holds orders."""

    def change(rows: list[int]) -> None:
        if len(rows) > 1:
            rows.pop(rng.randrange(len(rows) - 1))

    return _base(rng, change)


def growing(rng: random.Random) -> Simulation:
    """The end grows with each response, up to as fast as it is read."""
    simulation = _base(rng, uneven=0)
    simulation.listing.change = changes(rng, insert=rng.randint(1, simulation.listing.cap), delete=0, where="end")
    return simulation


def arrivals(mean: int) -> Callable[[random.Random], Simulation]:
    """Newest first, with so many new orders per response."""

    def kind(rng: random.Random) -> Simulation:
        new = iter(range(100_000, 10_000_000))

        def change(rows: list[int]) -> None:
            rows[:0] = [next(new) for _ in range(rng.randint(0, 2 * mean))]

        simulation = _base(rng, change, uneven=0)
        simulation.listing.cap = rng.choice([50, 100])
        return Simulation(simulation.listing, 100, simulation.flight, rng)

    return kind


def cut_by_bytes(rng: random.Random) -> Simulation:
    simulation = _base(rng, uneven=0)
    # Two orders always fit: see "cut to single orders" for those that do not.
    weights = {row: rng.choice([1, 1, 1, 2, 5, 30]) for row in range(800)}
    simulation.listing.sizes = (lambda row: weights.get(row, 1), rng.randint(60, 90))
    return simulation


def cut_to_single_orders(rng: random.Random) -> Simulation:
    """Some orders are as large as a page; the first pages show that lengths vary."""
    simulation = _base(rng, uneven=0)
    weights = {row: rng.choice([1, 1, 1, 2, 5, 30]) if row > 60 else rng.randint(1, 7) for row in range(800)}
    simulation.listing.sizes = (lambda row: weights.get(row, 1), rng.randint(15, 30))
    simulation.listing.cap = rng.randint(16, 40)
    return Simulation(simulation.listing, 100, simulation.flight, rng)


def cut_by_bytes_with_arrivals(rng: random.Random) -> Simulation:
    simulation = cut_by_bytes(rng)
    simulation.listing.change = changes(rng, insert=1, delete=0, where="top")
    return simulation


def repeated_edges(rng: random.Random) -> Simulation:
    return _base(rng, uneven=0, repeated=rng.randint(1, 3))


def lagging(rng: random.Random) -> Simulation:
    change = changes(rng, insert=rng.randint(0, 2), delete=rng.randint(0, 2), where=rng.choice(PLACES))
    return _base(rng, now_and_then(rng, change), lag=lambda: rng.choice([0, 0, 0, 1, 2]))


def rounded(rng: random.Random) -> Simulation:
    return _base(rng, uneven=0, counts="rounded", beyond=rng.choice(["empty", "refused", "last"]))


def rounded_quiet(rng: random.Random) -> Simulation:
    change = changes(rng, insert=rng.randint(0, 2), delete=rng.randint(0, 2), where=rng.choice(PLACES))
    return _base(rng, now_and_then(rng, change), uneven=0, counts="rounded")


def _numbered(counts: str, paging: Paging) -> Callable[[random.Random], Simulation]:
    def kind(rng: random.Random) -> Simulation:
        made = _base(rng, uneven=0, counts=counts, beyond=rng.choice(["empty", "refused", "last"]))
        # Where the first page of a listing shows no order, the pull looks at another offset, and not the paginator.
        made.listing.rows += [row for row in (900, 901) if len(made.listing.rows) < 2]
        made.listing.always.update(made.listing.rows)
        return Simulation(made.listing, made.limit, made.flight, rng, paging)

    return kind


def unpaged(rng: random.Random) -> Simulation:
    return _base(rng, uneven=0, counts="both")


def beyond_the_end(rng: random.Random) -> Simulation:
    return _base(rng, uneven=0, beyond=rng.choice(["refused", "last"]))


def offset_ignored(rng: random.Random) -> Simulation:
    return _base(rng, uneven=0, counts="ignored")


KINDS: Mapping[str, Callable[[random.Random], Simulation]] = {
    "still": still,
    "quiet": quiet,
    "busy": busy,
    "burst": burst,
    "an order jumps to the top": jump,
    "orders move up": move_up,
    "orders move to the end": move_to_end,
    "ties": ties,
    "ties as wide as a page": wide_ties,
    "shuffled": shuffled,
    "orders leave with each response": leaving,
    "the end grows": growing,
    "2 arrivals per response": arrivals(2),
    "5 arrivals per response": arrivals(5),
    "10 arrivals per response": arrivals(10),
    "cut by bytes": cut_by_bytes,
    "cut to single orders": cut_to_single_orders,
    "cut by bytes, with arrivals": cut_by_bytes_with_arrivals,
    "rows repeat at page edges": repeated_edges,
    "a replica lags": lagging,
    "refused or repeated beyond the end": beyond_the_end,
    "offset rounded to pages": rounded,
    "offset rounded to pages, quiet": rounded_quiet,
    "page numbers from 0": _numbered("pages", Paging.PAGES),
    "page numbers from 1": _numbered("pages_from_1", Paging.PAGES_FROM_1),
    "page numbers, told to be rows": _numbered("pages", Paging.ROWS),
    "page numbers from 1, told to be rows": _numbered("pages_from_1", Paging.ROWS),
    "rows, told to be page numbers": _numbered("rows", Paging.PAGES),
    "rows, told to be page numbers from 1": _numbered("rows", Paging.PAGES_FROM_1),
    "unpaged": unpaged,
    "offset ignored": offset_ignored,
}


def simulate(kind: str, seed: int) -> Simulation:
    """The pull that a kind and a seed name."""
    return KINDS[kind](random.Random(f"{kind} {seed}"))
