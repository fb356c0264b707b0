"""What the two clients share: everything but moving bytes and waiting for them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_kapture.client.account import Account
from airflow_provider_kapture.client.days import DayRange, Window, WindowEdge, make_window
from airflow_provider_kapture.client.protocol import Answer, Page, Question, discreet, page_of, question, request_body
from airflow_provider_kapture.client.pull import Pull, PullSteps, Tally


class BaseClient:
    """One account, and what is decided about its requests and responses.

    :param account: origin, credentials and dialect of the account
    """

    def __init__(self, account: Account) -> None:
        self.account = account

    def window(self, window_start: WindowEdge, window_end: WindowEdge) -> Window:
        """Return the half-open window between two edges, in the account's time zone.

        :raises KaptureSettingsError: an edge that cannot be read, or a start that is not before the end
        """
        return make_window(window_start, window_end, self.account.zone)

    def _window_query(
        self, window_start: WindowEdge, window_end: WindowEdge, date_field: str, filters: Mapping[str, Any] | None
    ) -> tuple[Question, list[Window]]:
        return question(date_field, filters), [self.window(window_start, window_end)]

    def _steps(self, asked: Question, windows: Sequence[Window], tally: Tally, enough: int | None) -> PullSteps:
        return Pull(self.account, asked, windows, tally, enough).steps()

    def _body(self, asked: Question, days: DayRange, offset: int, limit: int | None) -> bytes:
        return request_body(self.account, asked, days, offset, limit)

    def _page(self, asked: Question, answer: Answer) -> Page:
        return page_of(answer, discreet(self.account, asked), dt.datetime.now(dt.UTC))
