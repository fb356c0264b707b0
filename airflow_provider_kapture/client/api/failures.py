"""Choose the error for a response without orders, and the settings that its message names. No I/O.

Pages are parsed in `response.py`. Errors without a complete response are in `../transport/network_errors.py`.
"""

from __future__ import annotations

import datetime as dt
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from airflow_provider_kapture.client import orders
from airflow_provider_kapture.client.api.envelope import failure_message, header_of
from airflow_provider_kapture.client.api.redaction import redact, shorten, without_secrets
from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.errors import (
    KaptureAnswerError,
    KaptureAuthError,
    KaptureBusyError,
    KaptureForbiddenError,
    KaptureMalformedError,
    KaptureRefusedError,
    KaptureShapeError,
)
from airflow_provider_kapture.client.words import Meaning, is_listed, meaning_of


@dataclass(frozen=True, slots=True)
class Response:
    """A complete HTTP response, as both transports return it."""

    status: int
    headers: Mapping[str, str]
    body: bytes


OK = 200
_CREDENTIALS_HINT = (
    "check login and password. If Kapture issued a key or token, leave `login` empty and put it in `password`; "
    "some accounts also require `headers`"
)
_DOCTOR = "`kapture doctor CONN_ID` finds out which"
_REQUEST_SETTINGS = "`date_format`, `http_method`, `default_body` or `max_days_per_request`"
_RETRY_LATER_STATUSES = frozenset({408, 409, 423, 425, 429})
# Statuses that fewer concurrent requests may avoid.
_EASE_STATUSES = frozenset({409, 423, 429, 503})
# Statuses that refuse the way in which a request is sent, whatever it queries.
_OTHER_REFUSALS = frozenset({*range(300, 400), 405})
_BUSY_HINT = "reduce the load (`max_concurrency`, `requests_per_second`) or retry for longer (`retry_budget`)"
_DOWN_HINT = "server error; retried until `retry_budget` is used up, then by the task's retries"
_FILTER_HINT = (
    "this account requires another filter besides the dates; add one to `default_body`, such as "
    '{"notAssignToIdsStr": "-1"}, or run `kapture doctor CONN_ID`'
)
_FIRST_FAULT_HINT = f"{_DOWN_HINT}. If every request fails, check `date_format`, `default_body` and `http_method`"


def error_for_status(
    response: Response, account: Account, now: dt.datetime, *, has_answered: bool
) -> KaptureAnswerError:
    """Return the error for a response with a status other than 200.

    :param now: current time, to evaluate a Retry-After that is a date
    :param has_answered: whether this client has received orders, or a known empty response, before
    """
    status = response.status
    message = failure_message(response.body, account.dialect.rows_at)
    excerpt = redact(message, account)
    quoted = f' ("{excerpt}")' if excerpt else ""
    meaning = meaning_of(message)
    is_busy = is_listed(message, account.dialect.busy_messages)
    if meaning is Meaning.CREDENTIALS or (status == 401 and not is_busy):
        return auth_error(status, message, account)
    is_busy = is_busy or meaning in (Meaning.BUSY, Meaning.FAULT)
    if status == 403 and not has_answered and not is_busy:
        return _forbidden_error(quoted, excerpt, meaning, account)
    if is_busy or status in _RETRY_LATER_STATUSES or status >= 500 or status == 403:
        # A server fault with status 5xx does not mean too many requests.
        eases = status in (*_EASE_STATUSES, 403) or (is_busy and not (status >= 500 and meaning is Meaning.FAULT))
        hint = _busy_hint(status, meaning, eases=eases, has_answered=has_answered)
        return KaptureBusyError(
            f"Kapture returned {status}{quoted}: {hint}",
            status=status,
            path=orders.PATH,
            excerpt=excerpt,
            retry_after=retry_after(response.headers, now),
            reduces_concurrency=eases,
        )
    if 300 <= status < 400:
        return _redirect_error(response, account)
    if 200 <= status < 300:
        answer = json.dumps({"status": status})
        return permanent_shape_error(
            f"Kapture returned {status}, but only 200 carries orders; if this account returns it when there are no "
            f"orders, add {answer} to `empty_answers`",
            status=status,
        )
    return refused_error(status, message, account)


def _busy_hint(status: int, meaning: Meaning | None, *, eases: bool, has_answered: bool) -> str:
    if meaning is Meaning.FILTER:
        return _FILTER_HINT
    if eases and meaning is not Meaning.FAULT:
        return _BUSY_HINT
    return _DOWN_HINT if has_answered or status not in (500, 501) else _FIRST_FAULT_HINT


def permanent_shape_error(message: str, *, status: int = OK, excerpt: str = "") -> KaptureShapeError:
    """Return the error for a response of another form that a repeated request would not avoid."""
    error = KaptureShapeError(message, status=status, path=orders.PATH, excerpt=excerpt)
    error.transient, error.permanent = False, True
    return error


def _forbidden_error(quoted: str, excerpt: str, meaning: Meaning | None, account: Account) -> KaptureForbiddenError:
    hint = (
        "check login and password, and `http_method`, and ask the account's administrator for access to the orders of "
        f"cm_id {account.dialect.cm_id}"
    )
    return KaptureForbiddenError(
        f"Kapture returned 403 Forbidden{quoted}; {_FILTER_HINT if meaning is Meaning.FILTER else hint}",
        status=403,
        path=orders.PATH,
        excerpt=excerpt,
    )


