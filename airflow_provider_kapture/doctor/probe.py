"""One request of the doctor, and what it keeps of the response: ids and instants, nothing else of an order. Pure.

Which request comes next is decided in plan.py and the modules it calls; sending is run.py's.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_kapture.client.api.envelope import claims_of, message_of, parse_envelope, to_utf8
from airflow_provider_kapture.client.api.failures import Response
from airflow_provider_kapture.client.api.keys import OrderKey
from airflow_provider_kapture.client.api.redaction import without_secrets
from airflow_provider_kapture.client.api.response import Page, parse_response
from airflow_provider_kapture.client.api.rows import paths_of_orders
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
from airflow_provider_kapture.client.pull.date_checks import missing_instant_error
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

    @property
    def is_answered(self) -> bool:
        """Return whether it is a page, with or without orders."""
        return self.error is None

    @property
    def needs_filter(self) -> bool:
        """Return whether it is a refusal that says that a filter is missing."""
        return self.error is not None and meaning_of(self.message) is Meaning.FILTER

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
# Responses without orders are small; more of one is not kept.
_MAX_BODY_BYTES = 2_000


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


def to_probe_result(
    response: Response, account: Account, now: dt.datetime, left: int, *, has_answered: bool = False
) -> ProbeResult:
    """Return what a response shows; the orders themselves are let go.

    :param has_answered: whether Kapture has answered with a page before
    """
    text = _text(response)
    result = ProbeResult(
        status=response.status,
        claim=_claim(text),
        message=_message(text, account),
        is_elsewhere=_location(response) not in ("", account.host),
        left=left,
    )
    try:
        page = parse_response(response, account, now, has_answered=has_answered)
    except KaptureError as error:
        return _without_page(replace(result, error=error), response, text, account, now)
    if not page.keys:
        return replace(result, body=_small(text, account))
    return _with_page(result, page)


def _with_page(result: ProbeResult, page: Page) -> ProbeResult:
    instants = tuple(page.instants)
    instant_error = str(missing_instant_error(page)) if None in instants else ""
    different: dict[OrderKey, bytes] = {}
    has_lines = any(
        different.setdefault(key, bytes(raw)) != bytes(raw) for key, raw in zip(page.keys, page.raws, strict=True)
    )
    return replace(
        result,
        keys=tuple(page.keys),
        instants=instants,
        instant_error=instant_error,
        has_lines=has_lines,
    )


def _without_page(
    result: ProbeResult, response: Response, text: bytes, account: Account, now: dt.datetime
) -> ProbeResult:
    """Return the result of a response that holds no page at the dialect's path; another path may hold one."""
    paths = _paths(text) if response.status == 200 else []
    if len(paths) == 1 and paths[0] != account.dialect.rows_at:
        other = replace(account, dialect=replace(account.dialect, rows_at=paths[0]))
        try:
            page = parse_response(response, other, now)
        except KaptureError as error:
            return replace(result, error=error, rows_at=paths[0])
        return replace(_with_page(result, page), error=None, rows_at=paths[0])
    return replace(result, body=_small(text, account))


def _text(response: Response) -> bytes:
    try:
        return to_utf8(response.body, response.headers)
    except UnicodeDecodeError:
        return b""


def _paths(text: bytes) -> Sequence[str]:
    try:
        return paths_of_orders(json.loads(text))
    except (ValueError, RecursionError):
        return ()


def _small(text: bytes, account: Account) -> Any:
    """Return what a response without orders says; nothing of one that is long, or repeats a secret."""
    if len(text) > _MAX_BODY_BYTES:
        return "<…" if text.lstrip().startswith(b"<") else None
    words = text.decode(errors="replace")
    if without_secrets(words, account) != words:
        return None
    try:
        return json.loads(words)
    except (ValueError, RecursionError):
        return words


def _claim(text: bytes) -> str:
    """Return how a response says that it is a success."""
    try:
        envelope = parse_envelope(text)
    except (ValueError, RecursionError):
        return ""
    for name, value in envelope:
        if name.lower() in ("success", "status", "code") and claims_of([(name, value)]) == [True]:
            return f'"{name}": {json.dumps(value)}'
    return ""


def _message(text: bytes, account: Account) -> str:
    try:
        return message_of(parse_envelope(text), account.dialect.rows_at)
    except (ValueError, RecursionError):
        return ""


def _location(response: Response) -> str:
    location = next((value for name, value in response.headers.items() if name.lower() == "location"), "")
    try:
        return urlsplit(location).netloc.rpartition("@")[2]
    except ValueError:
        return "unreadable"
