"""Pure: a question to HTTP request, an HTTP answer to a page or to the error that it is.

Both transports go through here, so that they can't differ in what they ask or in what they make of an answer.
"""

from __future__ import annotations

import base64
import codecs
import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec

from airflow_provider_kapture import __version__
from airflow_provider_kapture.client import orders
from airflow_provider_kapture.client.account import Account, check_body_keys, nearest
from airflow_provider_kapture.client.days import DayRange
from airflow_provider_kapture.client.errors import (
    KaptureAnswerError,
    KaptureAuthError,
    KaptureBusyError,
    KaptureForbiddenError,
    KaptureRefusedError,
    KaptureSettingsError,
    KaptureShapeError,
)

OrderKey = int | str


@dataclass(frozen=True, slots=True)
class Question:
    """What a pull asks for, but for the days and the page.

    :param date_field: which time of an order the days are about
    :param body: filters and the account's own keys, as they are sent
    """

    date_field: str = "create"
    body: Mapping[str, Any] = field(default_factory=dict)

    @property
    def dates(self) -> orders.DateField:
        """The body keys and the answer's field of the date field."""
        return orders.DATE_FIELDS[self.date_field]


@dataclass(frozen=True, slots=True)
class Page:
    """The orders of one answer.

    :ivar raws: each order's JSON as Kapture sent it
    :ivar keys: each order's ``id``
    :ivar instants: each order's ``createDate`` in epoch milliseconds; none where it has no usable one
    """

    raws: Sequence[msgspec.Raw] = ()
    keys: Sequence[OrderKey] = ()
    instants: Sequence[int | None] = ()


def question(
    date_field: str, filters: Mapping[str, Any] | None = None, extra_body: Mapping[str, Any] | None = None
) -> Question:
    """Check what is asked for, and write it as the API wants it: strings, and lists with commas.

    :raises KaptureSettingsError: an unknown date field or filter (names the nearest), a filter that the pull sets
        itself, a value that is neither string, number nor list of them
    """
    if date_field not in orders.DATE_FIELDS:
        known = tuple(orders.DATE_FIELDS)
        hint = nearest(str(date_field), known) or f"; it must be one of {', '.join(known)}"
        raise KaptureSettingsError(f"date_field is {date_field!r}{hint}")
    dates = orders.DATE_FIELDS[date_field]
    body: dict[str, Any] = {}
    for what, given in (("filters", filters or {}), ("extra_body", extra_body or {})):
        if not isinstance(given, Mapping):
            raise KaptureSettingsError(f"{what} is a {type(given).__name__}: it must be a mapping of names to values")
        check_body_keys(what, given)
        for name in given:
            if name in (dates.start_key, dates.end_key):
                raise KaptureSettingsError(f"{what} holds {name!r}, which the window sets: leave it out")
    for name, value in (filters or {}).items():
        if name not in orders.FILTERS:
            raise KaptureSettingsError(f"Unknown filter {name!r}{nearest(str(name), orders.FILTERS)}")
        body[name] = _filter_value(name, value)
    return Question(date_field, {**body, **(extra_body or {})})


def _filter_value(name: str, value: Any) -> str:
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return ",".join(_filter_value(name, item) for item in items)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise KaptureSettingsError(
            f"Filter {name!r} is a {type(value).__name__}: it must be a string, a number or a list of them"
        )
    return str(value)


def request_headers(account: Account) -> dict[str, str]:
    """Headers of every request. The credentials are UTF-8, whatever the transport's own default is."""
    return {
        "Authorization": f"Basic {basic_token(account)}",
        "Content-Type": "application/json",
        "Accept": "application/json",
        "Accept-Encoding": "gzip",
        "User-Agent": f"airflow-provider-kapture/{__version__}",
    }


def basic_token(account: Account) -> str:
    """What stands behind ``Basic`` in the Authorization header."""
    return base64.b64encode(f"{account.login}:{account.password}".encode()).decode()


