"""Requests for servers whose ``offset`` counts whole pages, or is rounded down to them.

A page that starts on row ``k * l`` and holds ``l`` rows is the same page whether ``offset`` counts rows (``k * l``), is
rounded down to a multiple of ``limit``, or is a page number (``k``). So the limit is chosen to fit the row to start on.
"""

from __future__ import annotations

from airflow_provider_kapture.client.pagination.requests import Paging


def best_limit(row: int, longest: int) -> int:
    """Return the limit of the whole page that covers ``row`` and shows the most rows behind it.

    :param longest: the longest page so far: a longer one might be cut, and then start elsewhere
    :return: 1 if no page shows a row behind it
    """
    best, most = 1, 0
    for limit in range(2, longest + 1):
        behind = limit - 1 - row % limit
        if behind >= most and behind:
            best, most = limit, behind
    return best


def offset_for(first_row: int, limit: int, paging: Paging) -> int:
    """Return the ``offset`` of a whole page that starts on a row."""
    if paging is Paging.PAGES:
        return first_row // limit
    if paging is Paging.PAGES_FROM_1:
        return first_row // limit + 1
    return first_row
