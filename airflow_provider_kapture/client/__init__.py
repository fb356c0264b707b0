"""Kapture over HTTP, without Airflow: usable in any program. Files are written in `storage/`.

The names are loaded on first use: Airflow's provider discovery reads `config.table` in every component, and needs
nothing else of this package.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_kapture.client.client import KaptureClient
    from airflow_provider_kapture.client.config.account import Account

__all__ = ["Account", "KaptureClient"]

_MODULES = {"Account": "config.account", "KaptureClient": "client"}


def __getattr__(name: str) -> object:
    """Load a public name from its module."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
