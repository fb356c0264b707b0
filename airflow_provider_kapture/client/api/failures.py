"""What a response that is no page means: which error, which setting, and how much of the vendor's words. Pure."""

from __future__ import annotations

import datetime as dt
import http.client
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from airflow_provider_kapture.client import orders
from airflow_provider_kapture.client.api.envelope import failure_message
from airflow_provider_kapture.client.api.redaction import redact, shorten, without_secrets
from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.errors import (
    KaptureAnswerError,
    KaptureAuthError,
    KaptureBusyError,
    KaptureForbiddenError,
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
    "check the connection's login and password; where Kapture issued a token or key, leave `login` empty and put it "
    "in `password`; the account may also want more `headers`"
)
_DOCTOR = "`kapture doctor CONN_ID` finds out which"
_REQUEST_SETTINGS = "`date_format`, `http_method`, `default_body` or `max_days_per_request`"
_RETRY_LATER_STATUSES = frozenset({408, 409, 423, 425, 429})
# Statuses that ask for fewer requests, not only for later ones.
_EASE_STATUSES = frozenset({409, 423, 429, 503})
# Refusals of the way a request is sent, whatever it asks for.
_OTHER_REFUSALS = frozenset({*range(300, 400), 405})
_BUSY_HINT = "reduce `max_concurrency` and `requests_per_second`, or raise `retry_budget`"
_DOWN_HINT = "a fault of its own; the request is retried within `retry_budget`, and by the task's retries"
_FILTER_HINT = (
    "the account does not take a window alone as a filter; put one that it takes in `default_body`, such as "
    '{"notAssignToIdsStr": "-1"}, or see `kapture doctor CONN_ID`'
)
_FIRST_FAULT_HINT = f"{_DOWN_HINT}; if every request fails so, check `date_format`, `default_body` and `http_method`"


def error_for_status(
    response: Response, account: Account, now: dt.datetime, *, has_answered: bool
) -> KaptureAnswerError:
    """Return the error that a response under any status but 200 is.

    :param now: what a Retry-After that is a date is compared with
    :param has_answered: whether Kapture has answered this client with orders, or a known empty, before
    """
    status = response.status
    message = failure_message(response.body, account.dialect.rows_at)
    excerpt = redact(message, account)
    quoted = f': "{excerpt}"' if excerpt else ""
    meaning = meaning_of(message)
    wait = retry_after(response.headers, now)
    is_busy = is_listed(message, account.dialect.busy_messages)
    if meaning is Meaning.CREDENTIALS or (status == 401 and not is_busy):
        return auth_error(status, message, account)
    is_busy = is_busy or meaning in (Meaning.BUSY, Meaning.FAULT)
    if status == 403 and not has_answered and not is_busy:
        return _forbidden_error(quoted, excerpt, meaning, account)
    if is_busy or status in _RETRY_LATER_STATUSES or status >= 500 or status == 403:
        # A fault under its own status is no sign of too many requests.
        eases = status in (*_EASE_STATUSES, 403) or (is_busy and not (status >= 500 and meaning is Meaning.FAULT))
        down = _DOWN_HINT if has_answered or status not in (500, 501) else _FIRST_FAULT_HINT
        down = _FILTER_HINT if meaning is Meaning.FILTER else down
        return KaptureBusyError(
            f"Kapture answered {status}{quoted}: {_BUSY_HINT if eases else down}",
            status=status,
            path=orders.PATH,
            excerpt=excerpt,
            retry_after=wait,
            reduces_concurrency=eases,
        )
    if 300 <= status < 400:
        return _redirect_error(response, account)
    if 200 <= status < 300:
        error = KaptureShapeError(
            f"Kapture answered {status}, where only 200 carries orders; where this is how the account says that there "
            f'are none, put {{"status": {status}}} in `empty_answers`',
            status=status,
            path=orders.PATH,
        )
        error.transient, error.permanent = False, True
        return error
    return refused_error(status, message, account)


def _forbidden_error(quoted: str, excerpt: str, meaning: Meaning | None, account: Account) -> KaptureForbiddenError:
    hint = (
        "check login and password, `http_method`, and whether the account's administrator permits this user to pull "
        f"orders of cm_id {account.dialect.cm_id}"
    )
    return KaptureForbiddenError(
        f"Kapture answered 403 Forbidden{quoted}: {_FILTER_HINT if meaning is Meaning.FILTER else hint}",
        status=403,
        path=orders.PATH,
        excerpt=excerpt,
    )


