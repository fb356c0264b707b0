"""Waiting for orders in the triggerer."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.triggers import BaseEventTrigger
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_kapture.client.account import Account
from airflow_provider_kapture.client.aio import AsyncKaptureClient
from airflow_provider_kapture.client.client import as_dict
from airflow_provider_kapture.client.days import DayRange, from_ms, to_ms
from airflow_provider_kapture.client.errors import KaptureError
from airflow_provider_kapture.client.protocol import OrderKey, Page, Question, order_key, question
from airflow_provider_kapture.hooks.kapture import KaptureHook, async_account
from airflow_provider_kapture.waiting import LEAST_INTERVAL, Enough, Failed, Place, to_payload

if TYPE_CHECKING:
    from airflow.sdk.execution_time.context import AssetStateStoreAccessors

_MOST_PAUSE = 3600.0


class KaptureOrdersTrigger(BaseTrigger):
    """Fires once: when at least ``min_orders`` of a window match, or when waiting has become pointless.

    Restarted by the triggerer, it asks again at once; the window is the same. A page that fails in a way that may mend
    is asked for again within the connection's ``retry_budget``, never sooner than ``poll_interval`` after the failure.

    :param kapture_conn_id: the connection
    :param window_start: ISO 8601 with offset
    :param window_end: ISO 8601 with offset
    :param date_field: which time of an order the window is about
    :param filters: documented filter names to values
    :param min_orders: how many orders are enough
    :param poll_interval: seconds between polls, whatever fails; 1 at the least
    :param silent_fail: wait on, however long failures that may mend last
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
        silent_fail: bool = False,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow left it untyped
        self.kapture_conn_id = kapture_conn_id
        self.window_start = window_start
        self.window_end = window_end
        self.date_field = date_field
        self.filters = filters
        self.min_orders = min_orders
        self.poll_interval = max(LEAST_INTERVAL, poll_interval)
        self.silent_fail = silent_fail

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Plain data and the connection's id; never a secret."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {
            "kapture_conn_id": self.kapture_conn_id,
            "window_start": self.window_start,
            "window_end": self.window_end,
            "date_field": self.date_field,
            "filters": self.filters,
            "min_orders": self.min_orders,
            "poll_interval": self.poll_interval,
            "silent_fail": self.silent_fail,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll until there is something to say; one event."""
        yield TriggerEvent(to_payload(await self._outcome()))  # type: ignore[no-untyped-call]  # as above

    async def _outcome(self) -> Enough | Failed:
        while True:
            try:
                return await self._enough()
            except KaptureError as error:
                if error.hopeless or not self.silent_fail:
                    return Failed.of(error)
                self.log.warning("Waiting on, as silent_fail says: %s", error)
            await asyncio.sleep(self.poll_interval)

    async def _enough(self) -> Enough:
        account = await async_account(self.kapture_conn_id)
        async with _UnhurriedClient(account, self.poll_interval) as client:
            while True:
                seen = await client.count_orders(
                    self.window_start,
                    self.window_end,
                    date_field=self.date_field,
                    filters=self.filters,
                    at_least=self.min_orders,
                )
                if seen >= self.min_orders:
                    return Enough(seen, self.window_start, self.window_end)
                await asyncio.sleep(self.poll_interval)


class KaptureOrdersEventTrigger(BaseEventTrigger):
    """Fires when orders appear that the last poll had not seen; for an ``AssetWatcher``. Needs Airflow 3.

    ::

        new_orders = Asset("kapture_orders", watchers=[AssetWatcher("kapture", KaptureOrdersEventTrigger())])

    The event: ``{"orders": how many are new, "last_create_date": their newest createDate}``, the latter ISO 8601 in the
    account's time zone. The first poll only looks at what is there. Where Airflow keeps state for an asset, a watcher
    that is restarted goes on from the newest order that it had seen; elsewhere, or where one trigger watches for many
    assets, it looks anew, and does not fire for what is there by then. Watchers with the same arguments are one trigger
    to Airflow, and share its polls.

    Whatever fails, a watcher goes on, with growing pauses: there is no task that it could fail, and Airflow starts a
    watcher that ended again at once.

    :param kapture_conn_id: the connection
    :param filters: documented filter names to a string, a number or a list of them
    :param poll_interval: seconds between polls, whatever fails; 1 at the least
    :param lookback: seconds after its ``createDate`` within which an order that shows up late is still noticed
    """

    def __init__(
        self,
        *,
        kapture_conn_id: str = KaptureHook.default_conn_name,
        filters: Mapping[str, Any] | None = None,
        poll_interval: float = 300.0,
        lookback: float = 3600.0,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow left it untyped
        self.kapture_conn_id = kapture_conn_id
        self.filters = filters
        self.poll_interval = max(LEAST_INTERVAL, poll_interval)
        self.lookback = max(0.0, lookback)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Plain data and the connection's id; never a secret."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {
            "kapture_conn_id": self.kapture_conn_id,
            "filters": self.filters,
            "poll_interval": self.poll_interval,
            "lookback": self.lookback,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll for as long as it is watched."""
        place: Place | None = None
        failures = 0
        while True:
            try:
                place, news = await self._poll(place)
                failures = 0
                if news is not None:
                    yield TriggerEvent(news)  # type: ignore[no-untyped-call]  # as above
            except Exception as error:  # noqa: BLE001 - one that ends is started again at once, without a pause
                failures += 1
                self.log.warning("No poll of %s: %s: %s", self.kapture_conn_id, type(error).__name__, error)
            await asyncio.sleep(pause(self.poll_interval, failures))

    async def _poll(self, place: Place | None) -> tuple[Place, dict[str, Any] | None]:
        account = await async_account(self.kapture_conn_id)
        now = to_ms(dt.datetime.now(dt.UTC))
        known = place or await self._recall(now)
        orders = await self._orders(account, *known.window(now, int(self.lookback * 1000)))
        new, after = known.new(orders), known.after(orders, now)
        if new or place is None:
            # Before the event: one that is lost is made good by the next, one that comes twice is not.
            await self._remember(after)
        if not new:
            return after, None
        return after, {"orders": len(new), "last_create_date": from_ms(max(new.values()), account.zone).isoformat()}

    async def _orders(self, account: Account, start_ms: int, end_ms: int) -> dict[OrderKey, int]:
        async with _UnhurriedClient(account, self.poll_interval) as client:
            window = client.window(from_ms(start_ms), from_ms(end_ms))
            async with aclosing(client.pull(question("create", self.filters), window)) as batches:
                return {
                    order_key(order["id"]): int(order["createDate"])
                    async for batch in batches
                    for order in map(as_dict, batch.raws)
                }

    async def _recall(self, now_ms: int) -> Place:
        newest = None
        store = self._store()
        if store is not None:
            with suppress(ValueError):  # several assets: Airflow does not say whose state would be meant
                newest = await store.aget(self._key())
        return Place.begin(newest if isinstance(newest, int) else now_ms)

    async def _remember(self, place: Place) -> None:
        store = self._store()
        if store is not None:
            with suppress(ValueError):  # as above
                await store.aset(self._key(), place.newest_ms)

    def _store(self) -> AssetStateStoreAccessors | None:
        return getattr(self, "asset_state_store", None)

    def _key(self) -> str:
        """Watchers of one asset each have a place of their own."""
        asked = json.dumps([self.kapture_conn_id, question("create", self.filters).body], sort_keys=True)
        return f"kapture_orders_{hashlib.sha256(asked.encode()).hexdigest()[:16]}"


def pause(interval: float, failures: int) -> float:
    """Seconds until the next poll, after so many failures in a row: never less than the interval."""
    return min(interval * 2.0 ** min(failures, 16), max(interval, _MOST_PAUSE))


class _UnhurriedClient(AsyncKaptureClient):
    """One that asks for nothing until an interval after a failure: its retries keep to the interval, as polls do."""

    def __init__(self, account: Account, interval: float) -> None:
        super().__init__(account)
        self._interval = interval
        self._not_before = float("-inf")

    async def fetch(self, asked: Question, days: DayRange, offset: int, limit: int | None = None) -> Page:
        clock = asyncio.get_running_loop().time
        await asyncio.sleep(self._not_before - clock())
        try:
            return await super().fetch(asked, days, offset, limit)
        except KaptureError:
            self._not_before = clock() + self._interval
            raise
