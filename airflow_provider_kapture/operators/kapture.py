"""Pull a window's orders to XCom or to files."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, cast

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException, BaseOperator, Context

from airflow_provider_kapture.client import KaptureClient
from airflow_provider_kapture.client.client import as_dict
from airflow_provider_kapture.client.days import Window, WindowEdge
from airflow_provider_kapture.client.errors import KaptureError, KaptureSettingsError
from airflow_provider_kapture.client.protocol import Question, question
from airflow_provider_kapture.client.pull import Tally
from airflow_provider_kapture.hooks.kapture import KaptureHook
from airflow_provider_kapture.schedules import run_type
from airflow_provider_kapture.windows import window_of_run

_ON_EMPTY = ("write", "skip", "fail")


class KapturePullOrdersOperator(BaseOperator):
    """Pull the orders of a half-open window ``[window_start, window_end)``, complete or not at all.

    Source: Pull Order API. Returns the orders, or, with a ``destination``, the receipt; the receipt is pushed under the
    XCom key ``receipt`` in both cases.

    :param window_start: first instant of the window: a datetime, a date or an ISO 8601 string; what carries no offset
        is in the account's time zone, a bare date is that day's first instant there (templated)
    :param window_end: first instant after the window, as above (templated)
    :param window: where those are not given: a timedelta, the window of that length that ends where the run does; or
        ``"day"``, the last complete day of the account before that. Without it, the run's data interval or the last
        complete period of the DAG's schedule
    :param date_field: which time of an order the window is about
    :param filters: documented filter names to a string, a number or a list of them (templated)
    :param extra_body: the account's own body keys, merged after the connection's ``default_body`` (templated)
    :param destination: none for XCom; a path or URL that ends in a file name for one object; one that ends in ``/`` for
        an object for each of the account's days (templated)
    :param file_format: ``jsonl``, ``jsonl.gz``, ``jsonl.zst``, ``csv``, ``csv.gz`` or ``parquet``; by the file name,
        else ``jsonl.gz``
    :param on_empty: ``write`` a valid empty file, ``skip`` the task, or ``fail`` it
    :param lookback: this many whole days before the window are pulled again, each into its own object; needs a ``/``
        destination and a window of whole days; left out in backfill runs
    :param max_xcom_bytes: the most that the orders may take in XCom
    :param kapture_conn_id: the connection (templated)
    """

    template_fields: Sequence[str] = (
        "window_start",
        "window_end",
        "filters",
        "extra_body",
        "destination",
        "kapture_conn_id",
    )

    def __init__(
        self,
        *,
        window_start: WindowEdge | None = None,
        window_end: WindowEdge | None = None,
        window: dt.timedelta | str | None = None,
        date_field: str = "create",
        filters: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
        destination: str | None = None,
        file_format: str | None = None,
        on_empty: str = "write",
        lookback: int = 0,
        max_xcom_bytes: int = 49152,
        kapture_conn_id: str = KaptureHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.window_start = window_start
        self.window_end = window_end
        # What is said may still come out as nothing: that is an error, and no reason to take another window.
        self._says_window = window_start is not None or window_end is not None
        self.window = window
        self.date_field = date_field
        self.filters = filters
        self.extra_body = extra_body
        self.destination = destination
        self.file_format = file_format
        self.on_empty = on_empty
        self.lookback = lookback
        self.max_xcom_bytes = max_xcom_bytes
        self.kapture_conn_id = kapture_conn_id

    def execute(self, context: Context) -> Any:
        """Pull, publish, and give the receipt."""
        try:
            result, receipt = self._pull(context)
        except KaptureError as error:
            if error.hopeless:
                raise AirflowFailException(str(error)) from error
            raise
        self._hand_over(context, receipt)
        if not receipt["rows"] and self.on_empty != "write":
            raise AirflowSkipException("The window has no orders, and on_empty is 'skip'")
        return result

    def _pull(self, context: Context) -> tuple[Any, dict[str, Any]]:
        from airflow_provider_kapture.storage.receipt import receipt

        if self._says_window and self.window_start is None and self.window_end is None:
            raise KaptureSettingsError("window_start and window_end came out as None: they have no value in this run")
        if self.on_empty not in _ON_EMPTY:
            raise KaptureSettingsError(f"on_empty is {self.on_empty!r}: it must be one of {', '.join(_ON_EMPTY)}")
        asked = question(self.date_field, self.filters, self.extra_body)
        with KaptureHook(self.kapture_conn_id).get_conn() as client:
            window, source = window_of_run(
                cast("Mapping[str, Any]", context),
                client.account.zone,
                window_start=self.window_start,
                window_end=self.window_end,
                window=self.window,
            )
            self.log.info("Window [%s, %s) from %s", window.start.isoformat(), window.end.isoformat(), source)
            tally, began = Tally(), dt.datetime.now(dt.UTC)
            orders: list[dict[str, Any]] = []
            files: list[dict[str, Any]] = []
            if self.destination is None:
                if self.lookback:
                    raise KaptureSettingsError("lookback needs a destination that ends in '/', and there is none")
                orders = self._to_xcom(client, asked, window, tally)
            else:
                files = self._to_files(client, asked, window, tally, context)
            if not tally.rows and self.on_empty == "fail":
                raise KaptureSettingsError("The window has no orders, and on_empty is 'fail'")
            what = receipt(
                client.account,
                window,
                tally,
                window_source=source,
                date_field=self.date_field,
                files=files,
                began=began,
                ended=dt.datetime.now(dt.UTC),
            )
        if not what["complete"]:
            self.log.warning("The window ends in the future: what is created until then is not in the result")
        self.log.info("%(rows)d orders in %(duration_seconds).1f s: %(requests)d requests, %(retries)d retries", what)
        return (orders if self.destination is None else what), what

    def _to_xcom(self, client: KaptureClient, asked: Question, window: Window, tally: Tally) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        size = 2
        for batch in client.pull(asked, window, tally):
            size += sum(len(memoryview(raw)) + 2 for raw in batch.raws)
            if size > self.max_xcom_bytes:
                raise KaptureSettingsError(
                    f"The orders take more than max_xcom_bytes ({self.max_xcom_bytes}) in XCom: set `destination` to "
                    "write them to files instead"
                )
            found += map(as_dict, batch.raws)
        return found

    def _to_files(
        self, client: KaptureClient, asked: Question, window: Window, tally: Tally, context: Context
    ) -> list[dict[str, Any]]:
        from airflow_provider_kapture.storage.files import FilePull
        from airflow_provider_kapture.storage.formats import format_of

        destination = str(self.destination)
        pull = FilePull(client, asked, tally, destination, format_of(destination, self.file_format), self.on_empty)
        return pull.run(window, self._days_back(window, context), cast("Mapping[str, Any]", context))

    def _days_back(self, window: Window, context: Context) -> int:
        if self.lookback < 0:
            raise KaptureSettingsError(f"lookback is {self.lookback!r}: it must be a whole number of days, 0 or more")
        if not self.lookback:
            return 0
        if not str(self.destination).endswith("/"):
            raise KaptureSettingsError(
                f"lookback needs a destination that ends in '/', an object for each day; it is {self.destination!r}"
            )
        if not window.is_whole_days():
            raise KaptureSettingsError(
                f"lookback needs a window of whole days of the account; it is [{window.start.isoformat()}, "
                f"{window.end.isoformat()})"
            )
        if run_type(context.get("dag_run")) == "backfill":
            self.log.info("A backfill pulls each day once: lookback=%d is left out", self.lookback)
            return 0
        return self.lookback

    def _hand_over(self, context: Context, receipt: dict[str, Any]) -> None:
        task_instance = context.get("ti")
        if task_instance is not None:
            task_instance.xcom_push(key="receipt", value=receipt)
        events = context.get("outlet_events")
        if events is not None:
            for outlet in self.outlets:
                events[outlet].extra = receipt
                if hasattr(events[outlet], "add_partitions"):
                    events[outlet].add_partitions(account_days(receipt))


def account_days(receipt: Mapping[str, Any]) -> list[str]:
    """The account's days that a receipt's window covers, as partition keys."""
    start, end = (dt.datetime.fromisoformat(receipt[edge]) for edge in ("window_start", "window_end"))
    last = (end - dt.timedelta(milliseconds=1)).date()
    return [(start.date() + dt.timedelta(days=number)).isoformat() for number in range((last - start.date()).days + 1)]