def failure_error(message: str, account: Account, headers: Mapping[str, str], now: dt.datetime) -> KaptureAnswerError:
    """Return the error of a response under 200 that claims a failure, or has the words of one.

    :param now: what a Retry-After that is a date is compared with
    """
    meaning = meaning_of(message)
    if meaning is Meaning.CREDENTIALS:
        return auth_error(OK, message, account)
    if meaning in (Meaning.BUSY, Meaning.FAULT) or is_listed(message, account.dialect.busy_messages):
        excerpt = redact(message, account)
        hint = _DOWN_HINT if meaning is Meaning.FAULT else _BUSY_HINT
        return KaptureBusyError(
            f'Kapture failed the request ("{excerpt}"): {hint}',
            path=orders.PATH,
            excerpt=excerpt,
            retry_after=retry_after(headers, now),
            reduces_concurrency=True,
        )
    return refused_error(OK, message, account)


def _redirect_error(response: Response, account: Account) -> KaptureRefusedError:
    location = next((value for name, value in response.headers.items() if name.lower() == "location"), "")
    try:
        target = urlsplit(location).netloc.rpartition("@")[2] or account.host
    except ValueError:
        target = "an unreadable address"
    hint = (
        "such as to a login page: check login and password, and `http_method`"
        if target == account.host
        else "set the connection's host to the account's own"
    )
    return KaptureRefusedError(
        f"Kapture answered {response.status}, a redirect to {shorten(without_secrets(target, account))}, which is not "
        f"followed, as credentials go to {account.host} alone; {hint}",
        status=response.status,
        path=orders.PATH,
    )


def refused_error(status: int, message: str, account: Account) -> KaptureRefusedError:
    """Return the error of a request that Kapture refused, with the settings that may be wrong, the likeliest first."""
    excerpt = redact(message, account)
    words = f'"{excerpt}"' if excerpt else "without a message"
    prefix = f"Kapture refused the request with {status}" if status != OK else "Kapture failed the request"
    if meaning_of(message) is Meaning.FILTER:
        hint = _FILTER_HINT
    else:
        hint = _refused_hint(status, account)
        # "Not Found" under 404 says no more than the status: a wrong subdomain gives it, too.
        is_phrase = message.casefold() in {"failed", http.client.responses.get(status, "").casefold()}
        if excerpt and status in (OK, 400, 404) and not is_phrase:
            hint += ". Where this message means that there are no orders, put it in `empty_messages`"
    return KaptureRefusedError(f"{prefix} ({words}): {hint}", status=status, path=orders.PATH, excerpt=excerpt)


def _refused_hint(status: int, account: Account) -> str:
    if status == 404:
        return f"check the connection's host (the subdomain) and `http_method`; {_DOCTOR}"
    if status == 405:
        return "the account wants another `http_method`"
    # Asked with a large limit, that is the likeliest.
    page_size = "a smaller `page_size`, or another " if account.dialect.page_size > 100 else "another "
    return f"the account may want {page_size}{_REQUEST_SETTINGS}; {_DOCTOR}"


def auth_error(status: int, message: str, account: Account) -> KaptureAuthError:
    """Return the error of credentials that are not accepted."""
    excerpt = redact(message, account)
    words = f', "{excerpt}"' if excerpt else ""
    return KaptureAuthError(
        f"Kapture does not accept the credentials (HTTP {status}{words}): {_CREDENTIALS_HINT}",
        status=status,
        path=orders.PATH,
        excerpt=excerpt,
    )


def login_page_error() -> KaptureRefusedError:
    """Return the error of an HTML page in the place of the first orders."""
    error = KaptureRefusedError(
        "Kapture answered 200 with an HTML or XML page, such as a login page: check login and password, the "
        "connection's host and `http_method`",
        path=orders.PATH,
    )
    error.is_login_page = True
    return error


def retry_after(headers: Mapping[str, str], now: dt.datetime) -> float | None:
    """Seconds that an answer asks to wait; none where it does not say so in a way that can be followed."""
    value = next((each for name, each in headers.items() if name.lower() == "retry-after"), "").strip()
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
    """Return whether Kapture may not take the query: it answers, is not busy, and accepts the credentials."""
    if isinstance(error, KaptureBusyError):
        return not error.reduces_concurrency
    if isinstance(error, KaptureRefusedError) and (error.is_login_page or error.status in _OTHER_REFUSALS):
        return False
    return isinstance(error, KaptureRefusedError | KaptureShapeError)
