"""What an answer that is no page means: which error, which setting, and how much of the vendor's words. Pure."""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_kapture.client import orders
from airflow_provider_kapture.client.account import Account
from airflow_provider_kapture.client.errors import (
    KaptureAnswerError,
    KaptureAuthError,
    KaptureBusyError,
    KaptureForbiddenError,
    KaptureRefusedError,
    KaptureShapeError,
)
from airflow_provider_kapture.client.flow import BUSY


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, whole: what both transports hand to :func:`page_of`."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def basic_token(account: Account) -> str:
    """What stands behind ``Basic`` in the Authorization header."""
    return base64.b64encode(f"{account.login}:{account.password}".encode()).decode()


OK = 200
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# An envelope's keys and values, whichever come twice.
Pairs = list[tuple[str, Any]]


def pairs_of(body: bytes) -> Pairs:
    """The keys and values of a JSON object, numbers as their text.

    :raises json.JSONDecodeError: it is none
    """
    text = body.decode()
    if text.lstrip()[:1] != "{":
        raise json.JSONDecodeError("No object", "", 0)
    pairs: Pairs = json.loads(text, object_pairs_hook=list, parse_int=str, parse_float=str)
    return pairs


def said(envelope: Pairs, name: str) -> list[Any]:
    """What an envelope says under a name, in capitals or not."""
    return [value for key, value in envelope if key.lower() == name]


def message_of(envelope: Pairs) -> str:
    """The vendor's message in an envelope, or nothing."""
    return next((each.strip() for each in said(envelope, "message") if isinstance(each, str) and each.strip()), "")


# The settings that may be wrong where Kapture refuses a request as such.
_HINTS: Mapping[int, str] = {
    400: "the account may want another `date_format`, `max_days_per_request`, `http_method` or `default_body`",
    404: "check the connection's host (the subdomain); the account may want another `http_method`",
    405: "the account wants another `http_method`",
}
_ASK_LATER = frozenset({408, 425, 429})
_BUSY_HINT = "ask for less at once with `max_concurrency` and `requests_per_second`, or longer with `retry_budget`"
_DOWN_HINT = "a fault of its own; it is asked again for as long as `retry_budget` says, and by the task's retries"


def error_of_status(answer: Answer, account: Account, now: dt.datetime) -> KaptureAnswerError:
    """The error that an answer under any status but 200 is.

    :param now: what a Retry-After that is a date is held against
    """
    status = answer.status
    message = _vendor_message(answer.body)
    excerpt = redacted(message, account)
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
    if status in _ASK_LATER or status >= 500:
        return KaptureBusyError(
            f"Kapture answered {status}{quoted}: {_BUSY_HINT if status in BUSY else _DOWN_HINT}",
            status=status,
            path=orders.PATH,
            excerpt=excerpt,
            retry_after=retry_after(answer.headers, now),
        )
    if 300 <= status < 400:
        return _redirect(answer, account)
    if 200 <= status < 300:
        return KaptureShapeError(
            f"Kapture answered {status}, where only 200 carries orders", status=status, path=orders.PATH
        )
    return refused(status, message, account)


def _redirect(answer: Answer, account: Account) -> KaptureRefusedError:
    location = next((value for name, value in answer.headers.items() if name.lower() == "location"), "")
    try:
        target = urlsplit(location).netloc.rpartition("@")[2] or account.host
    except ValueError:
        target = "an unreadable address"
    return KaptureRefusedError(
        f"Kapture answered {answer.status}, a redirect to {_short(_without_secrets(target, account))}: it is not "
        f"followed, as credentials go to {account.host} alone; set the connection's host to the account's own",
        status=answer.status,
        path=orders.PATH,
    )


def refused(status: int, message: str, account: Account) -> KaptureRefusedError:
    """The error of a request that Kapture refused, with the settings that may be wrong."""
    excerpt = redacted(message, account)
    if "at least" in message.lower() or "atleast" in message.lower():
        hint = "the account does not take a window alone as a filter: put one it accepts in `default_body`"
    else:
        hint = _HINTS.get(status, _HINTS[400])
    words = f'"{excerpt}"' if excerpt else "without a message"
    answered = f"Kapture refused the request with {status}" if status != OK else "Kapture failed the request"
    more = (
        "; where this message means that there are no orders, put it in `empty_messages`"
        if status == OK and excerpt
        else ""
    )
    return KaptureRefusedError(f"{answered} ({words}): {hint}{more}", status=status, path=orders.PATH, excerpt=excerpt)


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
        return message_of(pairs_of(body.removeprefix(BYTE_ORDER_MARK)))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError):
        return ""


_EXCERPT = 120
# Characters of a message that are looked at: more than are shown, and few, as the search takes their square in time.
_LOOKED_AT = 1_000
_PERSONAL = re.compile(r"[^\s@<>\"']+@[^\s@<>\"']+|\+?\d[\d\s().-]{5,}\d")


def redacted(text: str, account: Account) -> str:
    """A vendor's words as a message may show them: short, on one line, no credentials, no addresses, no numbers.

    Nor what the request itself said of a customer.
    """
    words = " ".join(_without_secrets(text, account).split())
    if len(words) > _LOOKED_AT:
        # Not half a word: without its other half, an address may not look like one.
        words = words[:_LOOKED_AT].rpartition(" ")[0] or words[:_LOOKED_AT]
    return _short(_PERSONAL.sub("***", words))


def _without_secrets(text: str, account: Account) -> str:
    for secret in (basic_token(account), account.password, account.login):
        text = text.replace(secret, "***")
    for words in account.unsaid:
        text = re.sub(re.escape(words), "***", text, flags=re.IGNORECASE)
    return text


def _short(text: str) -> str:
    text = "".join(each if each.isprintable() else " " for each in text[: 2 * _EXCERPT])
    return text if len(text) <= _EXCERPT else text[: _EXCERPT - 1] + "…"


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
