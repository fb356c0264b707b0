"""Waiting for orders in the triggerer."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Hashable, Mapping
from contextlib import aclosing
from typing import Any

import msgspec
from airflow.providers.common.compat.sdk import AirflowNotFoundException
from airflow.providers.common.compat.triggers import BaseEventTrigger
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_kapture.client.api.request import build_query
from airflow_provider_kapture.client.api.response import OrderKey, order_key
from airflow_provider_kapture.client.async_client import AsyncKaptureClient
from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.days import from_ms, to_ms
from airflow_provider_kapture.client.errors import KaptureError, KaptureSettingsError
from airflow_provider_kapture.hooks.kapture import KaptureHook, async_account
from airflow_provider_kapture.privacy import decrypt_filters, split_personal
from airflow_provider_kapture.triggers.events import (
    MIN_INTERVAL,
    ConditionMet,
    WaitFailed,
    check_min_orders,
    poll_delay,
    to_payload,
)
from airflow_provider_kapture.triggers.state_store import load, save
from airflow_provider_kapture.triggers.watch_state import NewOrders, PollResult, Watermark

_MAX_PAUSE = 3600.0
# A watcher's place is kept with each event, and so often where none come: what it has to catch up with stays short.
_SAVE_INTERVAL_MS = 3_600_000


class KaptureOrdersTrigger(BaseTrigger):
    """Fires once: when at least ``min_orders`` of a window match, or when waiting has become pointless.

    Restarted by the triggerer, it asks again at once; the window is the same. A page that fails in a way that may mend
    is asked for again within the connection's ``retry_budget``, never sooner than ``poll_interval`` after the failure.

    :param kapture_conn_id: the connection
    :param window_start: ISO 8601 with offset
    :param window_end: ISO 8601 with offset
    :param date_field: which time of an order the window is about
    :param filters: documented filter names to values
    :param sealed_filters: those that tell who a customer is, as
        :func:`~airflow_provider_kapture.privacy.encrypt_filters` gives them
    :param min_orders: how many orders are enough
    :param poll_interval: seconds between polls, whatever fails; 1 at the least
    :param exponential_backoff: double the pause after each poll
    :param max_wait: seconds that a pause grows to, at the most; an hour where none are given
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
        sealed_filters: str | None = None,
        min_orders: int = 1,
        poll_interval: float = 60.0,
        exponential_backoff: bool = False,
        max_wait: float | None = None,
        silent_fail: bool = False,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow left it untyped
        self.kapture_conn_id = kapture_conn_id
        self.window_start = window_start
        self.window_end = window_end
        self.date_field = date_field
        self.filters = filters
        self.sealed_filters = sealed_filters
        self.min_orders = min_orders
        self.poll_interval = max(MIN_INTERVAL, poll_interval)
        self.exponential_backoff = exponential_backoff
        self.max_wait = max_wait
        self.silent_fail = silent_fail

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Plain data and the connection's id; never a secret."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {
            "kapture_conn_id": self.kapture_conn_id,
            "window_start": self.window_start,
            "window_end": self.window_end,
            "date_field": self.date_field,
            "filters": self.filters,
            "sealed_filters": self.sealed_filters,
            "min_orders": self.min_orders,
            "poll_interval": self.poll_interval,
            "exponential_backoff": self.exponential_backoff,
            "max_wait": self.max_wait,
            "silent_fail": self.silent_fail,
        }

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.kapture_conn_id} [{self.window_start}, {self.window_end})>"

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll until there is something to say; one event."""
        yield TriggerEvent(to_payload(await self._outcome()))  # type: ignore[no-untyped-call]  # as above

    async def _outcome(self) -> ConditionMet | WaitFailed:
        polls = 0
        while True:
            account = None
            try:
                check_min_orders(self.min_orders)
                account = await async_account(self.kapture_conn_id)
                filters = await self._filters(account)
                # Retries keep to the interval between polls.
                async with AsyncKaptureClient(account, min_retry_wait=self.poll_interval) as client:
                    while (seen := await self._count(client, filters)) < self.min_orders:
                        await self._pause(polls)
                        polls += 1
                return ConditionMet(seen, self.window_start, self.window_end)
            except AirflowNotFoundException as error:  # the connection is gone
                return WaitFailed.from_error(error)
            except KaptureError as error:
                if error.permanent and account is not None and await self._has_changed(account):
                    self.log.warning(
                        "The connection is another by now, so that this is no reason to give up: %s", error
                    )
                elif error.permanent or not self.silent_fail:
                    return WaitFailed.from_error(error)
                else:
                    self.log.warning("Waiting on, as silent_fail says: %s", error)
            await self._pause(polls)
            polls += 1

    async def _has_changed(self, account: Account) -> bool:
        """Whether the connection is another than when the wait began, such as after a change of its password."""
        try:
            return await async_account(self.kapture_conn_id) != account
        except (AirflowNotFoundException, KaptureError):
            return True

    async def _filters(self, account: Account) -> dict[str, Any]:
        filters = dict(self.filters or {})
        if self.sealed_filters is not None:
            # In a thread: to open it takes a while.
            filters |= await asyncio.to_thread(decrypt_filters, account, self.sealed_filters)
        return filters

    async def _count(self, client: AsyncKaptureClient, filters: Mapping[str, Any]) -> int:
        return await client.count_orders(
            self.window_start,
            self.window_end,
            date_field=self.date_field,
            filters=filters,
            at_least=self.min_orders,
        )

    async def _pause(self, polls: int) -> None:
        most = _MAX_PAUSE if self.max_wait is None else self.max_wait
        await asyncio.sleep(poll_delay(self.poll_interval, polls if self.exponential_backoff else 0, most))


class KaptureOrdersEventTrigger(BaseEventTrigger):
    """Fires when orders appear that were not there before; for an ``AssetWatcher``. Needs Airflow 3.

    ::

        new_orders = Asset("kapture_orders", watchers=[AssetWatcher("kapture", KaptureOrdersEventTrigger())])

    The event: ``{"orders": how many are new, "first_create_date": their oldest createDate, "last_create_date": their
    newest}``, both ISO 8601 in the account's time zone. Its first poll only looks at what is there.

    A watcher that is restarted goes on where it was, and tells of what came meanwhile, where Airflow keeps state for an
    asset (3.3 and later); elsewhere, or where one trigger watches for many assets, it looks anew, and does not fire for
    what is there by then. Its place is kept before the event is handed to Airflow: no order is told of twice, and an
    event that dies with the triggerer in that moment is not repeated. So let the DAG pull whole days, which the next
    event of the day makes good.

    Watchers with the same arguments share their polls: those of DAGs that Airflow reads together are one trigger to it,
    others share one stream (3.3 and later).

    Whatever fails, a watcher goes on, with growing pauses: there is no task that it could fail, and Airflow starts a
    watcher that ended again at once.

    :param kapture_conn_id: the connection
    :param filters: documented filter names to a string, a number or a list of them; none that may tell who a customer
        is, because Airflow stores a watcher's arguments in plain text
    :param poll_interval: seconds between polls, whatever fails; 1 at the least
    :raises KaptureSettingsError: a filter that may tell who a customer is
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
        _check_not_personal(filters)
        self.kapture_conn_id = kapture_conn_id
        self.filters = filters
        self.poll_interval = max(MIN_INTERVAL, poll_interval)
        self.lookback = max(0.0, lookback)
        # Airflow's place for it, where it has one; the triggerer puts it there.
        self.asset_state_store: Any = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Plain data and the connection's id; never a secret.

        :raises KaptureSettingsError: a filter that will not do. Here, where the DAG's author sees it: from the
            constructor it would end a triggerer, unless it is a :class:`TypeError`
        """
        filters = dict(build_query("create", self.filters).body) if self.filters else None
        return f"{type(self).__module__}.{type(self).__qualname__}", {**self._arguments(), "filters": filters}

    def _arguments(self) -> dict[str, Any]:
        return {
            "kapture_conn_id": self.kapture_conn_id,
            "filters": self.filters,
            "poll_interval": self.poll_interval,
            "lookback": self.lookback,
        }

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.kapture_conn_id}>"

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll for as long as it is watched; alone, where Airflow shares no streams."""
        async with (
            aclosing(self.open_shared_stream(self._arguments())) as polls,
            aclosing(self.filter_shared_stream(polls)) as events,
        ):
            async for event in events:
                yield event

    def shared_stream_key(self) -> Hashable:
        """Watchers that ask the same, as often, share one stream of polls."""
        return _digest(self._arguments())

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncGenerator[PollResult, None]:
        """Poll for ever, whatever fails."""
        watching = cls(**kwargs)
        start: int | None = None
        failures = 0
        while True:
            try:
                poll = await watching._poll(start)
                start, failures = poll.next_ms, 0
                yield poll
            except Exception as error:  # noqa: BLE001 - one that ends is started again at once, without a pause
                failures += 1
                watching.log.warning("No poll of %s: %s: %s", watching.kapture_conn_id, type(error).__name__, error)
            await asyncio.sleep(poll_delay(watching.poll_interval, failures, _MAX_PAUSE))

    async def filter_shared_stream(
        self, shared_stream: AsyncIterator[PollResult]
    ) -> AsyncGenerator[TriggerEvent, None]:
        """Of what the polls see, tell what is new to this watcher."""
        watermark: Watermark | None = None
        saved_ms = 0
        async for poll in shared_stream:
            try:
                current = (
                    watermark
                    or Watermark.from_state(await load(self.asset_state_store, self._key()))
                    or Watermark.initial(poll)
                )
                new_orders = current.new_orders(poll.orders) + await self._missed(current, poll)
                after = current.advance(poll)
                if new_orders.orders or after.since_ms - saved_ms >= _SAVE_INTERVAL_MS:
                    # Before the event: one that is lost is made good by the next, one that comes twice is not.
                    await save(self.asset_state_store, self._key(), after)
                    saved_ms = after.since_ms
                watermark = after
            except Exception as error:  # noqa: BLE001 - as above; the next look makes good what this one could not tell
                self.log.warning("No news of %s: %s: %s", self.kapture_conn_id, type(error).__name__, error)
                continue
            if new_orders.orders:
                yield TriggerEvent(new_orders.payload(poll.zone))  # type: ignore[no-untyped-call]  # as above

    async def _poll(self, start_ms: int | None) -> PollResult:
        account = await async_account(self.kapture_conn_id)
        now = to_ms(dt.datetime.now(dt.UTC))
        start, end, following = PollResult.window(start_ms, now, int(self.lookback * 1000))
        orders: dict[OrderKey, int] = {}
        async with aclosing(self._orders(account, start, end)) as batches:
            async for batch in batches:
                orders |= batch
        return PollResult(start, following, orders, account.zone)

    async def _missed(self, watermark: Watermark, poll: PollResult) -> NewOrders:
        """What came while this watcher was away, and is older than what the look asked for."""
        new_orders = NewOrders()
        if watermark.since_ms < poll.start_ms:
            account = await async_account(self.kapture_conn_id)
            async with aclosing(self._orders(account, watermark.since_ms, poll.start_ms)) as batches:
                async for batch in batches:
                    new_orders += watermark.new_orders(batch)
        return new_orders

    async def _orders(self, account: Account, start_ms: int, end_ms: int) -> AsyncGenerator[dict[OrderKey, int], None]:
        async with AsyncKaptureClient(account, min_retry_wait=self.poll_interval) as client:
            window = client.window(from_ms(start_ms), from_ms(end_ms))
            async with aclosing(client.pull(build_query("create", self.filters), [window])) as batches:
                async for batch in batches:
                    yield {order_key(order.id): int(order.createDate) for order in map(_ORDER.decode, batch.raws)}

    def _key(self) -> str:
        """Watchers of one asset each have a place of their own."""
        return f"kapture_orders_{_digest([self.kapture_conn_id, build_query('create', self.filters).body])[:16]}"


class _PersonalFilterError(KaptureSettingsError, TypeError):
    """A TypeError, too: the only error of a trigger's constructor that does not end a whole triggerer."""


def _check_not_personal(filters: Mapping[str, Any] | None) -> None:
    """A watcher's arguments stand in the serialized DAG. Its identity is their hash, so they cannot be encrypted.

    :raises KaptureSettingsError: names the filters, and not their values
    """
    personal = sorted(split_personal(filters)[1]) if isinstance(filters, Mapping) else []
    if personal:
        raise _PersonalFilterError(
            f"Filters that may identify a customer ({', '.join(personal)}) cannot be arguments of a watcher, because "
            "Airflow stores them in plain text: put them into `default_body` of a connection of the watcher's own"
        )


def _digest(value: object) -> str:
    """The same for the same, and nothing of it can be read."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


class _Order(msgspec.Struct):
    """What a watcher looks at of an order."""

    id: Any
    createDate: Any  # noqa: N815 - the vendor's name


_ORDER = msgspec.json.Decoder(_Order)
