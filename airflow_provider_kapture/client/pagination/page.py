"""One page, located in the listing: where it starts, and which of its rows were read before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from airflow_provider_kapture.client.api.keys import OrderKey
from airflow_provider_kapture.client.pagination.messages import SAME_ID, listing_error
from airflow_provider_kapture.client.pagination.requests import PageRequest


@dataclass(frozen=True)
class LocatedPage:
    """A contiguous piece of the listing, as one response showed it.

    :param keys: the ids of its rows, as they came
    :param rows: each id once
    :param known: the ranks of those rows that were read before
    """

    request: PageRequest
    keys: Sequence[OrderKey]
    rows: Sequence[OrderKey]
    known: Mapping[OrderKey, int]

    @property
    def first_row(self) -> int:
        return self.request.first_row

    @property
    def last_place(self) -> int:
        """The row of its last order."""
        return self.first_row + len(self.keys) - 1

    @cached_property
    def index_of(self) -> Mapping[OrderKey, int]:
        """The first index of each row in the response."""
        return {key: index for index, key in reversed(list(enumerate(self.keys)))}

    @cached_property
    def last_known(self) -> int:
        """The index, among its rows, of the last that was read before; -1: none."""
        return max((index for index, row in enumerate(self.rows) if row in self.known), default=-1)

    @property
    def behind(self) -> int:
        """The number of rows behind all that were read before."""
        return len(self.rows) - 1 - self.last_known

    @property
    def inserted(self) -> int:
        """The number of rows that were not read before, but stand above one that was."""
        return self.last_known + 1 - len(self.known)

    def inserted_above(self, key: OrderKey | None) -> int:
        """Return the number of such rows above an order; all of them if the page lacks it."""
        if key not in self.known:
            return self.inserted
        return sum(row not in self.known for row in self.rows[: self.rows.index(key)])

    def place_of(self, key: OrderKey) -> int | None:
        """Return the row of an order, the last if it stands there several times; none if the page lacks it."""
        if key not in self.index_of:
            return None
        return self.last_place - self.keys[::-1].index(key)


def distinct(keys: Sequence[OrderKey], contents: Sequence[bytes] = ()) -> Sequence[OrderKey]:
    """Return each id of a response once.

    :param contents: the rows as they came
    :raises KaptureListingError: two rows have the same id, and differ
    """
    rows = list(dict.fromkeys(keys))
    if len(rows) < len(keys) and len({(key, bytes(each)) for key, each in zip(keys, contents, strict=False)}) > len(
        rows
    ):
        raise listing_error(SAME_ID, is_permanent=True)
    return rows
