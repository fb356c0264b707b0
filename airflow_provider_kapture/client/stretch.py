"""What a walk asks for, and what it gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from airflow_provider_kapture.client.protocol import OrderKey


class Why(Enum):
    """What an answer is to show."""

    NEXT = auto()  # what comes next
    NOTHING = auto()  # that nothing lies there
    LITTLE = auto()  # that at most one order does
    OFFSET = auto()  # whether an offset means anything
    NEAR = auto()  # whether the end is near
    STILL = auto()  # that the end is where it was
    SAME = auto()  # that the same question gets much the same answer
    TOP = auto()  # that nothing moved to the top


@dataclass(frozen=True, slots=True)
class Ask:
    """One request of the walk.

    :param number: which request of the listing this is
    :param offset: where the page starts
    """

    number: int
    offset: int
    why: Why = Why.NEXT


@dataclass(frozen=True, slots=True)
class Stretch:
    """A contiguous stretch of the listing, as an answer gave it.

    :param number: the how manieth answer that is
    :param offset: where it was asked for
    :param length: how many rows came, with those that came twice
    :param where: the index of each row
    :param known: the label of each row that was read before
    """

    number: int
    offset: int
    length: int
    where: Mapping[OrderKey, int]
    known: Mapping[OrderKey, int]

    @property
    def place(self) -> int:
        return self.offset + self.length - 1

    @property
    def first(self) -> OrderKey | None:
        return next(iter(self.where), None)

    @property
    def last(self) -> OrderKey:
        return next(reversed(self.where))

    @property
    def last_known(self) -> int:
        """The index of the last row that was read before; -1 for none."""
        if len(self.where) == self.length:
            return max((self.where[row] for row in self.known), default=-1)
        return max((index for index, row in enumerate(self.where) if row in self.known), default=-1)

    @property
    def brought(self) -> int:
        """How many rows stand behind all that were read."""
        return len(self.where) - 1 - self.last_known

    def in_common(self, other: Stretch) -> int:
        """How many rows both hold."""
        return len(self.where.keys() & other.where.keys())
