"""What Airflow keeps for a watcher, where it keeps anything: the state of an asset."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from airflow_provider_kapture.triggers.watch_state import Watermark


async def load(store: Any, key: str) -> object:
    """What was kept; none where nothing was, or can be.

    :param store: the watched asset's state, as the triggerer hands it to a trigger
    """
    if store is None:
        return None
    with suppress(ValueError):  # several assets: Airflow does not say whose state would be meant
        if hasattr(store, "aget"):
            return await store.aget(key)
        return await asyncio.to_thread(store.get, key)
    return None


async def save(store: Any, key: str, watermark: Watermark) -> None:
    """Keep a place, where anything can be kept."""
    if store is None:
        return
    with suppress(ValueError):  # as above
        if hasattr(store, "aset"):
            await store.aset(key, watermark.to_state())
        else:
            await asyncio.to_thread(store.set, key, watermark.to_state())
