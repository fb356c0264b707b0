"""One request of the doctor, and what a response to it showed. Pure.

How a response is read is in reading.py, which request comes next in plan.py; sending is run.py's.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from http import HTTPStatus
from typing import Any

import msgspec

from airflow_provider_kapture.client.api.keys import OrderKey
from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.config.credentials import make_credentials
from airflow_provider_kapture.client.config.headers import render_headers
from airflow_provider_kapture.client.config.settings import Dialect
from airflow_provider_kapture.client.days import DayRange
from airflow_provider_kapture.client.errors import (
    KaptureAuthError,
    KaptureBusyError,
    KaptureError,
    KaptureForbiddenError,
    KaptureRefusedError,
    KaptureTransportError,
)
from airflow_provider_kapture.client.words import Meaning, meaning_of


class Problem(StrEnum):
    """Why a response holds no page, by what may mend it."""

    TRANSPORT = "no response"
    ELSEWHERE = "a redirect to another host"
    BUSY = "a busy server"
    DOOR = "credentials or method"
    METHOD = "method or host"
    CREDENTIALS = "credentials"
    SHAPE = "an unknown response"
    REFUSED = "a refused request"


@dataclass(frozen=True, slots=True)
class Probe:
    """One request.

    :param dialect: how to write it; its ``end_date`` is not used, since both dates are sent as they are here
    :param days: createStartDate and createEndDate; none for orders of any date
    :param offset: the ``offset`` to send
    :param limit: the ``limit`` to send; none for the dialect's ``page_size``
    :param topic: what it is to find out, for the progress line
    :param is_tentative: whether a failure is likely and need not be retried, unless the server is busy
    """

    dialect: Dialect
    days: DayRange | None
    offset: int = 0
    limit: int | None = None
    topic: str = ""
    is_tentative: bool = False


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What a response showed.

    :ivar keys: ids of the orders, as they were listed
    :ivar instants: their ``createDate`` in epoch milliseconds
    :ivar status: the HTTP status; none where there was no response
    :ivar claim: how the response says that it is a success, where it does
    :ivar message: what the vendor says in it
    :ivar body: the parsed JSON of a small response without orders; its text where it is no JSON
    :ivar rows_at: where the orders are, if not where the dialect says
    :ivar instant_error: what is wrong with ``createDate``, if anything
    :ivar has_lines: whether two rows have the same id, and differ
    :ivar is_elsewhere: whether it is a redirect to another host
    :ivar error: what the response is instead of a page
    :ivar left: how many requests may still be made
    :ivar raws: the orders as they were sent; none once their fields were looked at
    """

    keys: tuple[OrderKey, ...] = ()
    instants: tuple[int | None, ...] = ()
    status: int | None = None
    claim: str = ""
    message: str = ""
    body: Any = None
    rows_at: str | None = None
    instant_error: str = ""
    has_lines: bool = False
    is_elsewhere: bool = False
    error: KaptureError | None = None
    left: int = 0
    # Not in ``repr``: customer data.
    raws: tuple[msgspec.Raw, ...] = field(default=(), repr=False)

    @property
    def is_answered(self) -> bool:
        """Return whether it is a page, with or without orders."""
        return self.error is None

    @property
    def needs_filter(self) -> bool:
        """Return whether it is a refusal that says that a filter is missing."""
        return self.error is not None and meaning_of(self.message) is Meaning.FILTER

    @property
    def is_timeout(self) -> bool:
        """Return whether no response came in time."""
        return isinstance(self.error, KaptureTransportError) and self.error.reason == "timeout"

    @property
    def is_too_fast(self) -> bool:
        """Return whether it says that there were too many requests, and not only that the server failed."""
        if not isinstance(self.error, KaptureBusyError) or not self.error.reduces_concurrency:
            return False
        is_told = self.status in _TOO_FAST or meaning_of(self.message) is Meaning.BUSY
        return is_told or self.error.retry_after is not None

    @property
    def problem(self) -> Problem | None:
        """Return why it holds no page; none if it does."""
        if self.error is None:
            return None
        if isinstance(self.error, KaptureBusyError):
            return Problem.METHOD if self.status in (500, 501) else Problem.BUSY
        if isinstance(self.error, KaptureRefusedError):
            return self._problem_of_refusal()
        if isinstance(self.body, str) and meaning_of(self.body) is Meaning.CREDENTIALS:
            return Problem.CREDENTIALS
        return next((problem for kind, problem in _PROBLEMS if isinstance(self.error, kind)), Problem.SHAPE)

    def _problem_of_refusal(self) -> Problem:
        status = self.status or 0
        if 300 <= status < 400:
            return Problem.ELSEWHERE if self.is_elsewhere else Problem.DOOR
        if status == 200 and isinstance(self.body, str) and self.body.lstrip().startswith("<"):
            return Problem.DOOR
        if status in (405, 411) or (status in (400, 404) and self._is_about_method()):
            return Problem.METHOD
        return Problem.REFUSED

    def _is_about_method(self) -> bool:
        words = self.message.strip(" .!").casefold()
        return not words or "method" in words or words in _PHRASES


_TOO_FAST = (403, 409, 423, 429)
_PROBLEMS: tuple[tuple[type[KaptureError], Problem], ...] = (
    (KaptureTransportError, Problem.TRANSPORT),
    (KaptureAuthError, Problem.CREDENTIALS),
    (KaptureForbiddenError, Problem.DOOR),
)
_PHRASES = frozenset(each.phrase.casefold() for each in HTTPStatus)


def account_for(account: Account, dialect: Dialect) -> Account:
    """Return the account with another dialect; its ``auth`` and ``headers`` apply.

    :raises KaptureSettingsError: the credentials cannot be sent in that form
    """
    if dialect.auth == account.dialect.auth and dialect.headers == account.dialect.headers:
        return replace(account, dialect=dialect)
    held = account.credentials
    credentials = make_credentials(held.login, held.password, dialect.auth)
    headers = render_headers(dialect.headers, credentials.token, held.password or held.login)
    return replace(account, credentials=credentials, dialect=dialect, headers=headers)
