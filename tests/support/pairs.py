"""Combinations that hold every pair of two factors' values at least once: a small greedy covering array."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from random import Random


def covering_rows(factors: Mapping[str, Sequence[str]], seed: int = 1, candidates: int = 8) -> list[dict[str, str]]:
    """Return rows with one value of each factor, so that each pair of values of two factors is in a row.

    :param candidates: how many rows are tried for each that is taken
    """
    random = Random(seed)
    open_pairs = {
        ((one, first), (other, second))
        for one, other in itertools.combinations(factors, 2)
        for first in factors[one]
        for second in factors[other]
    }
    rows: list[dict[str, str]] = []
    while open_pairs:
        tried = [_row(factors, open_pairs, random) for _ in range(candidates)]
        best = max(tried, key=lambda row: len(_pairs(row) & open_pairs))
        rows.append(best)
        open_pairs -= _pairs(best)
    return rows


_Item = tuple[str, str]


def _pairs(row: Mapping[str, str]) -> set[tuple[_Item, _Item]]:
    return set(itertools.combinations(row.items(), 2))


def _row(factors: Mapping[str, Sequence[str]], open_pairs: set[tuple[_Item, _Item]], random: Random) -> dict[str, str]:
    """Start with a pair that is open, and give each other factor the value that closes most."""
    position = {name: index for index, name in enumerate(factors)}
    chosen: dict[str, str] = dict(random.choice(sorted(open_pairs)))
    rest = [name for name in factors if name not in chosen]
    random.shuffle(rest)
    for name in rest:
        values = list(factors[name])
        random.shuffle(values)

        def closed(value: str, name: str = name) -> int:
            item = (name, value)
            return sum(
                ((item, each) if position[name] < position[each[0]] else (each, item)) in open_pairs
                for each in chosen.items()
            )

        chosen[name] = max(values, key=closed)
    return {name: chosen[name] for name in factors}
