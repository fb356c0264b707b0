"""Waiting for orders in the triggerer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_kapture.client.aio import AsyncKaptureClient
from airflow_provider_kapture.client.errors import KaptureError
from airflow_provider_kapture.hooks.kapture import async_account

# Polls in a row that fail in a way that might mend, before the wait is given up.
_MOST_FAILURES = 10
LEAST_INTERVAL = 1.0


class KaptureOrdersTrigger(BaseTrigger):
    """Fires once at least ``min_orders`` of a window match, or once waiting has become pointless.

    :param kapture_conn_id: the connection
    :param window_start: ISO 8601 with offset
    :param window_end: ISO 8601 with offset
    :param date_field: which time of an order the window is about
    :param filters: documented filter names to values
    :param min_orders: how many orders are enough
    :param poll_interval: seconds between polls, whatever fails
    """

    def __init__(
        self,
        *,
        kapture_conn_id: str,
        window_start: str,
        window_end: str,
        date_field: str = "create",
        filters: Mapping[str, Any] | None = None,
        min_orders: int = 1,
        poll_interval: float = 60.0,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow left it untyped
        self.question: dict[str, Any] = {
            "kapture_conn_id": kapture_conn_id,
            "window_start": window_start,
            "window_end": window_end,
            "date_field": date_field,
            "filters": dict(filters) if filters else None,
            "min_orders": min_orders,
            "poll_interval": max(poll_interval, LEAST_INTERVAL),
        }

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Plain data and the connection's id; never a secret."""
        return f"{type(self).__module__}.{type(self).__qualname__}", dict(self.question)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll until there is something to say; one event."""
        yield TriggerEvent(await self._outcome())  # type: ignore[no-untyped-call]  # as above

    async def _outcome(self) -> dict[str, Any]:
        asked = self.question
        try:
            client = AsyncKaptureClient(await async_account(str(asked["kapture_conn_id"])))
        except KaptureError as error:
            return failed(error)
        failures = 0
        async with client:
            while True:
                try:
                    seen = await client.count_orders(
                        asked["window_start"],
                        asked["window_end"],
                        date_field=asked["date_field"],
                        filters=asked["filters"],
                        at_least=asked["min_orders"],
                    )
                    failures = 0
                    if seen >= asked["min_orders"]:
                        return {"status": "enough", "orders": seen}
                except KaptureError as error:
                    failures += 1
                    if error.hopeless or failures >= _MOST_FAILURES:
                        return failed(error)
                await asyncio.sleep(asked["poll_interval"])


def failed(error: KaptureError) -> dict[str, Any]:
    """The event of a wait that has become pointless."""
    return {
        "status": "failed",
        "error": type(error).__name__,
        "message": str(error),
        "hopeless": error.hopeless,
    }
