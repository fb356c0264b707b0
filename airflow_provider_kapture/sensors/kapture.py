"""The sensor that waits until a window has orders, in a worker or, deferred, in the triggerer.

What happens in the triggerer is in ``triggers.kapture``; the events between the two are in ``triggers.events``.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

from airflow.providers.common.compat.sdk import (
    AirflowNotFoundException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    BaseSensorOperator,
    Context,
    PokeReturnValue,
    conf,
)

from airflow_provider_kapture.airflow_internals import MinimumPokeInterval, is_deferral_timeout
from airflow_provider_kapture.argument_types import DateField, OrderFilters, WindowWidth
from airflow_provider_kapture.client import Account, KaptureClient
from airflow_provider_kapture.client.api.request import build_query
from airflow_provider_kapture.client.days import Window, WindowEdge
from airflow_provider_kapture.client.errors import KaptureError, KaptureSettingsError
from airflow_provider_kapture.constructor_checks import check_constructor, is_known
from airflow_provider_kapture.hooks.kapture import KaptureHook
from airflow_provider_kapture.operators.lineage import LineageOfOrders
from airflow_provider_kapture.operators.links import AccountLink, keep_account
from airflow_provider_kapture.operators.map_label import LabelledTask
from airflow_provider_kapture.privacy import encrypt_filters, split_personal
from airflow_provider_kapture.task_errors import log_error, task_error, task_failure
from airflow_provider_kapture.triggers.events import (
    MIN_INTERVAL,
    ConditionMet,
    TimedOut,
    from_payload,
    parse_min_orders,
    so_far,
)
from airflow_provider_kapture.window_store import resolve_stored_window

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import XComArg

# Seconds that are added to the current time at most: a longer timeout could exceed the largest datetime.
_MAX_TIMEOUT = 100 * 365 * 86_400.0
# The time that a trigger has to report that its deadline has passed.
_GRACE = dt.timedelta(seconds=10)


class KaptureOrdersSensor(LabelledTask, LineageOfOrders, MinimumPokeInterval, BaseSensorOperator):
    """Wait until at least ``min_orders`` orders of a window match the filters.

    ::

        KaptureOrdersSensor(
            task_id="wait_for_orders",
            window="day",
            min_orders=1_000,
            deferrable=True,
            poke_interval=600,
            timeout=6 * 3600,
        )

    XCom: ``{"orders": the number seen, "window_start", "window_end"}``, the instants as ISO 8601 in the account's time
    zone.

    Source: Pull Order API. Requests, condition and errors are the same in poke, reschedule and deferrable mode.
    Transient errors of a request are retried within the connection's ``retry_budget``; an outage that lasts longer
    fails the attempt. An error that a retry cannot resolve fails the task at once. Arguments that are known when the
    DAG is parsed are checked then.

    ``poke_interval`` is at least 1 second. A deferrable sensor pokes once in the worker before it defers, and
    ``timeout`` counts from the start of that poke.

    :param window_start: as for the operator (templated)
    :param window_end: as for the operator (templated)
    :param window: as for the operator (templated)
    :param date_field: the time of an order that the window selects by
    :param filters: as for the operator (templated)
    :param min_orders: the number of orders to wait for; at least 1, also as text (templated)
    :param deferrable: wait in the triggerer, without occupying a worker slot
    :param kapture_conn_id: id of the connection (templated)
    :raises KaptureArgumentError: an argument is wrong
    """

    template_fields: Sequence[str] = (
        "window_start",
        "window_end",
        "window",
        "filters",
        "min_orders",
        "kapture_conn_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"filters": "json"}
    operator_extra_links = (AccountLink(),)
    ui_color = "#e4ecf9"

    def __init__(
        self,
        *,
        window_start: WindowEdge | None = None,
        window_end: WindowEdge | None = None,
        window: WindowWidth | None = None,
        date_field: DateField = "create",
        filters: OrderFilters | Mapping[str, Any] | XComArg | None = None,
        min_orders: int | str = 1,
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
        # The output of an upstream task is a mapping once the field is rendered.
        self.filters = cast("Mapping[str, Any] | None", filters)
        self.min_orders = min_orders
        self.deferrable = deferrable
        self._has_poked = False
        self._wanted = 0
        self._seen: int | None = None
        self.kapture_conn_id = kapture_conn_id
        check_constructor(self, _check_min_orders)

    def execute(self, context: Context) -> Any:
        """Poke until there are enough orders, and return the XCom value.

        :raises AirflowSensorTimeout: ``timeout`` has passed; the message has the number of orders seen last
        :raises AirflowSkipException: the same with ``soft_fail``
        :raises AirflowTaskTimeout: ``execution_timeout`` has passed
        """
        try:
            return super().execute(context)
        except (AirflowSensorTimeout, AirflowSkipException) as error:
            if isinstance(error.__cause__, AirflowTaskTimeout):
                # Airflow skips the task with `soft_fail` if the time is over during a poke, but not between two.
                raise error.__cause__ from None
            message = f"{error} The last poke saw {self._so_far()} (connection {self.kapture_conn_id!r})"
            if isinstance(error, AirflowSensorTimeout):
                log_error(message, self.kapture_conn_id, self.log)
            raise type(error)(message) from None

    def poke(self, context: Context) -> PokeReturnValue:
        """Count the orders once; if there are too few and the sensor is deferrable, defer to the triggerer.

        :raises AirflowFailException: an error that a retry cannot resolve, such as an invalid setting
        :raises KaptureError: an error that a retry may resolve
        """
        started = time.monotonic()
        try:
            self._check_rendered(self._expansion)
            self._wanted = parse_min_orders(self.min_orders)
            with KaptureHook(self.kapture_conn_id).get_conn() as client:
                account = client.account
                keep_account(self, cast("Mapping[str, Any]", context), account.host)
                seen = self._count(client, self._window(client, context), proves_empty=_is_first_poke(self, context))
        except (AirflowNotFoundException, KaptureError) as error:
            raise task_error(error, self.kapture_conn_id, self.log) from None
        has_enough = seen.orders >= self._wanted
        left = self._time_limit()[1] - (time.monotonic() - started)
        if self.deferrable and not has_enough and left > 0:
            self._wait_deferred(account, seen, left)
        return PokeReturnValue(is_done=has_enough, xcom_value=seen.xcom())

    def execute_complete(
        self,
        context: Context,  # noqa: ARG002 - Airflow's call
        event: Any = None,
        account_host: str | None = None,
    ) -> dict[str, Any]:
        """Return the XCom value of the trigger's event, or raise the error that it reports.

        :param event: the payload of :class:`~airflow_provider_kapture.triggers.kapture.KaptureOrdersTrigger`
        :param account_host: the account's host, which the task read before it was deferred
        :raises AirflowFailException: an error that a retry cannot resolve, or an unknown payload
        :raises AirflowSkipException: any error, if ``never_fail`` is set
        :raises AirflowSensorTimeout: ``timeout`` has passed
        :raises AirflowTaskTimeout: ``execution_timeout`` has passed
        :raises KaptureError: an error that a retry may resolve
        """
        self.account_host = account_host
        try:
            outcome = from_payload(event)
        except ValueError as error:
            raise task_failure(
                f"The trigger sent an event that this sensor does not know ({error}); check that workers and triggerer "
                "run the same provider version",
                self.kapture_conn_id,
                self.log,
            ) from None
        if isinstance(outcome, ConditionMet):
            return outcome.xcom()
        if isinstance(outcome, TimedOut):
            self._seen = outcome.orders
            raise self._timed_out()
        failure = outcome.exception()
        if self.never_fail:
            # Airflow applies `never_fail` to errors of poke(), but not to all errors of this method.
            raise AirflowSkipException(f"Skipped because `never_fail` is set: {failure}") from failure
        raise task_error(failure, self.kapture_conn_id, self.log) from None

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Raise the sensor's timeout, or skip the task with ``soft_fail``, if the triggerer did not end the wait.

        Airflow 2 reports such a timeout as a failed deferral, and versions before 3.0 do not skip it.
        """
        if is_deferral_timeout(next_method, next_kwargs):
            raise self._timed_out()
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except AirflowSkipException as error:
            # Airflow's own message says only that `soft_fail` is set.
            raise AirflowSkipException(str(error.__cause__ or error)) from None

    def _time_limit(self) -> tuple[str, float]:
        """Return the argument that ends the wait first, and its seconds; both count from the start of a try."""
        limits = [("timeout", self.timeout)]
        if self.execution_timeout is not None:
            limits.append(("execution_timeout", self.execution_timeout.total_seconds()))
        return min(limits, key=lambda limit: limit[1])

    def _timed_out(self) -> BaseException:
        """Return the exception of a wait whose time is over, as in poke mode: only `timeout` skips with `soft_fail`."""
        name, seconds = self._time_limit()
        seen = f"The last poke saw {self._so_far()} (connection {self.kapture_conn_id!r})"
        message = f"Timed out after {seconds:g} s (`{name}`). {seen}"
        if name == "timeout" and (self.soft_fail or self.never_fail):
            return AirflowSkipException(message)
        log_error(message, self.kapture_conn_id, self.log)
        return AirflowSensorTimeout(message) if name == "timeout" else AirflowTaskTimeout(message)

    def _so_far(self) -> str:
        return "no response" if self._seen is None else so_far(self._seen, parse_min_orders(self.min_orders))

    def _window(self, client: KaptureClient, context: Context) -> Window:
        window, source = resolve_stored_window(
            cast("Mapping[str, Any]", context),
            client.account.zone,
            window_start=self.window_start,
            window_end=self.window_end,
            window=self.window,
        )
        self.log.info("Window [%s, %s) from %s", window.start.isoformat(), window.end.isoformat(), source)
        self._check_starts_before_timeout(window)
        return window

    def _count(self, client: KaptureClient, window: Window, *, proves_empty: bool) -> ConditionMet:
        seen = 0
        try:
            seen = client.count_orders(
                window.start,
                window.end,
                date_field=self.date_field,
                filters=self.filters,
                at_least=self._wanted,
                proves_empty=proves_empty,
            )
            self._has_poked = True
            self._seen = seen
            self.log.info(self._so_far())
        except KaptureError as error:
            if error.permanent or not (self.silent_fail and self.deferrable):
                raise
            # Airflow itself would ignore the error and keep poking in the worker.
            self.log.warning("Deferring to the triggerer despite an error, because silent_fail is set: %s", error)
        return ConditionMet(seen, window.start.isoformat(), window.end.isoformat())

    def _check_starts_before_timeout(self, window: Window) -> None:
        """Raise an error if the sensor times out before the window starts: no order can be created in it until then."""
        deadline = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=min(self.timeout, _MAX_TIMEOUT))
        if self.date_field == "create" and window.start >= deadline:
            raise KaptureSettingsError(
                f"The window starts at {window.start.isoformat()}, after this sensor's `timeout` ({self.timeout:g} s) "
                "has passed; set an earlier `window_start` or a longer `timeout`"
            )

    def _wait_deferred(self, account: Account, seen: ConditionMet, seconds: float) -> None:
        from airflow_provider_kapture.triggers.kapture import KaptureOrdersTrigger

        left = dt.timedelta(seconds=min(seconds, _MAX_TIMEOUT))
        # The values as they are sent, which are strings whatever types the DAG's author used.
        filters, personal = split_personal(build_query(self.date_field, self.filters).body)
        trigger = KaptureOrdersTrigger(
            kapture_conn_id=self.kapture_conn_id,
            window_start=seen.window_start,
            window_end=seen.window_end,
            date_field=self.date_field,
            filters=filters,
            sealed_filters=encrypt_filters(account, personal),
            min_orders=self._wanted,
            poll_interval=self.poke_interval,
            exponential_backoff=self.exponential_backoff,
            max_wait=None if self.max_wait is None else self.max_wait.total_seconds(),
            silent_fail=self.silent_fail,
            orders=self._seen,
            deadline=(dt.datetime.now(dt.UTC) + left).isoformat(),
        )
        # Airflow's own timeout only matters if no triggerer runs.
        self.defer(
            trigger=trigger,
            method_name="execute_complete",
            kwargs={"account_host": account.host},
            timeout=left + _GRACE,
        )


def _check_min_orders(sensor: KaptureOrdersSensor) -> None:
    if is_known(sensor.min_orders):
        parse_min_orders(sensor.min_orders)


def _is_first_poke(sensor: KaptureOrdersSensor, context: Context) -> bool:
    """Return whether the sensor pokes for the first time in a try, which is when it proves that a window is empty.

    Airflow 2.11 does not tell a rescheduled task that it was: there, each poke in reschedule mode proves it.
    """
    if sensor._has_poked:  # noqa: SLF001 - a part of the sensor that names a difference between versions
        return False
    first_reschedule = getattr(context.get("ti"), "get_first_reschedule_date", None)
    return first_reschedule is None or sensor.mode != "reschedule" or first_reschedule(context) is None
