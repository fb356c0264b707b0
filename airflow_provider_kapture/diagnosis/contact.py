"""The first contact: a day long ago, asked for until Kapture answers instead of refusing. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TypeVar

from airflow_provider_kapture.client import errors, orders
from airflow_provider_kapture.client.account import Dialect
from airflow_provider_kapture.client.date_format import written_date
from airflow_provider_kapture.diagnosis.conclude import Finding
from airflow_provider_kapture.diagnosis.sight import Probe, Sight

_T = TypeVar("_T")
Steps = Generator[Probe, Sight, _T]

# Before there were any orders; day and month can't be taken for each other.
LONG_AGO = dt.date(2001, 1, 25)
_FORMATS = (
    "%Y-%m-%d",
    "%d-%m-%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%Y/%m/%d",
    "%d-%b-%Y",
    "%m-%d-%Y",
    "%Y%m%d",
    "%Y-%m-%d %H:%M:%S",
)
# A filter that leaves nothing out: not assigned to someone whom there can't be.
_NEUTRAL_FILTER = MappingProxyType({"notAssignToIdsStr": "-1"})


class StoppedError(Exception):
    """The examination can't go on.

    :ivar finding: why not
    """

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.evidence)
        self.finding = finding


@dataclass
class Talk:
    """What was learnt of how to ask.

    :ivar dialect: how to ask
    :ivar is_https: whether it is asked over TLS
    :ivar findings: what was found out
    :ivar left: how many requests may still be made
    :ivar empty: the answer to a day without orders
    """

    dialect: Dialect
    is_https: bool = True
    findings: list[Finding] = field(default_factory=list)
    left: int = 1
    empty: Sight | None = None

    def ask(
        self, first: dt.date, last: dt.date, *, offset: int = 0, limit: int | None = None, date_format: str = ""
    ) -> Steps[Sight]:
        """Ask; a refusal is an answer, anything worse ends the examination.

        :raises StoppedError: no requests are left, or what came was neither answer nor refusal
        """
        if self.left < 1:
            raise StoppedError(Finding("pace", "not known", "there were too many failures", is_good=False))
        dialect = replace(self.dialect, date_format=date_format) if date_format else self.dialect
        sight = yield Probe(dialect, first, last, offset, limit)
        self.left = sight.left
        if self.empty is not None and sight.refuses_like(self.empty):
            return replace(sight, error=None)
        if not sight.is_answered and (sight.status is None or 300 <= sight.status < 400):
            self.findings += _reached(sight, self)
            raise StoppedError(_failure(sight))
        return sight

    def first_contact(self) -> Steps[None]:
        """Find a way of asking that is not refused.

        :raises StoppedError: there is none
        """
        sight = yield from self.ask(LONG_AGO, LONG_AGO, limit=1)
        remedies = (self._method, self._filter, self._emptiness, self._formats, self._filter, self._emptiness)
        for remedy in remedies:
            if not sight.is_answered:
                sight = yield from remedy(sight)
        self.findings += _reached(sight, self)
        if not sight.is_answered:
            raise StoppedError(_failure(sight))
        self._conclude(sight)

    def _method(self, sight: Sight) -> Steps[Sight]:
        if sight.status not in {404, 405}:
            return sight
        had = self.dialect
        self.dialect = replace(had, http_method="GET" if had.http_method == "POST" else "POST")
        other = yield from self.ask(LONG_AGO, LONG_AGO, limit=1)
        if other.status in {404, 405}:
            self.dialect = had
            return sight
        return other

    def _filter(self, sight: Sight) -> Steps[Sight]:
        if not sight.wants_filter:
            return sight
        self.dialect = replace(
            self.dialect, default_body=MappingProxyType({**self.dialect.default_body, **_NEUTRAL_FILTER})
        )
        return (yield from self.ask(LONG_AGO, LONG_AGO, limit=1))

    def _emptiness(self, sight: Sight) -> Steps[Sight]:
        """Tell a failure that means "no orders" from one that means the request: a date in no format gets another."""
        if sight.status != 200 or sight.wants_filter:
            return sight
        control = yield from self.ask(LONG_AGO, LONG_AGO, limit=1, date_format="?%Y?%m?%d?")
        if control.refuses_like(sight):
            return sight
        self.empty = sight
        return replace(sight, error=None)

    def _formats(self, refused: Sight) -> Steps[Sight]:
        if refused.wants_filter or refused.status not in {200, 400}:
            return refused
        for each in _FORMATS:
            if each == self.dialect.date_format:
                continue
            sight = yield from self.ask(LONG_AGO, LONG_AGO, limit=1, date_format=each)
            is_other = sight.status == 200 and not sight.refuses_like(refused)
            if sight.is_answered or sight.wants_filter or is_other:
                self.dialect = replace(self.dialect, date_format=each)
                return sight
        return refused

    def _conclude(self, sight: Sight) -> None:
        dialect = self.dialect
        found = self.findings
        found.append(
            Finding(
                "method",
                dialect.http_method,
                f"a request by {dialect.http_method} was answered",
                settings={"http_method": dialect.http_method},
            )
        )
        found.append(_filter_finding(dialect))
        found.append(
            Finding(
                "date format",
                dialect.date_format,
                f"{written_date(LONG_AGO, dialect.date_format)!r} was taken for a date",
                settings={"date_format": dialect.date_format},
            )
        )
        found.append(_empty_finding(sight, self.empty, dialect))


def _reached(sight: Sight, talk: Talk) -> list[Finding]:
    """What any answer shows, and what its absence does."""
    failed = sight.error.reason if isinstance(sight.error, errors.KaptureTransportError) else ""
    if failed in {"name", "resolver"}:
        return []
    found = [Finding("name", "resolved", "the host's name has an address")]
    if failed in {"", "tls"} and sight.status not in range(300, 400):
        found.append(Finding("connection", "reached", "the host answered"))
    if not failed:
        found.append(_tls_finding(talk))
    is_let_in = sight.error is None or sight.status in {200, 400} or sight.is_null
    if is_let_in:
        found.append(Finding("credentials", "accepted", "login, password and cm_id got past the door"))
    return found


def _tls_finding(talk: Talk) -> Finding:
    if not talk.is_https:
        return Finding("TLS", "not used", "the connection's host says http://, which only a loopback address may")
    if talk.dialect.verify is False:
        return Finding("TLS", "not verified", "`verify` is false: whose certificate it is was not looked at")
    return Finding("TLS", "trusted", "the certificate is the host's, and one that `verify` trusts")


_FAILED = MappingProxyType(
    {"name": ("name", "not resolved"), "resolver": ("name", "not resolved"), "tls": ("TLS", "failed")}
)


def _failure(sight: Sight) -> Finding:
    error = sight.error
    assert error is not None
    if isinstance(error, errors.KaptureTransportError):
        question, answer = _FAILED.get(error.reason, ("connection", error.reason))
    elif isinstance(error, errors.KaptureAuthError):
        question, answer = "credentials", "refused"
    elif isinstance(error, errors.KaptureForbiddenError):
        question, answer = "credentials", "forbidden"
    elif isinstance(error, errors.KaptureBusyError):
        question, answer = "connection", "busy"
    elif isinstance(error, errors.KaptureShapeError):
        question, answer = "envelope", "not known"
    elif sight.status in range(300, 400):
        question, answer = "connection", "redirected"
    elif sight.status in {404, 405}:
        question, answer = "method", "refused" if sight.status == 405 else "not found"
    elif sight.wants_filter:
        question, answer = "filter", "not known"
    else:
        question, answer = "date format", "not known"
    return Finding(question, answer, str(error), is_good=False)


def _filter_finding(dialect: Dialect) -> Finding:
    body = dict(dialect.default_body)
    if _NEUTRAL_FILTER.items() <= body.items():
        name, value = next(iter(_NEUTRAL_FILTER.items()))
        return Finding(
            "filter",
            "a window alone is refused",
            f'with {name} "{value}", which by its name leaves no order out, a window is answered; compare one day\'s '
            "count with what Kapture itself shows",
            settings={"default_body": body},
        )
    others = sorted((body.keys() & set(orders.FILTERS)) - {"viewId", "sortParam"})
    if others:
        return Finding(
            "filter", "with `default_body`", f"`default_body` holds {', '.join(others)}: not asked without", settings={}
        )
    return Finding("filter", "a window alone suffices", "a request with no other filter was answered")


def _empty_finding(sight: Sight, empty: Sight | None, dialect: Dialect) -> Finding:
    asked = f"asked for {LONG_AGO}, Kapture answered "
    if empty is not None:
        excerpt = empty.error.excerpt if isinstance(empty.error, errors.KaptureAnswerError) else ""
        if excerpt != empty.message or not excerpt:
            return Finding(
                "empty day",
                "a failure",
                f'{asked}a failure, "{excerpt}", whose words change: it can\'t stand in `empty_messages`',
                is_good=False,
            )
        messages = tuple(dict.fromkeys((*dialect.empty_messages, excerpt)))
        return Finding(
            "empty day", "a message", f'{asked}a failure, "{excerpt}"', settings={"empty_messages": messages}
        )
    if sight.is_null:
        return Finding(
            "empty day",
            "null",
            f"{asked}a success without a list and without a message that could stand in `empty_messages`: a day "
            "without orders can't be told from a fault, and its pull fails",
            is_good=False,
        )
    if sight.keys:
        return Finding("empty day", "not known", f"{asked}with orders: no empty day was seen")
    return Finding("empty day", "an empty list" if not sight.message else "as `empty_messages` say", f"{asked}so")
