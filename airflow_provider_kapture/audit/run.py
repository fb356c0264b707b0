"""The audit of a folder: reads it, checks it, and compares it with Kapture."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from airflow_provider_kapture.audit.report import AuditReport, Progress
from airflow_provider_kapture.client.errors import KaptureSettingsError

DEFAULT_DAYS = 31


def audit(
    destination: str,
    *,
    kapture_conn_id: str | None = None,
    days: int | None = None,
    filters: Mapping[str, Any] | None = None,
    extra_body: Mapping[str, Any] | None = None,
    verify: bool = False,
    progress: Progress | None = None,
) -> AuditReport:
    """Compare the objects of a folder with its receipts and, with a connection, with Kapture.

    :param destination: path or URL of the folder: the ``destination`` of a pull, with or without its final ``/``
    :param kapture_conn_id: connection to count days again with; None to compare with the receipts only
    :param days: number of days before today, in the account's time zone, to count again; 31 if None
    :param filters: the filters that the folder was pulled with
    :param extra_body: the body keys that the folder was pulled with
    :param verify: whether to read the objects and compare their SHA-256
    :param progress: called with what is being done, and with its topic
    :raises KaptureSettingsError: an argument is wrong, there are no receipts, or a permission is missing
    :raises KaptureError: the days could not be counted at Kapture
    :raises OSError: the folder cannot be read at the moment
    """
    number = DEFAULT_DAYS if days is None else days
    if type(number) is not int or number < 1:
        raise KaptureSettingsError(f"`days` is {days!r}: it must be a whole number of days, 1 or more")
    if kapture_conn_id is None and (filters or extra_body):
        raise KaptureSettingsError(
            "`filters` and `extra_body` need a connection to count orders with: set `kapture_conn_id`"
        )
    # The command's help needs no Airflow, and the demo sets up an Airflow of its own first.
    from airflow.providers.common.compat.sdk import AirflowNotFoundException

    from airflow_provider_kapture.audit.checks import build_report
    from airflow_provider_kapture.audit.checks import days as days_of
    from airflow_provider_kapture.audit.reading import read_folder
    from airflow_provider_kapture.audit.recount import days_to_count, recount
    from airflow_provider_kapture.hooks.kapture import KaptureHook, missing_connection
    from airflow_provider_kapture.storage.destinations.publish import absolute, destination_text

    tell = progress or (lambda _text, _topic: None)
    state = read_folder(f"{absolute(destination_text(destination)).rstrip('/')}/", verify=verify, progress=tell)
    now = dt.datetime.now(dt.UTC)
    if kapture_conn_id is None:
        return build_report(state, now)
    try:
        client = KaptureHook(kapture_conn_id).get_conn()
    except AirflowNotFoundException as error:
        raise KaptureSettingsError(missing_connection(kapture_conn_id)) from error
    with client:
        chosen = days_to_count(state, days_of(state), number, now)
        found = recount(state, chosen, client, filters=filters, extra_body=extra_body, progress=tell)
        return build_report(state, now, found)
