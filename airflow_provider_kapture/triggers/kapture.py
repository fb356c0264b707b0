"""The triggers: one for the deferred sensor, one for an asset watcher.

How they poll is in ``triggers.waiting`` and ``triggers.watching``, the sensor's event payloads in ``triggers.events``.
Which orders are new to a watcher is decided in ``triggers.watch_state``, and stored by ``triggers.state_store``.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Hashable, Mapping
from contextlib import aclosing
from typing import Any

from airflow.providers.common.compat.triggers import BaseEventTrigger
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_kapture.client.api.request import build_query
from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.hooks.kapture import KaptureHook
from airflow_provider_kapture.privacy import split_personal
from airflow_provider_kapture.triggers.events import MAX_DELAY, MIN_INTERVAL, poll_delay, to_payload
from airflow_provider_kapture.triggers.state_store import load, save
from airflow_provider_kapture.triggers.waiting import OrderWait
from airflow_provider_kapture.triggers.watch_state import PollResult, Watermark
from airflow_provider_kapture.triggers.watching import WatchedOrders

# The watermark is saved with each event, and at this interval without events, to limit what a restart must read again.
_SAVE_INTERVAL_MS = 3_600_000


class KaptureOrdersTrigger(BaseTrigger):
    """Fires once: when at least ``min_orders`` orders of a window match, an error ends the wait, or its time is over.

    After a restart of the triggerer it polls again at once, for the same window. Transient errors of a request are
    retried within the connection's ``retry_budget``, never sooner than ``poll_interval`` after the failure.

    :param kapture_conn_id: id of the connection
    :param window_start: first instant of the window, ISO 8601 with offset
    :param window_end: first instant after the window, ISO 8601 with offset
    :param date_field: the time of an order that the window selects by
    :param filters: documented filter names to values
    :param sealed_filters: the filters that may identify a customer, encrypted by
        ``encrypt_filters``
    :param min_orders: the number of orders to wait for
    :param poll_interval: seconds between polls, also after errors; at least 1
    :param exponential_backoff: double the delay after each poll
    :param max_wait: maximum delay in seconds; None for an hour
    :param silent_fail: keep waiting through transient errors, however long they last
    :param orders: the number of orders that the sensor has seen; None if it could not count them
    :param deadline: when the wait ends at the latest, ISO 8601 with offset; None to wait without an end
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
        orders: int | None = None,
        deadline: str | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow left it untyped
        self._wait = OrderWait(
            kapture_conn_id=kapture_conn_id,
            window_start=window_start,
            window_end=window_end,
            date_field=date_field,
            filters=filters,
            sealed_filters=sealed_filters,
            min_orders=min_orders,
            poll_interval=max(MIN_INTERVAL, poll_interval),
            exponential_backoff=exponential_backoff,
            max_wait=max_wait,
            silent_fail=silent_fail,
            orders=orders,
            deadline=deadline,
        )

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments, as plain data without secrets."""
        return f"{type(self).__module__}.{type(self).__qualname__}", dict(vars(self._wait))

    def __repr__(self) -> str:
        wait = self._wait
        return f"<{type(self).__name__} {wait.kapture_conn_id} [{wait.window_start}, {wait.window_end})>"

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll until the condition is met, an error ends the wait or the deadline has passed, and yield one event."""
        outcome = await self._wait.outcome(self.log)
        yield TriggerEvent(to_payload(outcome))  # type: ignore[no-untyped-call]  # as above


