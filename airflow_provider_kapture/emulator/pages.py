"""Pagination: the rows of a listing that a request returns. Which orders are in the listing is decided in ``store``."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_kapture.emulator.book import Order
from airflow_provider_kapture.emulator.query import Query
from airflow_provider_kapture.emulator.rejections import rejection
from airflow_provider_kapture.emulator.switches import Switches


def select_rows(listing: Sequence[Order], query: Query, switches: Switches) -> Sequence[Order]:
    """Return the rows of one page.

    :param listing: the orders that match, oldest first
    :raises RequestRejectedError: the switches reject this limit or offset
    """
    limit = query.limit or switches.default_limit
    if switches.page_cap is not None and limit > switches.page_cap:
        if switches.over_cap != "cut":
            raise rejection(switches.over_cap, f"limit must not be more than {switches.page_cap}.")
        limit = switches.page_cap
    rows = _lines(listing) if switches.lines else listing
    start, stop = _range(len(rows), limit, query.offset, switches)
    total = len(rows)
    chosen = rows[start:stop] if switches.order == "oldest" else rows[total - stop : total - start][::-1]
    return [each for each in chosen if _is_shown(each, switches)] if switches.hidden != "none" else chosen


def is_past_end(query: Query, switches: Switches) -> bool:
    """Return whether the offset of a page without rows is beyond the first row."""
    return query.offset > int(switches.paging in ("rows_from_1", "pages_from_1"))


def _range(total: int, limit: int, offset: int, switches: Switches) -> tuple[int, int]:
    """Return the indices of the page's first row and of the row after its last."""
    if switches.paging == "none":
        return 0, total
    start = 0 if switches.offset_ignored else _start(offset, limit, switches.paging)
    if switches.total_cap is not None:
        if switches.over_total != "cut" and start + limit > switches.total_cap:
            message = f"Result window is too large, from + size must be at most {switches.total_cap}."
            raise rejection(switches.over_total, message)
        total = min(total, switches.total_cap)
    if start >= total > 0:
        start = _start_past_end(total, limit, switches)
    if start >= total:
        return total, total
    if switches.limit_ignored:
        limit = switches.page_cap or total
    start = max(0, start - switches.repeat_edge)
    return start, min(start + limit, total)


def _start(offset: int, limit: int, paging: str) -> int:
    if paging == "rows_from_1":
        return max(0, offset - 1)
    if paging == "pages":
        return offset * limit
    if paging == "pages_from_1":
        return max(0, offset - 1) * limit
    return offset - offset % limit if paging == "rounded" else offset


def _start_past_end(total: int, limit: int, switches: Switches) -> int:
    if switches.past_end in ("failed", "400", "404", "500"):
        raise rejection(switches.past_end, "Invalid offset." if switches.past_end == "400" else "No more data found.")
    starts = {"first_page": 0, "last_page": (total - 1) // limit * limit, "last_row": total - 1}
    return starts.get(switches.past_end, total)


def _is_shown(order: Order, switches: Switches) -> bool:
    return order.id % 20 == 0 if switches.hidden == "most" else order.id % 3 != 0


def _lines(listing: Sequence[Order]) -> list[Order]:
    """Return the listing with every fifth order as two rows."""
    return [line for order in listing for line in ((order, order.second_line()) if order.id % 5 == 0 else (order,))]
