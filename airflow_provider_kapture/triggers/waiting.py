"""The wait of a deferred sensor for enough orders, until its deadline. Its events are in ``triggers.events``."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException

from airflow_provider_kapture.client.async_client import AsyncKaptureClient
from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.errors import KaptureError
from airflow_provider_kapture.hooks.kapture import async_account
from airflow_provider_kapture.privacy import decrypt_filters
from airflow_provider_kapture.triggers.events import (
    MAX_DELAY,
    ConditionMet,
    TimedOut,
    WaitFailed,
    parse_min_orders,
    poll_delay,
    so_far,
)

# Minimum seconds between two log lines with the number of orders.
_LOG_INTERVAL = 60.0


@dataclass(frozen=True, kw_only=True)
class OrderWait:
    """What a sensor waits for, and how often it polls; the fields are the arguments of its trigger."""

    kapture_conn_id: str
    window_start: str
    window_end: str
    date_field: str
    filters: Mapping[str, Any] | None
    sealed_filters: str | None
    min_orders: int
    poll_interval: float
    exponential_backoff: bool
    max_wait: float | None
    silent_fail: bool
    orders: int | None
    deadline: str | None

    async def outcome(self, log: Any) -> ConditionMet | TimedOut | WaitFailed:
        """Poll until there are enough orders, an error ends the wait, or the deadline has passed."""
        seen = _OrdersSoFar(self.orders, self.min_orders, log)
        left = None
        if self.deadline is not None:
            left = (dt.datetime.fromisoformat(self.deadline) - dt.datetime.now(dt.UTC)).total_seconds()
        try:
            async with asyncio.timeout(left) as limit:
                return await self._enough(seen, log)
        except TimeoutError:
            if not limit.expired():
                raise
            return TimedOut(seen.orders)

    async def _enough(self, seen: _OrdersSoFar, log: Any) -> ConditionMet | WaitFailed:
        polls = 0
        has_counted = False
        while True:
            account = None
            try:
                parse_min_orders(self.min_orders)
                account = await async_account(self.kapture_conn_id)
                filters = await self._all_filters(account)
                # Retries must not be more frequent than polls.
                async with AsyncKaptureClient(account, min_retry_wait=self.poll_interval) as client:
                    while (orders := await self.count(client, filters, proves_empty=not has_counted)) < self.min_orders:
                        has_counted = True
                        seen.update(orders)
                        await self._pause(polls)
                        polls += 1
                return ConditionMet(orders, self.window_start, self.window_end)
            except AirflowNotFoundException as error:  # the connection was deleted
                return WaitFailed.from_error(error)
            except KaptureError as error:
                if error.permanent and account is not None and await self._has_changed(account):
                    log.warning("Polling again, because the connection has changed since this error: %s", error)
                elif error.permanent or not self.silent_fail:
                    return WaitFailed.from_error(error)
                else:
                    log.warning("Polling again despite an error, because silent_fail is set: %s", error)
            await self._pause(polls)
            polls += 1

    async def count(self, client: AsyncKaptureClient, filters: Mapping[str, Any], *, proves_empty: bool) -> int:
        """Return the number of orders at Kapture; reading stops once there are enough."""
        return await client.count_orders(
            self.window_start,
            self.window_end,
            date_field=self.date_field,
            filters=filters,
            at_least=self.min_orders,
            proves_empty=proves_empty,
        )

    async def _has_changed(self, account: Account) -> bool:
        """Return whether the connection has changed since the account was read, for example its password."""
        try:
            return await async_account(self.kapture_conn_id) != account
        except (AirflowNotFoundException, KaptureError):
            return True

    async def _all_filters(self, account: Account) -> dict[str, Any]:
        filters = dict(self.filters or {})
        if self.sealed_filters is not None:
            # In a thread: deriving the key takes tens of milliseconds of CPU time.
            filters |= await asyncio.to_thread(decrypt_filters, account, self.sealed_filters)
        return filters

    async def _pause(self, polls: int) -> None:
        max_delay = MAX_DELAY if self.max_wait is None else self.max_wait
        await asyncio.sleep(poll_delay(self.poll_interval, polls if self.exponential_backoff else 0, max_delay))


class _OrdersSoFar:
    """The number of orders at the last poll, logged when it has changed, but at most once a minute."""

    def __init__(self, orders: int | None, min_orders: int, log: Any) -> None:
        self.orders = orders
        self._min_orders = min_orders
        self._log = log
        self._logged = orders
        self._logged_at = float("-inf")

    def update(self, orders: int) -> None:
        self.orders = orders
        if orders != self._logged and time.monotonic() - self._logged_at >= _LOG_INTERVAL:
            self._log.info(so_far(orders, self._min_orders))
            self._logged, self._logged_at = orders, time.monotonic()
