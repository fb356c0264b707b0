"""The polls of an asset watcher: which orders were created in a range of time.

Which of them are new is decided in ``triggers.watch_state``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import msgspec

from airflow_provider_kapture.client.api.keys import OrderKey, order_key
from airflow_provider_kapture.client.api.request import build_query
from airflow_provider_kapture.client.async_client import AsyncKaptureClient
from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.days import from_ms, to_ms
from airflow_provider_kapture.hooks.kapture import async_account
from airflow_provider_kapture.triggers.watch_state import NewOrders, PollResult, Watermark


@dataclass(frozen=True)
class WatchedOrders:
    """The orders that a watcher polls.

    :param kapture_conn_id: id of the connection
    :param filters: documented filter names to values
    :param min_retry_wait: minimum seconds between a failed request and the next one
    """

    kapture_conn_id: str
    filters: Mapping[str, Any] | None
    min_retry_wait: float

    async def poll(self, start_ms: int | None, lookback: float) -> PollResult:
        """Return the orders since ``start_ms``, the start that the previous poll returned; None for the first poll.

        :param lookback: seconds for which an order may become visible late
        """
        account = await async_account(self.kapture_conn_id)
        now = to_ms(dt.datetime.now(dt.UTC))
        start, end, following = PollResult.window(start_ms, now, int(lookback * 1000))
        orders: dict[OrderKey, int] = {}
        async with aclosing(self._orders(account, start, end)) as batches:
            async for batch in batches:
                orders |= batch
        return PollResult(start, following, orders, account.zone)

    async def missed(self, watermark: Watermark, poll: PollResult) -> NewOrders:
        """Return the new orders between the watermark and the start of the poll: those of a longer interruption."""
        new_orders = NewOrders()
        if watermark.since_ms < poll.start_ms:
            account = await async_account(self.kapture_conn_id)
            async with aclosing(self._orders(account, watermark.since_ms, poll.start_ms)) as batches:
                async for batch in batches:
                    new_orders += watermark.new_orders(batch)
        return new_orders

    async def _orders(self, account: Account, start_ms: int, end_ms: int) -> AsyncGenerator[dict[OrderKey, int], None]:
        query = build_query("create", self.filters)
        async with AsyncKaptureClient(account, min_retry_wait=self.min_retry_wait) as client:
            window = client.window(from_ms(start_ms), from_ms(end_ms))
            async with aclosing(client.pull(query, [window], proves_empty=False)) as batches:
                async for batch in batches:
                    yield {order_key(order.id): int(order.createDate) for order in map(_ORDER.decode, batch.raws)}


class _Order(msgspec.Struct):
    """The fields of an order that a watcher needs."""

    id: Any
    createDate: Any  # noqa: N815 - the vendor's name


_ORDER = msgspec.json.Decoder(_Order)