def request_body(account: Account, asked: Question, days: DayRange, offset: int, limit: int | None = None) -> bytes:
    """The JSON body of the request for one page of the listing of ``days``."""
    dialect = account.dialect
    last = days.last if dialect.end_date == "inclusive" else days.last + dt.timedelta(days=1)
    return msgspec.json.encode(
        {
            **dialect.default_body,
            **asked.body,
            "cmId": dialect.cm_id,
            asked.dates.start_key: days.first.strftime(dialect.date_format),
            asked.dates.end_key: last.strftime(dialect.date_format),
            "limit": str(limit or dialect.page_size),
            "offset": str(offset),
        }
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, whole: what both transports hand to :func:`page_of`."""

    status: int
    headers: Mapping[str, str]
    body: bytes


_NULL = msgspec.Raw(b"null")
_OK = 200
# What a processor's cache holds; as one text, an answer with an emoji in it takes four times its size.
_PIECE = 1 << 14


class _Listing(msgspec.Struct):
    """An answer with a list of orders, each as it was sent; and all else that an answer may say."""

    order_details: list[msgspec.Raw]
    success: msgspec.Raw = _NULL
    status: msgspec.Raw = _NULL
    Status: msgspec.Raw = _NULL
    message: msgspec.Raw = _NULL
    Message: msgspec.Raw = _NULL


class _Key(msgspec.Struct):
    """The few fields of an order that a pull looks at."""

    id: Any = None
    createDate: Any = None  # noqa: N815 - the vendor's name


class _Keys(msgspec.Struct):
    order_details: list[_Key]


_ENVELOPES = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LISTINGS = msgspec.json.Decoder(_Listing)
_KEYS = msgspec.json.Decoder(_Keys)


def page_of(answer: Answer, account: Account, now: dt.datetime) -> Page:
    """The page that an answer is.

    :param now: what a Retry-After that is a date is held against
    :raises KaptureAnswerError: the error that it is instead
    """
    if answer.status != _OK:
        raise _error_of_status(answer, account, now)
    try:
        body = answer.body.removeprefix(b"\xef\xbb\xbf")
        _check_text(body)
        try:
            return _page_of_body(body, account)
        except msgspec.DecodeError:
            mended = _without_half_characters(body)
            if mended == body:
                raise
            return _page_of_body(mended, account)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise KaptureShapeError(f"{_UNKNOWN} {_described(answer.body)}", path=orders.PATH) from error


def _check_text(body: bytes) -> None:
    """See that a body is UTF-8: msgspec does not look into strings that it passes by."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    for at in range(0, len(body), _PIECE):
        decoder.decode(body[at : at + _PIECE])
    decoder.decode(b"", final=True)


def _page_of_body(body: bytes, account: Account) -> Page:
    try:
        envelope: dict[str, Any] = msgspec.structs.asdict(_LISTINGS.decode(body))
        raws: list[msgspec.Raw] | None = envelope.pop("order_details")
    except msgspec.ValidationError:
        envelope, raws = _ENVELOPES.decode(body), None
    message = _text(envelope, "message", "Message")
    _check_success(envelope, message, account)
    if raws is None:
        details = bytes(envelope.get("order_details", b""))
        if message in account.dialect.empty_messages and details in {b"", b"null"}:
            return Page()
        raise _no_list(details, message, account)
    keys = _KEYS.decode(body).order_details
    return Page(raws, [order_key(each.id) for each in keys], [_instant(each.createDate) for each in keys])


_UNKNOWN = "Kapture answered 200, but not with the success that its API promises:"
_LONE_SURROGATE = re.compile(
    rb"(?:\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


def _without_half_characters(body: bytes) -> bytes:
    """The answer with U+FFFD for each half of a surrogate pair, such as an emoji that was cut leaves.

    Half of a pair is no character, and no file format here could hold it.
    """
    return _LONE_SURROGATE.sub(lambda found: rb"\ufffd" if found[1] else found[0], body)


def order_key(value: Any) -> OrderKey:
    """An order's ``id`` as one value, whether it came as a number or as a string.

    :raises KaptureShapeError: there is none
    """
    if type(value) is int:
        return value
    if isinstance(value, str) and value.strip():
        return int(value) if value.isdecimal() and value.isascii() and len(value) < 4000 else value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise KaptureShapeError(f"{_UNKNOWN} an order without an `id`", path=orders.PATH)


def _instant(value: Any) -> int | None:
    if type(value) is int:
        return value
    try:
        return None if value is None or isinstance(value, bool) else int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _text(envelope: Mapping[str, msgspec.Raw], *names: str) -> str:
    for name in names:
        value = msgspec.json.decode(envelope[name]) if name in envelope else None
        if isinstance(value, str) and value.strip():
            return value.strip()
    return ""


def _check_success(envelope: Mapping[str, msgspec.Raw], message: str, account: Account) -> None:
    """Raise unless the envelope claims success and nothing in it says otherwise; a message that means "none" passes."""
    if _is_auth_failure(message):
        raise _auth_error(_OK)
    status = _text(envelope, "status", "Status").lower()
    said = envelope.get("success", msgspec.Raw(b"null"))
    success = msgspec.json.decode(said)
    succeeded = success is True or (isinstance(success, str) and success.strip().lower() == "true")
    if message in account.dialect.empty_messages:
        return
    if status == "failed" or (success is not None and not succeeded):
        raise _refused(_OK, message, account)
    if not succeeded and status != "success":
        shown = f' and says "{redacted(message, account)}"' if message else ""
        raise KaptureShapeError(
            f"{_UNKNOWN} a JSON object that claims no success{shown}",
            path=orders.PATH,
            excerpt=redacted(message, account),
        )


def _no_list(details: bytes, message: str, account: Account) -> KaptureShapeError:
    found = "`order_details` is not a list" if details else "there is no `order_details`"
    excerpt = redacted(message, account)
    hint = (
        f'. The message is "{excerpt}": where that is how this account says that there are no orders, '
        "put it in `empty_messages`"
        if message
        else ""
    )
    return KaptureShapeError(f"{_UNKNOWN} {found}{hint}", path=orders.PATH, excerpt=excerpt)


def _described(body: bytes) -> str:
    """What a strange answer is, without a word of it: it may hold anything."""
    start = body.lstrip()[:1]
    if not start:
        return "an empty body"
    if start == b"<":
        return "an HTML or XML page, such as a proxy, a login page or a maintenance page sends"
    return "a body that is not a whole JSON object in UTF-8"


# The settings that may be wrong where Kapture refuses a request as such.
_HINTS: Mapping[int, str] = {
    400: "the account may want another `date_format`, `max_days_per_request`, `http_method` or `default_body`",
    404: "check the connection's host (the subdomain); the account may want another `http_method`",
    405: "the account wants another `http_method`",
}
_BUSY = frozenset({408, 425, 429})


def _error_of_status(answer: Answer, account: Account, now: dt.datetime) -> KaptureAnswerError:
    status = answer.status
    message = _vendor_message(answer.body)
    excerpt = redacted(message, account)
    quoted = f': "{excerpt}"' if excerpt else ""
    if status == 401 or _is_auth_failure(message):
        return _auth_error(status)
    if status == 403:
        return KaptureForbiddenError(
            f"Kapture answered 403 Forbidden{quoted}: the login is known, but may not pull orders of cm_id "
            f"{account.dialect.cm_id}; have the account's administrator permit it",
            status=status,
            path=orders.PATH,
            excerpt=excerpt,
        )
    if status in _BUSY or status >= 500:
        return KaptureBusyError(
            f"Kapture answered {status}{quoted}",
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
    return _refused(status, message, account)


def _redirect(answer: Answer, account: Account) -> KaptureRefusedError:
    location = next((value for name, value in answer.headers.items() if name.lower() == "location"), "")
    try:
        target = urlsplit(location).hostname or account.host
    except ValueError:
        target = "an unreadable address"
    return KaptureRefusedError(
        f"Kapture answered {answer.status}, a redirect to {redacted(target, account)}: credentials go to "
        f"{account.host} alone, so it is not followed; set the connection's host to the account's own",
        status=answer.status,
        path=orders.PATH,
    )


def _refused(status: int, message: str, account: Account) -> KaptureRefusedError:
    excerpt = redacted(message, account)
    if "at least" in message.lower() or "atleast" in message.lower():
        hint = "the account does not take a window alone as a filter: put one it accepts in `default_body`"
    else:
        hint = _HINTS.get(status, _HINTS[400])
    said = f'"{excerpt}"' if excerpt else "without a message"
    answered = f"Kapture refused the request with {status}" if status != _OK else "Kapture failed the request"
    more = (
        "; where this message means that there are no orders, put it in `empty_messages`"
        if status == _OK and excerpt
        else ""
    )
    return KaptureRefusedError(f"{answered} ({said}): {hint}{more}", status=status, path=orders.PATH, excerpt=excerpt)


def _is_auth_failure(message: str) -> bool:
    return "invalid auth key" in message.lower()


def _auth_error(status: int) -> KaptureAuthError:
    return KaptureAuthError(
        f'Kapture does not accept the credentials (HTTP {status}, "Invalid Auth Key" in its words): '
        "check the connection's login and password",
        status=status,
        path=orders.PATH,
    )


def _vendor_message(body: bytes) -> str:
    try:
        return _text(_ENVELOPES.decode(body), "message", "Message")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""


_EXCERPT = 120
_PERSONAL = re.compile(r"[^\s@<>\"']+@[^\s@<>\"']+|\+?\d[\d\s().-]{5,}\d")


def redacted(text: str, account: Account) -> str:
    """A vendor's words as a message may show them: short, on one line, no credentials, no addresses, no numbers."""
    for secret in (basic_token(account), account.password, account.login):
        text = text.replace(secret, "***")
    text = _PERSONAL.sub("***", " ".join(text.split()))
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
