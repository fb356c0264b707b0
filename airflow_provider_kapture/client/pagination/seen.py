"""Which orders of a listing were read, and what is known of their order among themselves.

Orders read one after another form a *run*; two orders of one run never change their relative order. An order that was
inserted between two known ones has an *approximate* rank, that of its neighbour, and is never compared. Where the
position of a page to what was read before is uncertain, a new run starts. Runs that follow one another belong to one
*part* of the listing; reading on from the top starts another part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from airflow_provider_kapture.client.api.keys import OrderKey
from airflow_provider_kapture.client.pagination.messages import NOT_STABLE, listing_error
from airflow_provider_kapture.client.pagination.spill import RankStore

# A rank is one integer, so that a million of them are cheap: run, position, and whether it is approximate.
_RUN = 44
_APPROXIMATE = 1
_POSITION = (1 << _RUN) - 1
# Orders with equal sort keys may change places: so far apart at most, as a rule no farther than a quarter page.
_MIN_TIE, MAX_TIE = 4, 8


def position_of(rank: int) -> int:
    """Return the position of an order in its part of the listing."""
    return (rank & _POSITION) >> 1


def run_of(rank: int) -> int:
    """Return the number of the run that a rank belongs to."""
    return rank >> _RUN


def approximate(rank: int) -> int:
    """Return the rank of a neighbour of an order."""
    return rank | _APPROXIMATE


def is_approximate(rank: int) -> bool:
    """Return whether a rank is that of a neighbour."""
    return bool(rank & _APPROXIMATE)


class SeenOrders:
    """The orders read so far, each with its rank.

    :ivar runs: the number of runs
    :ivar swapped: how often orders were seen to change places with a neighbour, as equal sort keys let them
    :ivar widest: how far apart they stood
    """

    def __init__(self, store: RankStore | None = None) -> None:
        self._store = store or RankStore()
        self._ends: list[int] = []  # the last rank of each run
        self._parts: list[int] = []  # the part of each run
        self._frontiers: list[tuple[OrderKey, int]] = []  # the last order of each part, with its rank
        self.swapped = self.widest = 0

    @property
    def runs(self) -> int:
        return len(self._ends)

    def part_of(self, rank: int) -> int:
        """Return the part of the listing that a rank belongs to."""
        return self._parts[run_of(rank)]

    def frontier_of(self, rank: int) -> tuple[OrderKey, int]:
        """Return the last order of the part that a rank belongs to, with its rank."""
        return self._frontiers[self.part_of(rank)]

    def append(self, anchor_rank: int, keys: Sequence[OrderKey]) -> bool:
        """Add a page that starts on the last order of its run, if its others are new; return whether it was added."""
        last = anchor_rank + 2 * (len(keys) - 1)
        is_end = anchor_rank == self._ends[run_of(anchor_rank)]
        if not is_end or not self._store.add_new(keys[1:], range(anchor_rank + 2, last + 2, 2)):
            return False
        self._end_at(keys[-1], last)
        return True

    def ranks(self, rows: Sequence[OrderKey], longest: int, may_move: int = 0) -> dict[OrderKey, int]:
        """Return the ranks of those of ``rows`` that were read.

        :param longest: the length of the longest page
        :param may_move: how many of few rows may have moved away from their place
        :raises KaptureListingError: they stand in another order than before
        """
        known = self._store.ranks(rows)
        if len(known) < 2:
            return known
        latest: dict[int, int] = {}
        tie = 2 * min(MAX_TIE, max(longest // 4, _MIN_TIE))
        for row in rows:
            rank = known.get(row, _APPROXIMATE)
            if rank & _APPROXIMATE:
                continue
            before = latest.get(run_of(rank), -1)
            if rank < before - tie:
                if self._moved(rows, known, tie // 2) > max(len(known) // 8, may_move):
                    raise listing_error(NOT_STABLE)
            elif rank < before:
                self.widest = max(self.widest, (before - rank) // 2)
            self.swapped += rank < before
            latest[run_of(rank)] = max(rank, before)
        return known

    def _moved(self, rows: Sequence[OrderKey], known: Mapping[OrderKey, int], tie: int) -> int:
        """Return how many rows moved away from their place among the others."""
        ranks = [known[row] for row in rows if row in known and not is_approximate(known[row])]
        index_of = {rank: index for index, rank in enumerate(sorted(ranks))}
        return sum(abs(index - index_of[rank]) > tie for index, rank in enumerate(ranks))

    def find(self, rows: Sequence[OrderKey]) -> dict[OrderKey, int]:
        """Return the ranks of those of ``rows`` that were read, without a look at their order."""
        return self._store.ranks(rows)

    def add(self, rows: Sequence[OrderKey], known: Mapping[OrderKey, int]) -> dict[OrderKey, int]:
        """Add a page; return the rank of each of its rows that is new."""
        behind = 1 + max((index for index, row in enumerate(rows) if row in known), default=-1) if known else 0
        rank = next((known[row] for row in rows[:behind] if row in known), -1)
        fresh: dict[OrderKey, int] = {}
        for row in rows[:behind]:
            if row in known:
                rank = known[row]
            else:
                rank = fresh[row] = rank | _APPROXIMATE
        if behind < len(rows):
            rank = self._continued(rank)
            fresh.update(zip(rows[behind:], range(rank, rank + 2 * len(rows), 2), strict=False))
            self._end_at(rows[-1], fresh[rows[-1]])
        self._store.set(fresh)
        return fresh

    def _continued(self, rank: int) -> int:
        """Return the rank of a row that follows one of this rank, in a new run unless it ends one; -1: none."""
        if rank >= 0 and rank == self._ends[run_of(rank)]:
            return rank + 2
        position = 0 if rank < 0 else position_of(rank) + 1
        if rank < 0:
            self._frontiers.append(("", -1))
        self._parts.append(len(self._frontiers) - 1 if rank < 0 else self.part_of(rank))
        self._ends.append(-1)
        return (self.runs - 1) << _RUN | position << 1

    def _end_at(self, row: OrderKey, rank: int) -> None:
        self._ends[run_of(rank)] = rank
        self._frontiers[self.part_of(rank)] = (row, rank)

    def close(self) -> None:
        """Release the disk space."""
        self._store.close()
