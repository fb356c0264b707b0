"""The sequence of a listing's orders: whether two pages are of one listing, and which way it goes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from airflow_provider_kapture.client.api.keys import OrderKey


def is_same_listing(one: Sequence[OrderKey], other: Sequence[OrderKey]) -> bool:
    """Return whether two pages are of one listing in which a few orders came or went: most in both, in one order."""
    places = {key: place for place, key in enumerate(one)}
    common = [places[key] for key in other if key in places]
    return 2 * len(common) >= len(one) and all(earlier < later for earlier, later in pairwise(common))


def direction(instants: Sequence[int]) -> str:
    """Return which way a listing goes by ``createDate``."""
    rising = all(earlier <= later for earlier, later in pairwise(instants))
    falling = all(earlier >= later for earlier, later in pairwise(instants))
    if rising and falling:
        return "stable"
    return "oldest first" if rising else "newest first" if falling else "stable, not by createDate"