class KaptureOrdersEventTrigger(BaseEventTrigger):
    """Fires when new orders appear; for an ``AssetWatcher``. Needs Airflow 3.

    ::

        new_orders = Asset("kapture_orders", watchers=[AssetWatcher("kapture", KaptureOrdersEventTrigger())])

    Payload of the event: ``{"orders": number of new orders, "first_create_date": their oldest createDate,
    "last_create_date": their newest createDate}``, both ISO 8601 in the account's time zone. The first poll records the
    existing orders, and does not fire.

    After a restart, a watcher continues from its watermark and reports the orders that appeared meanwhile, if Airflow
    stores state for the asset (3.3 and later). Otherwise, or if one trigger watches several assets, the first poll
    records the existing orders again. Delivery is at most once: the watermark is saved before the event is passed to
    Airflow, so no order is reported twice, but an event is lost if the triggerer dies in between. Let the DAG pull
    whole days: the next event of that day then covers the lost one.

    Watchers with the same arguments share their polls: those of DAGs in the same DAG file are a single trigger to
    Airflow, others share one stream (3.3 and later).

    Errors are logged, and polling continues with growing delays: there is no task that could fail, and Airflow restarts
    a watcher that has ended at once.

    :param kapture_conn_id: id of the connection
    :param filters: documented filter names to a string, a number or a list of them; none that may identify a customer,
        because Airflow stores a watcher's arguments in plain text
    :param poll_interval: seconds between polls, also after errors; at least 1
    :param lookback: seconds after its ``createDate`` within which an order that becomes visible late is still reported
    :raises KaptureSettingsError: a filter may identify a customer
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
        # The triggerer sets this attribute in Airflow 3.3 and later.
        self.asset_state_store: Any = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments, as plain data without secrets.

        :raises KaptureSettingsError: a filter is invalid. It is raised here, where the DAG's author sees it: raised by
            the constructor, any error except :class:`TypeError` would end the triggerer
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
        """Poll until cancelled, and yield an event for new orders; used if Airflow does not share streams."""
        async with (
            aclosing(self.open_shared_stream(self._arguments())) as polls,
            aclosing(self.filter_shared_stream(polls)) as events,
        ):
            async for event in events:
                yield event

    def shared_stream_key(self) -> Hashable:
        """Return the key of the shared stream: watchers with equal arguments share one."""
        return _digest(self._arguments())

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncGenerator[PollResult, None]:
        """Poll until cancelled, and yield each result; errors are logged, and polling continues."""
        watcher = cls(**kwargs)
        start: int | None = None
        failures = 0
        while True:
            try:
                poll = await watcher._watched().poll(start, watcher.lookback)
                start, failures = poll.next_ms, 0
                yield poll
            except Exception as error:  # noqa: BLE001 - Airflow would restart a watcher that ended without a delay
                failures += 1
                watcher.log.warning("Poll of %s failed: %s: %s", watcher.kapture_conn_id, type(error).__name__, error)
            await asyncio.sleep(poll_delay(watcher.poll_interval, failures, MAX_DELAY))

    async def filter_shared_stream(
        self, shared_stream: AsyncIterator[PollResult]
    ) -> AsyncGenerator[TriggerEvent, None]:
        """Yield an event for each poll result that contains orders that are new to this watcher."""
        watermark: Watermark | None = None
        saved_ms = 0
        async for poll in shared_stream:
            try:
                current = (
                    watermark
                    or Watermark.from_state(await load(self.asset_state_store, self._key()))
                    or Watermark.initial(poll)
                )
                new_orders = current.new_orders(poll.orders) + await self._watched().missed(current, poll)
                advanced = current.advance(poll)
                if new_orders.orders or advanced.since_ms - saved_ms >= _SAVE_INTERVAL_MS:
                    # Before the event: a lost event is covered by the next one, a repeated one is not undone.
                    await save(self.asset_state_store, self._key(), advanced)
                    saved_ms = advanced.since_ms
                watermark = advanced
            except Exception as error:  # noqa: BLE001 - as above; the next poll reports these orders
                self.log.warning(
                    "Could not report new orders of %s: %s: %s", self.kapture_conn_id, type(error).__name__, error
                )
                continue
            if new_orders.orders:
                yield TriggerEvent(new_orders.payload(poll.zone))  # type: ignore[no-untyped-call]  # as above

    def _watched(self) -> WatchedOrders:
        return WatchedOrders(self.kapture_conn_id, self.filters, self.poll_interval)

    def _key(self) -> str:
        """Return the key of the watermark; watchers of the same asset with other arguments have another."""
        return f"kapture_orders_{_digest([self.kapture_conn_id, build_query('create', self.filters).body])[:16]}"


class _PersonalFilterError(KaptureSettingsError, TypeError):
    """Also a TypeError: any other error of a trigger's constructor would end the triggerer."""


def _check_not_personal(filters: Mapping[str, Any] | None) -> None:
    """Check that no filter may identify a customer: a watcher's arguments are stored in the serialized DAG.

    They cannot be encrypted, because Airflow identifies a watcher by their hash.

    :raises KaptureSettingsError: a filter may identify a customer; names the filters, not their values
    """
    personal = sorted(split_personal(filters)[1]) if isinstance(filters, Mapping) else []
    if personal:
        raise _PersonalFilterError(
            f"Filters that may identify a customer ({', '.join(personal)}) cannot be arguments of a watcher, because "
            "Airflow stores those in plain text; put them into `default_body` of a separate connection"
        )


def _digest(value: object) -> str:
    """Return a hash of a JSON value, so that stored keys reveal nothing of the filters."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()
