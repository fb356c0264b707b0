"""The texts of the errors that end the reading of a listing."""

from __future__ import annotations

from airflow_provider_kapture.client import orders
from airflow_provider_kapture.client.errors import KaptureListingError

OFFSET_IGNORED = (
    "Kapture ignores `offset` (two offsets returned the same orders), so only the first page can be read; narrow the "
    "window or the filters until the result fits one page"
)
OFFSET_COUNTS_OTHERWISE = (
    "`offset` does not count what connection extra `paging` ({}) says: the page at {} {:,} held none of the orders "
    "that stand there; set `paging` to 'rows', 'pages', 'pages_from_1' or 'none'"
)
ONE_ROW_PER_PAGE = (
    "Kapture returns a single row per page, and overlapping pages need at least two; raise `page_size` or the "
    "account's page limit"
)
NOT_STABLE = (
    "the sort order changed between requests, so pages cannot be joined; request a stable sort with `sortParam` in "
    "`default_body`"
)
NOT_THE_SAME = (
    "one request, sent twice, returned mostly other orders: the sort order is not stable, or the listing changes by "
    "more than half a page per request; request a stable sort with `sortParam` in `default_body`, or raise "
    "`page_size`"
)
KEPT_CHANGING = (
    "the listing changed faster than it could be read; pull a window that has ended, or request a stable sort with "
    "`sortParam` in `default_body`"
)
KEPT_REPEATING = (
    "Kapture returned only orders that had been read before in {:,} pages in a row; request a stable sort with "
    "`sortParam` in `default_body`, or narrow the window or the filters until the result fits one page"
)
NO_END = "it did not end within {:,} requests: narrow with `filters`"
KEPT_GROWING = "the listing grew at its end as fast as it was read; pull a window that has ended"
CANNOT_JOIN = (
    "no page that starts on an order already read could be requested, although nothing was seen to change; raise "
    "`page_size`, or request a stable sort with `sortParam` in `default_body`"
)
ORDERS_MISSING = (
    "some orders moved up into the part that had been read, and reading it again did not find them; request a stable "
    "sort with `sortParam` in `default_body`, or pull a window that has ended"
)
NO_LIMIT_FITS = (
    "`offset` is rounded down to whole pages, and no limit up to {:,} lets a page start on the last order read at row"
    " {:,}; raise `page_size` or the account's page limit"
)
SAME_ID = "two rows of one response have the same `id` and differ: this account lists lines, not orders"
NO_ROWS_BEYOND = "Kapture gives no rows beyond {:,}: narrow with `filters`"
ENDS_AT_DEPTH_LIMIT = "it ends at exactly {:,} rows, which may be the most that Kapture gives: narrow with `filters`"
MAY_END_AT_DEPTH_LIMIT = (
    "A listing ended at exactly {:,} rows, which may be the most that Kapture gives; compare the count with Kapture, "
    "and narrow with `filters` if it is higher"
)
LIMIT_COUNTS = (
    "connection extra `paging` is 'none', but a `limit` of 2 returned fewer rows than one of {:,}; set `paging` to "
    "'rows', 'pages' or 'pages_from_1'"
)
WRONG_FIRST_PAGE = (
    "the first page holds no order and the one at `offset` {} does; set connection extra `paging` to {!r}"
)
MAY_BE_CUT = (
    "Kapture ignores `limit` and `offset`, and a response of {:,} rows may have been cut; set connection extra "
    "`paging` to 'none' if it returns every order of a day, or narrow with `filters`"
)


def listing_error(what: str, *, is_permanent: bool = False) -> KaptureListingError:
    """Return the error of pages that cannot be put together.

    :param is_permanent: whether a later run must fail the same way
    """
    error = KaptureListingError(f"The pages do not add up to one listing: {what}", path=orders.PATH)
    error.permanent = is_permanent
    return error
