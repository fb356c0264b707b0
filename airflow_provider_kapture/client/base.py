"""The common base of the sync and the async client: everything except I/O and waiting."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_kapture.client.api.failures import Response
from airflow_provider_kapture.client.api.redaction import with_redactions
from airflow_provider_kapture.client.api.request import OrderQuery, build_query
from airflow_provider_kapture.client.api.response import Page, parse_response
from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.days import Window, WindowEdge, make_window
from airflow_provider_kapture.client.pull.pull import Pull
from airflow_provider_kapture.client.pull.stats import PullStats
from airflow_provider_kapture.client.pull.steps import PullSteps


class BaseClient:
    """Base of both clients: builds queries, requests and pages.

    :param account: origin, credentials and dialect of the account
    """

    def __init__(self, account: Account) -> None:
        self.account = account
        self._has_answered = False

    def window(self, window_start: WindowEdge, window_end: WindowEdge) -> Window:
        """Return the half-open window between two edges, in the account's time zone.

        :param window_start: aware datetime, ISO 8601 text or date; without an offset in the account's time zone
        :param window_end: likewise; exclusive
        :raises KaptureSettingsError: an invalid edge, or a start that is not before the end
        """
        return make_window(window_start, window_end, self.account.zone)

    def _window_query(
        self, window_start: WindowEdge, window_end: WindowEdge, date_field: str, filters: Mapping[str, Any] | None
    ) -> tuple[OrderQuery, list[Window]]:
        return build_query(date_field, filters), [self.window(window_start, window_end)]

    def _steps(
        self,
        query: OrderQuery,
        windows: Sequence[Window],
        stats: PullStats,
        at_least: int | None,
        *,
        proves_empty: bool,
    ) -> PullSteps:
        return Pull(self.account, query, windows, stats, at_least, proves_empty=proves_empty).steps()

    def _page(self, query: OrderQuery, response: Response) -> Page:
        account = with_redactions(self.account, query)
        page = parse_response(response, account, dt.datetime.now(dt.UTC), has_answered=self._has_answered)
        self._has_answered = True
        return page
