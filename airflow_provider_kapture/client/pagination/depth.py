"""Numbers of rows at which servers stop, whatever the listing holds."""

from __future__ import annotations

from airflow_provider_kapture.client.pagination import messages
from airflow_provider_kapture.client.pagination.messages import listing_error

# A search engine's window, and other usual limits.
_DEPTH_LIMIT, _LIKELY_LIMITS = 10_000, (1_000, 5_000)


def check_depth(rows: int, warnings: list[str]) -> None:
    """Raise if a listing ends where servers stop; add a warning where it may.

    :raises KaptureListingError: it has exactly the rows of a search engine's window
    """
    if rows == _DEPTH_LIMIT:
        raise listing_error(messages.ENDS_AT_DEPTH_LIMIT.format(rows), is_permanent=True)
    if rows in _LIKELY_LIMITS:
        warnings.append(messages.MAY_END_AT_DEPTH_LIMIT.format(rows))
