"""Counts the days of a folder again at Kapture, and compares."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from itertools import groupby
from typing import Any

from airflow_provider_kapture.audit.commands import pull_again_command
from airflow_provider_kapture.audit.folder_state import FolderState
from airflow_provider_kapture.audit.report import Day, Finding, Progress
from airflow_provider_kapture.client import KaptureClient
from airflow_provider_kapture.client.api.request import OrderQuery, build_query
from airflow_provider_kapture.client.days import Window, day_start
from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.storage.destinations.publish import object_uri
from airflow_provider_kapture.storage.folder import OWNER_FILE, Owner

_DAY = dt.timedelta(days=1)


def recount(
    state: FolderState,
    days: Sequence[Day],
    client: KaptureClient,
    *,
    filters: Mapping[str, Any] | None,
    extra_body: Mapping[str, Any] | None,
    progress: Progress,
) -> list[Finding]:
    """Return the days of which Kapture has another number of orders.

    The days are read like those of a pull, with the account's limits of requests.

    :param days: the days to count, from :func:`days_to_count`
    :raises KaptureSettingsError: the folder is that of another account or query
    :raises KaptureError: the days could not be counted
    """
    _check_query(state, Owner.from_account(client.account, filters, extra_body))
    found: list[Finding] = []
    for date_field, group in groupby(sorted(days, key=lambda each: each.date_field), key=lambda each: each.date_field):
        chosen = list(group)
        query = build_query(date_field, filters, extra_body)
        for day, rows in zip(chosen, _counts(state, client, query, chosen, progress), strict=True):
            if rows != day.rows:
                command = pull_again_command(day.date, day.run)
                message = (
                    f"Kapture has {rows:,} orders of {day.date}, the folder {day.rows:,}; pull it again: {command}"
                )
                found.append(Finding("different", day.date, None, message))
    return found


def days_to_count(state: FolderState, days: Sequence[Day], number: int, now: dt.datetime) -> list[Day]:
    """Return the days to count: of the last so many days before today, those that the folder covers.

    :param days: the days of the folder
    :param number: how many days count back from today
    :param now: the time of the audit
    """
    today = now.astimezone(state.zone).date()
    of_bad = {state.date_of(each.about) for each in state.bad if each.about is not None}
    return [
        each
        for each in days
        if each.is_covered and today - number * _DAY <= each.date < today and each.date not in of_bad
    ]


def _counts(
    state: FolderState, client: KaptureClient, query: OrderQuery, days: Sequence[Day], progress: Progress
) -> Iterator[int]:
    windows = [
        Window(day_start(each.date, state.zone), day_start(each.date + _DAY, state.zone), state.zone) for each in days
    ]
    with closing(client.pull(query, windows)) as batches:
        for number, day in enumerate(days, 1):
            progress(f"counting {day.date}, day {number:,} of {len(days):,}", "days")
            rows = 0
            for batch in batches:
                rows += len(batch.raws)
                if batch.ends is not None:
                    break
            yield rows


def _check_query(state: FolderState, owner: Owner) -> None:
    if state.owner is None:
        raise KaptureSettingsError(
            f"Cannot compare with Kapture: {object_uri(state.destination, OWNER_FILE)!r} is missing or spoilt, so that "
            "the query of the folder is not known. Audit it without a connection, or restore that file"
        )
    differences = owner.differences(state.owner)
    if differences:
        raise KaptureSettingsError(
            f"Another pull has written to {state.destination!r} than this connection's: it has "
            f"{'; '.join(differences)}. Give its connection, and the `filters` and `extra_body` that it was pulled with"
        )
