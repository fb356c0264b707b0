"""Reads and writes a watcher's watermark in Airflow's asset state store (3.3 and later).

What a watermark means, and how it is advanced, is in ``triggers.watch_state``.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from airflow_provider_kapture.triggers.watch_state import Watermark


async def load(store: Any, key: str) -> object:
    """Return the stored state; None if there is none, or Airflow cannot store any.

    :param store: the watched asset's state store, which the triggerer passes to a trigger; None before Airflow 3.3
    :param key: key of the watermark
    """
    if store is None:
        return None
    with suppress(ValueError):  # with several assets, Airflow does not know whose state is meant
        if hasattr(store, "aget"):
            return await store.aget(key)
        return await asyncio.to_thread(store.get, key)
    return None


async def save(store: Any, key: str, watermark: Watermark) -> None:
    """Store a watermark, if Airflow can store any.

    :param store: as for :func:`load`
    :param key: key of the watermark
    """
    if store is None:
        return
    with suppress(ValueError):  # as above
        if hasattr(store, "aset"):
            await store.aset(key, watermark.to_state())
        else:
            await asyncio.to_thread(store.set, key, watermark.to_state())
