"""What an answer that is no page means: which error, which setting, and how much of the vendor's words. Pure."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_kapture.client import orders
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


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP answer, whole: what both transports hand to :func:`page_of`."""

    status: int
    headers: Mapping[str, str]
    body: bytes


OK = 200
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# An envelope's keys and values, whichever come twice.
Pairs = list[tuple[str, Any]]


def parse_envelope(body: bytes) -> Pairs:
    """The keys and values of a JSON object, numbers as their text.

    :raises json.JSONDecodeError: it is none
    """
    text = body.decode()
    if text.lstrip()[:1] != "{":
        raise json.JSONDecodeError("No object", "", 0)
    pairs: Pairs = json.loads(text, object_pairs_hook=list, parse_int=str, parse_float=str)
    return pairs


def values_of(envelope: Pairs, name: str) -> list[Any]:
    """What an envelope says under a name, in capitals or not."""
    return [value for key, value in envelope if key.lower() == name]


def message_of(envelope: Pairs) -> str:
    """The vendor's message in an envelope, or nothing."""
    return next((each.strip() for each in values_of(envelope, "message") if isinstance(each, str) and each.strip()), "")


# The settings that may be wrong where Kapture refuses a request as such.
_HINTS: Mapping[int, str] = {
    400: "the account may want another `date_format`, `max_days_per_request`, `http_method` or `default_body`",
    404: "check the connection's host (the subdomain); the account may want another `http_method`",
    405: "the account wants another `http_method`",
}
_RETRY_LATER_STATUSES = frozenset({408, 425, 429})
_BUSY_HINT = "ask for less at once with `max_concurrency` and `requests_per_second`, or longer with `retry_budget`"
_DOWN_HINT = "a fault of its own; it is asked again for as long as `retry_budget` says, and by the task's retries"


def error_for_status(response: Response, account: Account, now: dt.datetime) -> KaptureAnswerError:
    """The error that an answer under any status but 200 is.

    :param now: what a Retry-After that is a date is held against
    """
    status = response.status
    message = _vendor_message(response.body)
    excerpt = redact(message, account)
    quoted = f': "{excerpt}"' if excerpt else ""
    if status == 401 or is_auth_failure(message):
        return auth_error(status)
    if status == 403:
        return KaptureForbiddenError(
            f"Kapture answered 403 Forbidden{quoted}: the login is known, but may not pull orders of cm_id "
            f"{account.dialect.cm_id}; have the account's administrator permit it",
            status=status,
            path=orders.PATH,
            excerpt=excerpt,
        )
    if status in _RETRY_LATER_STATUSES or status >= 500:
        return KaptureBusyError(
            f"Kapture answered {status}{quoted}: {_BUSY_HINT if status in BUSY_STATUSES else _DOWN_HINT}",
            status=status,
            path=orders.PATH,
            excerpt=excerpt,
            retry_after=retry_after(response.headers, now),
        )
    if 300 <= status < 400:
        return _redirect_error(response, account)
    if 200 <= status < 300:
        return KaptureShapeError(
            f"Kapture answered {status}, where only 200 carries orders", status=status, path=orders.PATH
        )
    return refused_error(status, message, account)


def _redirect_error(response: Response, account: Account) -> KaptureRefusedError:
    location = next((value for name, value in response.headers.items() if name.lower() == "location"), "")
    try:
        target = urlsplit(location).netloc.rpartition("@")[2] or account.host
    except ValueError:
        target = "an unreadable address"
    return KaptureRefusedError(
        f"Kapture answered {response.status}, a redirect to {shorten(without_secrets(target, account))}: it is not "
        f"followed, as credentials go to {account.host} alone; set the connection's host to the account's own",
        status=response.status,
        path=orders.PATH,
    )


def refused_error(status: int, message: str, account: Account) -> KaptureRefusedError:
    """The error of a request that Kapture refused, with the settings that may be wrong."""
    excerpt = redact(message, account)
    if "at least" in message.lower() or "atleast" in message.lower():
        hint = "the account does not take a window alone as a filter: put one it accepts in `default_body`"
    else:
        hint = _HINTS.get(status, _HINTS[400])
    words = f'"{excerpt}"' if excerpt else "without a message"
    prefix = f"Kapture refused the request with {status}" if status != OK else "Kapture failed the request"
    more = (
        "; where this message means that there are no orders, put it in `empty_messages`"
        if status == OK and excerpt
        else ""
    )
    return KaptureRefusedError(f"{prefix} ({words}): {hint}{more}", status=status, path=orders.PATH, excerpt=excerpt)


def is_auth_failure(message: str) -> bool:
    """Whether a message is how Kapture says, under any status, that it does not know the credentials."""
    return "invalid auth key" in message.lower()


def auth_error(status: int) -> KaptureAuthError:
    """The error of credentials that are not accepted."""
    return KaptureAuthError(
        f'Kapture does not accept the credentials (HTTP {status}, "Invalid Auth Key" in its words): '
        "check the connection's login and password",
        status=status,
        path=orders.PATH,
    )


def _vendor_message(body: bytes) -> str:
    try:
        return message_of(parse_envelope(body.removeprefix(BYTE_ORDER_MARK)))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError):
        return ""


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


# Statuses that ask for fewer requests, not only for later ones.
BUSY_STATUSES = frozenset({429, 503})


def is_unsupported_query(error: BaseException | None) -> bool:
    """Whether it may be the question that Kapture does not take: it is there, not busy, and knows the credentials."""
    kinds = (KaptureRefusedError, KaptureBusyError, KaptureShapeError)
    return isinstance(error, kinds) and error.status not in BUSY_STATUSES
