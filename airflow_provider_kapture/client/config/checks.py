"""Checks that settings and queries share."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from airflow_provider_kapture.client import orders
from airflow_provider_kapture.client.errors import KaptureSettingsError


def did_you_mean(name: str, known: Collection[str]) -> str:
    """`; did you mean ...?` for a misspelt name, or nothing."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return f"; did you mean {by_lower[close[0]]!r}?" if close else ""


def check_body_keys(what: str, keys: Collection[str]) -> None:
    """Keys that the pull itself sets can't be set by ``what``.

    :raises KaptureSettingsError: names the key
    """
    for key in keys:
        if key in orders.PULL_KEYS:
            raise KaptureSettingsError(f"{what} holds {key!r}, which the pull sets itself: leave it out")
