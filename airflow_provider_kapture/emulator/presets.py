"""Presets: switches that combine what a likely account does."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        # An issued key, failures with status 200, a failure for an empty day, whole pages, two nodes.
        "legacy": {
            "auth": "key",
            "bad_auth": 200,
            "bad_auth_message": "AuthKeyInvalid",
            "failure_keys": "capital",
            "envelope": "status",
            "date_format": "%d-%m-%Y",
            "lenient_dates": True,
            "max_days": 1,
            "window_is_filter": False,
            "page_cap": 100,
            "empty": "message",
            "nodes": "other_order",
        },
        # A finished token, and each day in one response whatever limit and offset are.
        "unpaged": {
            "auth": "token",
            "bad_auth": 200,
            "paging": "none",
            "max_days": 1,
            "empty": "sentence",
            "envelope": "boolean",
        },
    }
)
