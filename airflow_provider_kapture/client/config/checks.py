"""Checks that both settings (`config/`) and queries (`api/request.py`) use."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from airflow_provider_kapture.client import orders
from airflow_provider_kapture.client.errors import KaptureSettingsError


def did_you_mean(name: str, known: Collection[str]) -> str:
    """Return ``; did you mean ...?`` for a misspelt name, or an empty text if no known name is similar."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return f"; did you mean {by_lower[close[0]]!r}?" if close else ""


def check_body_keys(what: str, keys: Collection[str]) -> None:
    """Raise an error if a key is one that the pull sets itself.

    :param what: argument or setting that contains the keys, for the message
    :raises KaptureSettingsError: names the key
    """
    for key in keys:
        if key in orders.PULL_KEYS:
            raise KaptureSettingsError(f"{what} contains {key!r}, which the pull sets itself; remove it")
