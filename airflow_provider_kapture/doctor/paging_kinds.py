"""What `offset` and `limit` count, told by three small pages of a listing whose first rows are known. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum

from airflow_provider_kapture.client.api.keys import OrderKey

# What is requested: `limit` and `offset`. With seven rows known, the responses tell the kinds apart.
REQUESTS = ((1, 1), (2, 1), (2, 3))
MIN_ROWS = 7


class Kind(StrEnum):
    """What `offset` and `limit` count."""

    ROWS = "rows"
    ROWS_FROM_1 = "rows from 1"
    ROUNDED = "rows, rounded down to whole pages of `limit`"
    PAGES = "pages"
    PAGES_FROM_1 = "pages from 1"
    LIMIT_IGNORED = "rows, and that `limit` is ignored"
    OFFSET_IGNORED = "nothing"
    UNPAGED = "nothing, nor does `limit`"


_STARTS: dict[Kind, Callable[[int, int], int]] = {
    Kind.ROWS: lambda _, offset: offset,
    Kind.ROWS_FROM_1: lambda _, offset: max(offset - 1, 0),
    Kind.ROUNDED: lambda limit, offset: offset - offset % limit,
    Kind.PAGES: lambda limit, offset: offset * limit,
    Kind.PAGES_FROM_1: lambda limit, offset: max(offset - 1, 0) * limit,
    Kind.LIMIT_IGNORED: lambda _, offset: offset,
    Kind.OFFSET_IGNORED: lambda *_: 0,
    Kind.UNPAGED: lambda *_: 0,
}
_WITHOUT_LIMIT = frozenset({Kind.LIMIT_IGNORED, Kind.UNPAGED})


def fitting_kinds(rows: Sequence[OrderKey], pages: Sequence[Sequence[OrderKey]]) -> list[Kind]:
    """Return the kinds that these pages are of.

    :param rows: the first rows of the listing, which may go on behind them
    :param pages: what came for :data:`REQUESTS`
    """
    answered = list(zip(REQUESTS, pages, strict=True))
    return [kind for kind in Kind if all(_fits(kind, rows, page, *request) for request, page in answered)]


def _fits(kind: Kind, rows: Sequence[OrderKey], page: Sequence[OrderKey], limit: int, offset: int) -> bool:
    if kind is Kind.UNPAGED:
        return len(rows) > limit and list(page) == list(rows)
    start = _STARTS[kind](limit, offset)
    if start >= len(rows):
        return not any(key in rows for key in page)
    expected = rows[start:] if kind in _WITHOUT_LIMIT else rows[start : start + limit]
    unknown = page[len(expected) :]
    is_of_limit = len(page) > limit if kind in _WITHOUT_LIMIT else len(page) <= limit
    return is_of_limit and list(page[: len(expected)]) == list(expected) and not any(key in rows for key in unknown)