def failure_error(message: str, account: Account, headers: Mapping[str, str], now: dt.datetime) -> KaptureAnswerError:
    """Return the error for a response with status 200 that reports a failure, or whose message is that of one.

    :param now: current time, to evaluate a Retry-After that is a date
    """
    meaning = meaning_of(message)
    if meaning is Meaning.CREDENTIALS:
        return auth_error(OK, message, account)
    if meaning in (Meaning.BUSY, Meaning.FAULT) or is_listed(message, account.dialect.busy_messages):
        excerpt = redact(message, account)
        hint = _DOWN_HINT if meaning is Meaning.FAULT else _BUSY_HINT
        return KaptureBusyError(
            f'Kapture reported a failure ("{excerpt}"): {hint}',
            path=orders.PATH,
            excerpt=excerpt,
            retry_after=retry_after(headers, now),
            reduces_concurrency=True,
        )
    return refused_error(OK, message, account)


def redirect_host(response: Response) -> str:
    """Return the host that a response redirects to; an empty text if it names none."""
    try:
        return urlsplit(header_of(response.headers, "location")).netloc.rpartition("@")[2]
    except ValueError:
        return "an invalid address"


def _redirect_error(response: Response, account: Account) -> KaptureRefusedError:
    target = redirect_host(response) or account.host
    hint = (
        "it may lead to a login page: check login and password, and `http_method`"
        if target == account.host
        else "set the connection's `host` to the account's own host"
    )
    return KaptureRefusedError(
        f"Kapture returned {response.status}, a redirect to {shorten(without_secrets(target, account))}, which is not "
        f"followed because credentials are sent to {account.host} only; {hint}",
        status=response.status,
        path=orders.PATH,
    )


def refused_error(status: int, message: str, account: Account) -> KaptureRefusedError:
    """Return the error for a request that Kapture refused, with the settings that may be wrong, most likely first."""
    excerpt = redact(message, account)
    words = f'"{excerpt}"' if excerpt else "without a message"
    prefix = f"Kapture refused the request with {status}" if status != OK else "Kapture reported a failure"
    if meaning_of(message) is Meaning.FILTER:
        hint = _FILTER_HINT
    else:
        hint = _refused_hint(status, account)
        # "Not Found" under 404 says no more than the status: a wrong subdomain returns it, too.
        is_phrase = message.casefold() in {"failed", http.client.responses.get(status, "").casefold()}
        if excerpt and status in (OK, 400, 404) and not is_phrase:
            hint += ". If the message means that there are no orders, add it to `empty_messages`"
    return KaptureRefusedError(f"{prefix} ({words}): {hint}", status=status, path=orders.PATH, excerpt=excerpt)


def _refused_hint(status: int, account: Account) -> str:
    if status == 404:
        return f"check the connection's `host` (the subdomain) and `http_method`; {_DOCTOR}"
    if status == 405:
        return "this account requires the other `http_method`"
    # With a large limit, that is the most likely cause.
    page_size = "a smaller `page_size`, or another " if account.dialect.page_size > 100 else "another "
    return f"this account may require {page_size}{_REQUEST_SETTINGS}; {_DOCTOR}"


def auth_error(status: int, message: str, account: Account) -> KaptureAuthError:
    """Return the error for credentials that Kapture does not accept.

    :param status: HTTP status of the response
    :param message: the vendor's message, or an empty text
    """
    excerpt = redact(message, account)
    words = f', "{excerpt}"' if excerpt else ""
    return KaptureAuthError(
        f"Kapture does not accept the credentials (HTTP {status}{words}): {_CREDENTIALS_HINT}",
        status=status,
        path=orders.PATH,
        excerpt=excerpt,
    )


def login_page_error() -> KaptureRefusedError:
    """Return the error for an HTML page in the first response."""
    error = KaptureRefusedError(
        "Kapture returned 200 with an HTML or XML page, such as a login page; check login and password, the "
        "connection's `host` and `http_method`",
        path=orders.PATH,
    )
    error.is_login_page = True
    return error


def retry_after(headers: Mapping[str, str], now: dt.datetime) -> float | None:
    """Return the seconds of a Retry-After header; None if there is none, or none that can be evaluated."""
    value = header_of(headers, "retry-after").strip()
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
            seconds = (moment.replace(tzinfo=moment.tzinfo or dt.UTC) - now).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None
    return seconds if 0 <= seconds < float("inf") else None


def is_unsupported_query(error: BaseException | None) -> bool:
    """Return whether an error means that the account does not support the query, and not that it is busy."""
    if isinstance(error, KaptureBusyError):
        return not error.reduces_concurrency
    if isinstance(error, KaptureRefusedError) and (error.is_login_page or error.status in _OTHER_REFUSALS):
        return False
    # Malformed JSON is an answer, and likely one with orders.
    return isinstance(error, KaptureRefusedError | KaptureShapeError) and not isinstance(error, KaptureMalformedError)
