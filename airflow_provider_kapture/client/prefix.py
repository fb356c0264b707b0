"""The orders of a listing that were read, and what is known of their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from airflow_provider_kapture.client import orders
from airflow_provider_kapture.client.errors import KaptureListingError
from airflow_provider_kapture.client.memory import Memory
from airflow_provider_kapture.client.protocol import OrderKey

# A label is one integer, so that a million of them are cheap: strand, number in the strand, and whether it is loose.
_STRAND = 44
_LOOSE = 1


class Prefix:
    """What a walk has read of a listing.

    Each order gets a label. Orders that were read one after another are numbered along a *strand*; those of one strand
    may never change their relative order. An order that appeared between two others is *loose*: it shares its
    neighbour's label, and its order is held against nothing. Where it can't be told how what was read now stands to
    what was read before, a new strand begins.

    :ivar strands: how many there are
    """

    def __init__(self, memory: Memory | None = None) -> None:
        self._memory = memory or Memory()
        self.strands = 0
        self._latest = -1

    def known(self, rows: Sequence[OrderKey]) -> Mapping[OrderKey, int]:
        """The label of each of these that was read.

        :raises KaptureListingError: they stand in another order than before
        """
        known = self._memory.ranks(rows)
        if len(known) < 2:
            return known
        latest: dict[int, int] = {}
        for row in rows:
            label = known.get(row, _LOOSE)
            if label & _LOOSE:
                continue
            strand = self.strand(label)
            if label < latest.get(strand, -1):
                raise listing_error(_NOT_STABLE)
            latest[strand] = label
        return known

    def add(self, rows: Sequence[OrderKey], known: Mapping[OrderKey, int]) -> Mapping[OrderKey, int]:
        """Remember a contiguous stretch of the listing; the label of each order in it that was not read before."""
        behind = 1 + max((index for index, row in enumerate(rows) if row in known), default=-1) if known else 0
        label = next((known[row] for row in rows[:behind] if row in known), None)
        fresh: dict[OrderKey, int] = {}
        for row in rows[:behind]:
            assert label is not None
            if row in known:
                label = known[row]
            else:
                label |= _LOOSE
                fresh[row] = label
        if behind < len(rows):
            if label is None or label != self._latest:
                label = (self.strands << _STRAND) - 2
                self.strands += 1
            # As one: most answers bring a page of them.
            fresh.update(zip(rows[behind:], range(label + 2, label + 2 + 2 * len(rows), 2), strict=False))
            self._latest = fresh[rows[-1]]
        self._memory.set(fresh)
        return fresh

    @staticmethod
    def strand(label: int) -> int:
        """The number of an order's strand."""
        return label >> _STRAND

    def close(self) -> None:
        """Give back what the memory holds."""
        self._memory.close()


_NOT_STABLE = (
    "orders that were read came back in another order, so that no page can be trusted to follow another; ask for a "
    "stable order with `sortParam` in `default_body`"
)


def listing_error(what: str) -> KaptureListingError:
    """The error of pages that can't be put together."""
    return KaptureListingError(f"The pages do not add up to one listing: {what}", path=orders.PATH)
