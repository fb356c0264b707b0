"""The operator that audits a folder of orders, and the link from its task to the page that it writes.

What is compared is in ``audit``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from airflow.providers.common.compat.sdk import (
    BaseOperator,
    BaseOperatorLink,
    Context,
    XCom,
)

from airflow_provider_kapture.argument_types import OnFindings
from airflow_provider_kapture.arguments import TemplatedArguments
from airflow_provider_kapture.audit import AuditReport, audit
from airflow_provider_kapture.client.errors import KaptureError, KaptureSettingsError
from airflow_provider_kapture.constructor_checks import check_choices, run_checks
from airflow_provider_kapture.task_errors import task_error, task_failure

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import XComArg

_REPORT_NAME = "_audit.json"
_PAGE_NAME = "_audit.html"
_PAGE_KEY = "audit_page"
# More days would not fit into an XCom; the whole is in the files.
_MAX_DAYS = 400
_LOGGED_FINDINGS = 50


class AuditPageLink(BaseOperatorLink):
    """The link from a task to the page of its audit, where the store has a URL for it."""

    name = "Audit page"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002 - Airflow's call
        """Return the URL of the page; empty if there is none."""
        return XCom.get_value(ti_key=ti_key, key=_PAGE_KEY) or ""


class KaptureAuditOperator(TemplatedArguments, BaseOperator):
    """Compare a folder of orders with its receipts and, with a connection, with Kapture.

    Writes the report to ``_audit.json`` and ``_audit.html`` beside the data, and returns ``destination``, ``findings``,
    ``totals``, ``page`` (where the page is) and, up to 400 of them, ``days``.

    :param destination: path or URL of the folder: the ``destination`` of a pull (templated)
    :param kapture_conn_id: connection to count the last days again with; None to compare with the receipts only
        (templated)
    :param days: number of days before today, in the account's time zone, to count again; 31 if None
    :param filters: the filters that the folder was pulled with, if there is a connection (templated)
    :param extra_body: the body keys that the folder was pulled with, if there is a connection (templated)
    :param on_findings: ``fail`` the task, without a retry, or ``warn`` in its log
    """

    template_fields: Sequence[str] = ("destination", "kapture_conn_id", "filters", "extra_body")
    operator_extra_links = (AuditPageLink(),)

    def __init__(
        self,
        *,
        destination: str,
        kapture_conn_id: str | None = None,
        days: int | None = None,
        filters: Mapping[str, Any] | XComArg | None = None,
        extra_body: Mapping[str, Any] | XComArg | None = None,
        on_findings: OnFindings = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.destination = destination
        self.kapture_conn_id = kapture_conn_id
        self.days = days
        # The output of an upstream task is a mapping once the field is rendered.
        self.filters = cast("Mapping[str, Any] | None", filters)
        self.extra_body = cast("Mapping[str, Any] | None", extra_body)
        self.on_findings = on_findings
        run_checks(self, check_choices)

    def execute(self, context: Context) -> dict[str, Any]:
        """Audit the folder, write the report beside the data, and return its findings and totals.

        :raises AirflowFailException: there are findings and ``on_findings`` is ``fail``, or an error that a retry
            cannot resolve
        :raises KaptureError: an error of Kapture that a retry may resolve
        :raises OSError: the folder cannot be read or written to at the moment
        """
        try:
            self._check_rendered_places()
            report = audit(
                self.destination,
                kapture_conn_id=self.kapture_conn_id,
                days=self.days,
                filters=self.filters,
                extra_body=self.extra_body,
                progress=lambda text, _topic: self.log.debug(text),
            )
            page = _publish(report)
        except (KaptureError, OSError) as error:
            raise task_error(error, self.kapture_conn_id, self.log) from None
        self._link(cast("Mapping[str, Any]", context), page)
        self._log_report(report, page)
        if report.findings and self.on_findings == "fail":
            message = f"The audit of {report.destination!r} has {_kinds(report)}; see {page}"
            raise task_failure(message, self.kapture_conn_id, self.log)
        found = report.to_json()
        if len(report.days) > _MAX_DAYS:
            del found["days"]
        return {**found, "totals": report.totals(), "page": page}

    def _check_rendered_places(self) -> None:
        for name in ("destination", "kapture_conn_id"):
            value = getattr(self, name)
            is_optional = name == "kapture_conn_id" and value is None
            if not is_optional and (not isinstance(value, str) or value.strip() in {"", "None"}):
                raise KaptureSettingsError(f"`{name}` rendered to {value!r}: the template has no value in this run")

    def _link(self, context: Mapping[str, Any], page: str) -> None:
        from airflow_provider_kapture.storage.destinations.urls import browser_url

        url = browser_url(page)
        if url is not None and context.get("ti") is not None:
            context["ti"].xcom_push(key=_PAGE_KEY, value=url)

    def _log_report(self, report: AuditReport, page: str) -> None:
        totals = report.totals()
        self.log.info(
            "%s has %d days with %d orders; %d days are complete; the report is in %s",
            report.destination,
            totals["days"],
            totals["rows"],
            totals["complete_days"],
            page,
        )
        for each in report.findings[:_LOGGED_FINDINGS]:
            self.log.warning("%s: %s%s", each.kind, each.message, f" ({each.uri})" if each.uri else "")
        if len(report.findings) > _LOGGED_FINDINGS:
            self.log.warning("%d more findings are in %s", len(report.findings) - _LOGGED_FINDINGS, page)


def _publish(report: AuditReport) -> str:
    """Write the report beside the data, and return where the page is."""
    from airflow_provider_kapture.audit.page import render_page
    from airflow_provider_kapture.storage.destinations.object_store import store_error
    from airflow_provider_kapture.storage.destinations.publish import object_uri
    from airflow_provider_kapture.storage.destinations.stores.choose import open_store

    store = open_store(report.destination)
    texts = {_REPORT_NAME: json.dumps(report.to_json(), indent=2) + "\n", _PAGE_NAME: render_page(report)}
    for name, text in texts.items():
        try:
            store.write(name, text.encode())
        except Exception as error:
            raise store_error(store, "write", object_uri(report.destination, name), error) from error
    return object_uri(report.destination, _PAGE_NAME)


def _kinds(report: AuditReport) -> str:
    counts: Mapping[str, int] = report.totals()["findings"]
    return f"{len(report.findings)} findings ({', '.join(f'{count} {kind}' for kind, count in counts.items())})"
