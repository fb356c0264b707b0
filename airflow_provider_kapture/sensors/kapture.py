"""Wait until a window has orders."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowNotFoundException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    Context,
    PokeReturnValue,
    conf,
)

from airflow_provider_kapture.arguments import TemplatedArguments
from airflow_provider_kapture.client import Account, KaptureClient
from airflow_provider_kapture.client.api.request import build_query
from airflow_provider_kapture.client.days import Window, WindowEdge
from airflow_provider_kapture.client.errors import KaptureError, KaptureSettingsError
from airflow_provider_kapture.hooks.kapture import KaptureHook, missing_connection
from airflow_provider_kapture.operators.mapped_destination import expansion_of
from airflow_provider_kapture.privacy import encrypt_filters, split_personal
from airflow_provider_kapture.triggers.events import MIN_INTERVAL, ConditionMet, check_min_orders, from_payload
from airflow_provider_kapture.window_store import resolve_stored_window

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import XComArg

# How Airflow tells a sensor that its deferral took too long, 3 and 2.
_TIMED_OUT = ("Trigger timeout", "Trigger/execution timeout")
# Seconds beyond which a time-out is no bound; there are dates that far ahead.
_MAX_REACH = 100 * 365 * 86_400.0


class KaptureOrdersSensor(TemplatedArguments, BaseSensorOperator):
    """True when at least ``min_orders`` of a window match. XCom: ``{"orders": seen, "window_start", "window_end"}``.

    Source: Pull Order API. The same question, decision and errors in poke, reschedule and deferrable mode. A page that
    fails in a way that may mend is asked for again within the connection's ``retry_budget``; an outage that lasts
    longer fails the try. What a retry can't mend fails the task at once.

    ``poke_interval`` is 1 second at the least. A deferrable sensor asks once in the worker before it defers, and
    ``timeout`` counts from there.

    :param window_start: as the operator's (templated)
    :param window_end: as the operator's (templated)
    :param window: as the operator's
    :param date_field: which time of an order the window is about
    :param filters: documented filter names to a string, a number or a list of them (templated)
    :param min_orders: how many orders are enough; at least 1
    :param deferrable: wait in the triggerer instead of in a worker's slot
    :param kapture_conn_id: the connection (templated)
    """

    template_fields: Sequence[str] = ("window_start", "window_end", "filters", "kapture_conn_id")

    def __init__(
        self,
        *,
        window_start: WindowEdge | None = None,
        window_end: WindowEdge | None = None,
        window: dt.timedelta | str | None = None,
        date_field: str = "create",
        filters: Mapping[str, Any] | XComArg | None = None,
        min_orders: int = 1,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        kapture_conn_id: str = KaptureHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.poke_interval = max(MIN_INTERVAL, self.poke_interval)
        self.window_start = window_start
        self.window_end = window_end
        self.window = window
        self.date_field = date_field
        # An upstream task's output is a mapping once it is rendered.
        self.filters = cast("Mapping[str, Any] | None", filters)
        self.min_orders = min_orders
        self.deferrable = deferrable
        self.kapture_conn_id = kapture_conn_id

    def poke(self, context: Context) -> PokeReturnValue:
        """Ask once; where that is not enough and the sensor is deferrable, wait in the triggerer.

        :raises AirflowFailException: what a retry can't mend
        :raises KaptureError: what a retry may mend
        """
        started = time.monotonic()
        with _fail_if_permanent(self.kapture_conn_id):
            self._check_rendered(expansion_of(cast("Mapping[str, Any]", context), self.task_id))
            with KaptureHook(self.kapture_conn_id).get_conn() as client:
                seen = self._count(client, self._window(client, context))
                account = client.account
        has_enough = seen.orders >= self.min_orders
        left = self.timeout - (time.monotonic() - started)
        if self.deferrable and not has_enough and left > 0:
            self._wait_deferred(account, seen, left)
        return PokeReturnValue(is_done=has_enough, xcom_value=seen.xcom())

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, Any]:  # noqa: ARG002 - Airflow's call
        """What the trigger's event means.

        :raises AirflowFailException: what a retry can't mend, or an event that is none of the trigger's
        :raises KaptureError: what a retry may mend
        """
        try:
            outcome = from_payload(event)
        except ValueError as error:
            raise AirflowFailException(
                f"The trigger's event is not one that this sensor knows ({error}): have worker and triggerer the same "
                "version of this provider?"
            ) from error
        if isinstance(outcome, ConditionMet):
            return outcome.xcom()
        failure = outcome.exception()
        if self.never_fail:
            # As in a worker: Airflow itself does not skip on everything that comes out of here.
            raise AirflowSkipException(f"Skipping, as never_fail says: {failure}") from failure
        with _fail_if_permanent(self.kapture_conn_id):
            raise failure

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """As in a worker: a wait that takes too long is the sensor's time-out, and skipped where ``soft_fail`` says so.

        Airflow 2 calls it a failed deferral, and until 3.0 it does not skip it.
        """
        error = (next_kwargs or {}).get("error")
        if next_method != "__fail__" or error not in _TIMED_OUT:
            return super().resume_execution(next_method, next_kwargs, context)
        message = f"The window did not have enough orders within {self.timeout:g} s ({error})"
        if self.soft_fail or self.never_fail:
            raise AirflowSkipException(message)
        raise AirflowSensorTimeout(message)

    def _get_next_poke_interval(self, *args: Any, **kwargs: Any) -> float:
        # Airflow's exponential backoff begins with half the interval.
        return max(self.poke_interval, super()._get_next_poke_interval(*args, **kwargs))

    def _window(self, client: KaptureClient, context: Context) -> Window:
        window, source = resolve_stored_window(
            cast("Mapping[str, Any]", context),
            client.account.zone,
            window_start=self.window_start,
            window_end=self.window_end,
            window=self.window,
        )
        self.log.info("Window [%s, %s) from %s", window.start.isoformat(), window.end.isoformat(), source)
        self._check_in_reach(window)
        return window

    def _count(self, client: KaptureClient, window: Window) -> ConditionMet:
        check_min_orders(self.min_orders)
        seen = 0
        try:
            seen = client.count_orders(
                window.start,
                window.end,
                date_field=self.date_field,
                filters=self.filters,
                at_least=self.min_orders,
            )
        except KaptureError as error:
            if error.permanent or not (self.silent_fail and self.deferrable):
                raise
            # Airflow itself would go on in the worker.
            self.log.warning("Waiting on in the triggerer, as silent_fail says: %s", error)
        return ConditionMet(seen, window.start.isoformat(), window.end.isoformat())

    def _check_in_reach(self, window: Window) -> None:
        """An order is created in the present: one in a window beyond the time-out can't come in time."""
        reach = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=min(self.timeout, _MAX_REACH))
        if self.date_field == "create" and window.start >= reach:
            raise KaptureSettingsError(
                f"The window starts at {window.start.isoformat()}, and this sensor's timeout ({self.timeout:g} s) ends "
                "before that: no order can be created in it in time; give an earlier window_start or a longer timeout"
            )

    def _wait_deferred(self, account: Account, seen: ConditionMet, timeout: float) -> None:
        from airflow_provider_kapture.triggers.kapture import KaptureOrdersTrigger

        # As they are sent: plain strings, whatever the DAG's author gave.
        filters, personal = split_personal(build_query(self.date_field, self.filters).body)
        trigger = KaptureOrdersTrigger(
            kapture_conn_id=self.kapture_conn_id,
            window_start=seen.window_start,
            window_end=seen.window_end,
            date_field=self.date_field,
            filters=filters,
            sealed_filters=encrypt_filters(account, personal),
            min_orders=self.min_orders,
            poll_interval=self.poke_interval,
            exponential_backoff=self.exponential_backoff,
            max_wait=None if self.max_wait is None else self.max_wait.total_seconds(),
            silent_fail=self.silent_fail,
        )
        self.defer(trigger=trigger, method_name="execute_complete", timeout=dt.timedelta(seconds=timeout))


@contextmanager
def _fail_if_permanent(kapture_conn_id: str) -> Iterator[None]:
    """What a retry can't mend fails the task for good."""
    try:
        yield
    except AirflowNotFoundException as error:
        raise AirflowFailException(missing_connection(kapture_conn_id)) from error
    except KaptureError as error:
        if error.permanent:
            raise AirflowFailException(str(error)) from error
        raise
