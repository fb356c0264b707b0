"""Wait until a window has orders."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, cast

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    BaseSensorOperator,
    Context,
    PokeReturnValue,
    conf,
)

from airflow_provider_kapture.client import errors
from airflow_provider_kapture.client.days import WindowEdge
from airflow_provider_kapture.hooks.kapture import KaptureHook
from airflow_provider_kapture.windows import window_of_run


class KaptureOrdersSensor(BaseSensorOperator):
    """True when at least ``min_orders`` of a window match. XCom: ``{"orders": seen, "window_start", "window_end"}``.

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
        filters: Mapping[str, Any] | None = None,
        min_orders: int = 1,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        kapture_conn_id: str = KaptureHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.window_start = window_start
        self.window_end = window_end
        self.window = window
        self.date_field = date_field
        self.filters = filters
        self.min_orders = min_orders
        self.deferrable = deferrable
        self.kapture_conn_id = kapture_conn_id

    def poke(self, context: Context) -> PokeReturnValue:
        """Ask once."""
        try:
            seen, edges = self._ask(context)
        except errors.KaptureError as error:
            if error.hopeless:
                raise AirflowFailException(str(error)) from error
            raise
        return PokeReturnValue(is_done=seen >= self.min_orders, xcom_value={"orders": seen, **edges})

    def execute(self, context: Context) -> Any:
        """Ask once, and, where that is not enough and the sensor is deferrable, wait in the triggerer."""
        if not self.deferrable:
            return super().execute(context)
        answer = self.poke(context)
        if answer.is_done:
            return answer.xcom_value
        from airflow_provider_kapture.triggers.kapture import KaptureOrdersTrigger

        _, edges = self._window(context)
        trigger = KaptureOrdersTrigger(
            kapture_conn_id=self.kapture_conn_id,
            **edges,
            date_field=self.date_field,
            filters=self.filters,
            min_orders=self.min_orders,
            poll_interval=_seconds(self.poke_interval),
        )
        timeout = dt.timedelta(seconds=_seconds(self.timeout))
        return self.defer(trigger=trigger, method_name="execute_complete", timeout=timeout)

    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """What the trigger's event means.

        :raises AirflowFailException: what a retry can't mend, or an event that is none of the trigger's
        """
        if event is not None and event.get("status") == "enough":
            _, edges = self._window(context)
            return {"orders": event["orders"], **edges}
        if event is not None and event.get("status") == "failed":
            if event["hopeless"]:
                raise AirflowFailException(event["message"])
            raise getattr(errors, event["error"])(event["message"])
        raise AirflowFailException("The trigger sent no event that this sensor knows")

    def _window(self, context: Context) -> tuple[Any, dict[str, str]]:
        account = KaptureHook(self.kapture_conn_id).get_account()
        window, _ = window_of_run(
            cast("Mapping[str, Any]", context),
            account.zone,
            window_start=self.window_start,
            window_end=self.window_end,
            window=self.window,
        )
        return window, {"window_start": window.start.isoformat(), "window_end": window.end.isoformat()}

    def _ask(self, context: Context) -> tuple[int, dict[str, str]]:
        if self.min_orders < 1:
            raise errors.KaptureSettingsError(f"min_orders is {self.min_orders!r}: it must be at least 1")
        window, edges = self._window(context)
        seen = KaptureHook(self.kapture_conn_id).count_orders(
            window.start, window.end, date_field=self.date_field, filters=self.filters, at_least=self.min_orders
        )
        return seen, edges


def _seconds(value: Any) -> float:
    """Seconds of what Airflow takes as seconds or as a timedelta."""
    return value.total_seconds() if isinstance(value, dt.timedelta) else float(value)
