"""The operator that pulls the orders of a window to XCom or files.

This module connects Airflow's context to the parts that do the work: the window in ``window_store``, requests in
``client``, files in ``storage``, asset events and lineage in the neighbouring modules.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, ClassVar, cast

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowNotFoundException,
    AirflowSkipException,
    BaseOperator,
    Context,
)

from airflow_provider_kapture.argument_types import (
    DateField,
    FileFormat,
    OnEmpty,
    OnMisfit,
    OnOverlap,
    OrderFilters,
    WindowWidth,
)
from airflow_provider_kapture.client.api.request import build_query
from airflow_provider_kapture.client.days import Window, WindowEdge
from airflow_provider_kapture.client.errors import KaptureError, KaptureSettingsError
from airflow_provider_kapture.client.orders import FieldType
from airflow_provider_kapture.client.pull.stats import PullStats
from airflow_provider_kapture.constructor_checks import check_constructor, check_needs_destination, check_pull
from airflow_provider_kapture.hooks.kapture import KaptureHook
from airflow_provider_kapture.operators import asset_events
from airflow_provider_kapture.operators.lineage import LineageOfOrders, report_hook_lineage
from airflow_provider_kapture.operators.links import AccountLink, FilesLink
from airflow_provider_kapture.operators.map_label import LabelledTask
from airflow_provider_kapture.operators.mapped_destination import check_destination_is_unique
from airflow_provider_kapture.operators.progress import ProgressLine, empty_window, summary
from airflow_provider_kapture.schedules import airflow_release, lookback_obstacle
from airflow_provider_kapture.storage.changes.settings import check_changes
from airflow_provider_kapture.storage.destinations.publish import absolute, destination_text
from airflow_provider_kapture.storage.encoders.formats import format_of
from airflow_provider_kapture.storage.file_pull import FilePull
from airflow_provider_kapture.storage.folder import Owner, hash_query
from airflow_provider_kapture.storage.options import FileOptions
from airflow_provider_kapture.storage.receipt import PullInfo, build_receipt, run_of
from airflow_provider_kapture.storage.xcom import orders_for_xcom
from airflow_provider_kapture.task_errors import task_error, task_failure
from airflow_provider_kapture.window_store import resolve_stored_window

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import XComArg

# URIs in one message.
_MAX_URIS = 5


class KapturePullOrdersOperator(LabelledTask, LineageOfOrders, BaseOperator):
    """Pull the orders of a half-open window ``[window_start, window_end)``, complete or not at all.

    ::

        KapturePullOrdersOperator(
            task_id="pull_orders",
            window="day",
            filters={"bookingStatus": "AP"},
            destination="s3://aws_default@lake/kapture/orders/",
            file_format="parquet",
        )

    Returns the orders as dicts, or, with a ``destination``, the receipt; the receipt is pushed under the XCom key
    ``receipt`` in both cases. Each asset among the ``outlets`` gets an event with the receipt as its ``extra``; in a
    run whose partition is a day, one event for each changed day instead.

    Source: Pull Order API. Arguments that are known when the DAG is parsed are checked then.

    :param window_start: first instant of the window: a datetime, a date or an ISO 8601 string. A value without an
        offset is in the account's time zone; a date is the first instant of that day there (templated)
    :param window_end: first instant after the window, as above (templated)
    :param window: used without ``window_start`` and ``window_end``: a timedelta, for the window of that length that
        ends with the run's data interval, or at its logical date; or ``"day"``, for the account's last complete day
        before that moment. As text a duration such as ``PT6H`` or ``6:00:00``. By default the run's data interval, or
        the last complete period of the DAG's schedule (templated)
    :param date_field: the time of an order that the window selects by
    :param filters: names of :class:`~airflow_provider_kapture.argument_types.OrderFilters` to a string, a number or a
        list of them (templated)
    :param destination: None for XCom; a path or URL that ends in a file name for one object; one that ends in ``/`` for
        an object for each of the account's days (templated)
    :param file_format: ``jsonl``, ``jsonl.gz``, ``jsonl.zst``, ``csv``, ``csv.gz`` or ``parquet``; by default the
        ending of the file name decides, and a ``/`` destination gets ``jsonl.gz``
    :param on_empty: if the window has no orders, ``write`` a valid empty file, ``skip`` the task unless it has
        published anything, or ``fail`` it without a retry
    :param lookback: number of whole days before the window that are pulled again, each into its own object; needs a
        ``/`` destination and a window of whole days; ignored in backfill runs, and in a scheduled run that started
        only after the next one was due
    :param kapture_conn_id: id of the connection (templated)
    :param extra_body: body keys of this account, merged after the connection's ``default_body`` (templated)
    :param on_misfit: values that do not fit their column in CSV and Parquet: ``keep`` them in ``_rescued`` and report
        them, or ``fail`` before the file is published, without a retry
    :param on_overlap: if a ``/`` destination has objects whose windows overlap a day to be written without being the
        same object (another width, another format): ``fail`` before the first request, or ``replace``: remove those
        that the new object covers completely, once it is published
    :param upload_options: passed to the object store's write call in the store's spelling: encryption key, access
        list, storage class, metadata, tags (templated)
    :param changes: path or URL of a folder of its own that ends in ``/``, neither inside ``destination`` nor around it:
        for each day whose orders have changed, a file with the orders that were added, updated or removed since the
        object that was there, with the columns ``_op`` and ``_seen_at`` first. Needs a ``/`` destination and
        ``date_field="create"``, and permission to read the destination (templated)
    :param partition_events: fire an asset event for each changed day, with the day as its partition key, and none for
        the whole pull; always the case in a run whose partition is a day. Airflow 3.3 and later
    :param max_xcom_bytes: maximum size of the orders in XCom, in bytes of their ASCII-escaped JSON
    :raises KaptureArgumentError: an argument is wrong
    """

    template_fields: Sequence[str] = (
        "window_start",
        "window_end",
        "window",
        "filters",
        "extra_body",
        "destination",
        "upload_options",
        "changes",
        "kapture_conn_id",
    )

    template_fields_renderers: ClassVar[dict[str, str]] = {
        "filters": "json",
        "extra_body": "json",
        "upload_options": "json",
    }
    operator_extra_links = (FilesLink(), AccountLink())
    ui_color = "#d8f0e4"

    _is_pulling = False
    _is_killed = False
    _file_pull: FilePull | None = None

    def __init__(
        self,
        *,
        window_start: WindowEdge | None = None,
        window_end: WindowEdge | None = None,
        window: WindowWidth | None = None,
        date_field: DateField = "create",
        filters: OrderFilters | Mapping[str, Any] | XComArg | None = None,
        destination: str | None = None,
        file_format: FileFormat | None = None,
        on_empty: OnEmpty = "write",
        lookback: int = 0,
        kapture_conn_id: str = KaptureHook.default_conn_name,
        extra_body: Mapping[str, Any] | XComArg | None = None,
        on_misfit: OnMisfit = "keep",
        on_overlap: OnOverlap = "fail",
        upload_options: Mapping[str, Any] | XComArg | None = None,
        changes: str | None = None,
        partition_events: bool = False,
        max_xcom_bytes: int = 49152,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.window_start = window_start
        self.window_end = window_end
        self.window = window
        self.date_field = date_field
        # The output of an upstream task is a mapping once the field is rendered.
        self.filters = cast("Mapping[str, Any] | None", filters)
        self.extra_body = cast("Mapping[str, Any] | None", extra_body)
        self.destination = destination
        self.file_format = file_format
        self.on_empty = on_empty
        self.on_misfit = on_misfit
        self.on_overlap = on_overlap
        self.upload_options = cast("Mapping[str, Any] | None", upload_options)
        self.changes = changes
        self.lookback = lookback
        self.max_xcom_bytes = max_xcom_bytes
        self.partition_events = partition_events
        self.kapture_conn_id = kapture_conn_id
        check_constructor(self, check_pull)

    def execute(self, context: Context) -> Any:
        """Pull the orders, publish the files, and return the receipt, or the orders without a destination.

        :raises AirflowFailException: an error that a retry cannot resolve, such as an invalid setting
        :raises AirflowSkipException: the window has no orders, and ``on_empty`` is ``skip``
        :raises KaptureError: an error that a retry may resolve
        :raises OSError: a file could not be written or uploaded, and a retry may resolve it
        """
        mapping = cast("MutableMapping[str, Any]", context)
        try:
            self._is_pulling = True
            self._check_not_killed()
            orders, receipt, window = self._pull(mapping)
        except (AirflowNotFoundException, KaptureError, OSError) as error:
            raise task_error(error, self.kapture_conn_id, self.log) from None
        finally:
            self._is_pulling = False
        is_empty = not _rows(receipt, window)
        if is_empty and self.on_empty == "fail":
            raise task_failure(
                f"The window has no orders, and `on_empty` is 'fail'{_published(receipt)}; to wait for orders, run a "
                "KaptureOrdersSensor before this task",
                self.kapture_conn_id,
                self.log,
            )
        if is_empty:
            self.log.info(empty_window(receipt, self.on_empty, is_xcom=self.destination is None))
        self._report(mapping, receipt, window)
        if is_empty and self.on_empty == "skip":
            # Downstream tasks have to see what has changed, also if it only replaces orders that are gone.
            if not any(file["changed"] for file in receipt["files"]):
                raise AirflowSkipException("The window has no orders, and `on_empty` is 'skip'")
            self.log.info("The window has no orders%s; the task is not skipped", _published(receipt))
        return orders if self.destination is None else receipt

    def on_kill(self) -> None:
        """Interrupt the pull with an exception: Airflow calls this in the thread that pulls."""
        self._is_killed = True
        if self._is_pulling:
            self._check_not_killed()

    def published_files(self) -> Sequence[Mapping[str, Any]]:
        """Return the receipt's entries of the files that were published so far."""
        return () if self._file_pull is None else self._file_pull.files

    def _check_not_killed(self) -> None:
        if self._is_killed:
            message = "The task was killed; the file in progress was not published"
            # Airflow 3 logs any other exception with its traceback.
            raise AirflowException(message) if airflow_release() < (3,) else SystemExit(message)

    def _pull(self, context: MutableMapping[str, Any]) -> tuple[list[dict[str, Any]], dict[str, Any], Window]:
        self._check_rendered(self._expansion)
        destination = None if self.destination is None else absolute(destination_text(self.destination))
        changes = None if self.changes is None else absolute(destination_text(self.changes))
        check_needs_destination(self, destination, changes)
        if changes is not None:
            check_changes(changes, destination or "")
        check_destination_is_unique(context, self.task_id, destination, self._expansion, self._templates or {})
        query = build_query(self.date_field, self.filters, self.extra_body)
        with KaptureHook(self.kapture_conn_id).get_conn() as client, ExitStack() as stack:
            self.account_host = client.account.host
            window, source = resolve_stored_window(
                context,
                client.account.zone,
                window_start=self.window_start,
                window_end=self.window_end,
                window=self.window,
            )
            self.log.info("Window [%s, %s) from %s", window.start.isoformat(), window.end.isoformat(), source)
            asset_events.check_partition_events(context, window, self.destination, self.partition_events)
            back = self._days_back(window, context)
            stats, started = PullStats(), dt.datetime.now(dt.UTC)
            owner = Owner.from_account(client.account, self.filters, self.extra_body)
            watch = self._watch(stats, back + sum(1 for _ in window.days()))
            pull: FilePull | None = None
            orders: list[dict[str, Any]] = []
            files: list[dict[str, Any]] = []
            if destination is None:
                self.log.info("Returning the orders in XCom, up to %d bytes", self.max_xcom_bytes)
                orders = orders_for_xcom(client.pull(query, [window], stats), self.max_xcom_bytes, watch)
            else:
                options = self._file_options(destination, changes, client.account.dialect.fields)
                pull = stack.enter_context(FilePull(client, query, stats, options, owner, watch, started))
                self._file_pull = pull
                files = pull.run(window, back, context)
            info = PullInfo(
                source,
                self.date_field,
                list(self.filters or ()),
                hash_query(owner.query, f"{owner.account}/{owner.cm_id}") if pull is None else pull.query_hash,
                started,
                run_of(context),
                None if pull is None else pull.options.file_format,
                None if pull is None else pull.receipt_uri,
            )
            receipt = build_receipt(client.account, window, stats, files, info)
            if pull is not None and (_rows(receipt, window) or self.on_empty != "fail"):
                pull.finish(receipt)
        self.log.info(summary(receipt, destination))
        if not receipt["complete"]:
            self.log.warning("The window ends in the future: orders created from now on are not in the result")
        return orders, receipt, window

    def _days_back(self, window: Window, context: Mapping[str, Any]) -> int:
        if self.lookback and not window.is_whole_days():
            raise KaptureSettingsError(
                f"`lookback` needs a window of whole days of the account, but it is [{window.start.isoformat()}, "
                f"{window.end.isoformat()}); move its edges to midnight, or remove `lookback`"
            )
        obstacle = lookback_obstacle(context, window.zone) if self.lookback else None
        if obstacle:
            self.log.info("lookback=%d is ignored: %s", self.lookback, obstacle)
            return 0
        return self.lookback

    def _watch(self, stats: PullStats, days: int) -> Callable[[], None]:
        progress = ProgressLine(stats, days)

        def watch() -> None:
            self._check_not_killed()
            line = progress.line()
            if line is not None:
                self.log.info(line)

        return watch

    def _file_options(self, destination: str, changes: str | None, fields: Mapping[str, FieldType]) -> FileOptions:
        file_format = format_of(destination, self.file_format)
        self.log.info("Writing %s to %s", file_format, destination)
        return FileOptions(
            destination,
            file_format,
            self.on_empty,
            self.on_misfit,
            self.on_overlap,
            self.upload_options,
            changes,
            fields,
        )

    def _report(self, context: Mapping[str, Any], receipt: dict[str, Any], window: Window) -> None:
        if context.get("ti") is not None:
            if self.do_xcom_push:
                context["ti"].xcom_push(key="receipt", value=receipt)
            report_hook_lineage(self, receipt)
        extra, days = asset_events.plain_extra(receipt), []
        if asset_events.has_events_by_day(context, window, self.destination, self.partition_events):
            extra, days = asset_events.extra_by_day(receipt, window), receipt["changed_days"]
        asset_events.attach_receipt_to_outlets(context, self.outlets, extra, days)


def _published(receipt: Mapping[str, Any]) -> str:
    """Return what an empty window's pull has published, as a part of a sentence; empty if nothing."""
    uris = [file["uri"] for file in receipt["files"]]
    if not uris:
        return ""
    more = f" and {len(uris) - _MAX_URIS} more" if len(uris) > _MAX_URIS else ""
    return f", but it has published {', '.join(map(repr, uris[:_MAX_URIS]))}{more}"


def _rows(receipt: Mapping[str, Any], window: Window) -> int:
    """Return the number of orders of the window, without those of the lookback days."""
    before = (file for file in receipt["files"] if dt.datetime.fromisoformat(file["window_start"]) < window.start)
    rows: int = receipt["rows"] - sum(file["rows"] for file in before)
    return rows
