"""The first contact: a day long ago, asked for until Kapture answers instead of refusing. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TypeVar

from airflow_provider_kapture.client import errors, orders
from airflow_provider_kapture.client.config.date_format import written_date
from airflow_provider_kapture.client.config.settings import Dialect
from airflow_provider_kapture.doctor.findings import Finding
from airflow_provider_kapture.doctor.probe import Probe, ProbeResult

_T = TypeVar("_T")
Steps = Generator[Probe, ProbeResult, _T]

# Before there were any orders; day and month can't be taken for each other.
EMPTY_DAY = dt.date(2001, 1, 25)
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
class Handshake:
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
    empty: ProbeResult | None = None

    def probe(
        self, first: dt.date, last: dt.date, *, offset: int = 0, limit: int | None = None, date_format: str = ""
    ) -> Steps[ProbeResult]:
        """Ask; a refusal is an answer, anything worse ends the examination.

        :raises StoppedError: no requests are left, or what came was neither answer nor refusal
        """
        if self.left < 1:
            raise StoppedError(Finding("pace", "not known", "there were too many failures", is_good=False))
        dialect = replace(self.dialect, date_format=date_format) if date_format else self.dialect
        result = yield Probe(dialect, first, last, offset, limit)
        self.left = result.left
        if self.empty is not None and result.refuses_like(self.empty):
            return replace(result, error=None)
        if not result.is_answered and (result.status is None or 300 <= result.status < 400):
            self.findings += _connection_findings(result, self)
            raise StoppedError(_failure_finding(result))
        return result

    def first_contact(self) -> Steps[None]:
        """Find a way of asking that is not refused.

        :raises StoppedError: there is none
        """
        result = yield from self.probe(EMPTY_DAY, EMPTY_DAY, limit=1)
        remedies = (self._method, self._filter, self._emptiness, self._formats, self._filter, self._emptiness)
        for remedy in remedies:
            if not result.is_answered:
                result = yield from remedy(result)
        self.findings += _connection_findings(result, self)
        if not result.is_answered:
            raise StoppedError(_failure_finding(result))
        self._conclude(result)

    def _method(self, result: ProbeResult) -> Steps[ProbeResult]:
        if result.status not in {404, 405}:
            return result
        original = self.dialect
        self.dialect = replace(original, http_method="GET" if original.http_method == "POST" else "POST")
        other = yield from self.probe(EMPTY_DAY, EMPTY_DAY, limit=1)
        if other.status in {404, 405}:
            self.dialect = original
            return result
        return other

    def _filter(self, result: ProbeResult) -> Steps[ProbeResult]:
        if not result.needs_filter:
            return result
        self.dialect = replace(
            self.dialect, default_body=MappingProxyType({**self.dialect.default_body, **_NEUTRAL_FILTER})
        )
        return (yield from self.probe(EMPTY_DAY, EMPTY_DAY, limit=1))

    def _emptiness(self, result: ProbeResult) -> Steps[ProbeResult]:
        """Tell a failure that means "no orders" from one that means the request: a date in no format gets another."""
        if result.status != 200 or result.needs_filter:
            return result
        control = yield from self.probe(EMPTY_DAY, EMPTY_DAY, limit=1, date_format="?%Y?%m?%d?")
        if control.refuses_like(result):
            return result
        self.empty = result
        return replace(result, error=None)

    def _formats(self, refused: ProbeResult) -> Steps[ProbeResult]:
        if refused.needs_filter or refused.status not in {200, 400}:
            return refused
        for each in _FORMATS:
            if each == self.dialect.date_format:
                continue
            result = yield from self.probe(EMPTY_DAY, EMPTY_DAY, limit=1, date_format=each)
            is_other = result.status == 200 and not result.refuses_like(refused)
            if result.is_answered or result.needs_filter or is_other:
                self.dialect = replace(self.dialect, date_format=each)
                return result
        return refused

    def _conclude(self, result: ProbeResult) -> None:
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
                f"{written_date(EMPTY_DAY, dialect.date_format)!r} was taken for a date",
                settings={"date_format": dialect.date_format},
            )
        )
        found.append(_empty_finding(result, self.empty, dialect))


def _connection_findings(result: ProbeResult, handshake: Handshake) -> list[Finding]:
    """What any answer shows, and what its absence does."""
    failed = result.error.reason if isinstance(result.error, errors.KaptureTransportError) else ""
    if failed in {"name", "resolver"}:
        return []
    found = [Finding("name", "resolved", "the host's name has an address")]
    if failed in {"", "tls"} and result.status not in range(300, 400):
        found.append(Finding("connection", "reached", "the host answered"))
    if not failed:
        found.append(_tls_finding(handshake))
    is_let_in = result.error is None or result.status in {200, 400} or result.is_null
    if is_let_in:
        found.append(Finding("credentials", "accepted", "login, password and cm_id got past the door"))
    return found


def _tls_finding(handshake: Handshake) -> Finding:
    if not handshake.is_https:
        return Finding("TLS", "not used", "the connection's host says http://, which only a loopback address may")
    if handshake.dialect.verify is False:
        return Finding("TLS", "not verified", "`verify` is false: whose certificate it is was not looked at")
    return Finding("TLS", "trusted", "the certificate is the host's, and one that `verify` trusts")


_TRANSPORT_FAILURES = MappingProxyType(
    {"name": ("name", "not resolved"), "resolver": ("name", "not resolved"), "tls": ("TLS", "failed")}
)


def _failure_finding(result: ProbeResult) -> Finding:
    error = result.error
    assert error is not None
    if isinstance(error, errors.KaptureTransportError):
        question, answer = _TRANSPORT_FAILURES.get(error.reason, ("connection", error.reason))
    elif isinstance(error, errors.KaptureAuthError):
        question, answer = "credentials", "refused"
    elif isinstance(error, errors.KaptureForbiddenError):
        question, answer = "credentials", "forbidden"
    elif isinstance(error, errors.KaptureBusyError):
        question, answer = "connection", "busy"
    elif isinstance(error, errors.KaptureShapeError):
        question, answer = "envelope", "not known"
    elif result.status in range(300, 400):
        question, answer = "connection", "redirected"
    elif result.status in {404, 405}:
        question, answer = "method", "refused" if result.status == 405 else "not found"
    elif result.needs_filter:
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


def _empty_finding(result: ProbeResult, empty: ProbeResult | None, dialect: Dialect) -> Finding:
    prefix = f"asked for {EMPTY_DAY}, Kapture answered "
    if empty is not None:
        excerpt = empty.error.excerpt if isinstance(empty.error, errors.KaptureAnswerError) else ""
        if excerpt != empty.message or not excerpt:
            return Finding(
                "empty day",
                "a failure",
                f'{prefix}a failure, "{excerpt}", whose words change: it can\'t stand in `empty_messages`',
                is_good=False,
            )
        messages = tuple(dict.fromkeys((*dialect.empty_messages, excerpt)))
        return Finding(
            "empty day", "a message", f'{prefix}a failure, "{excerpt}"', settings={"empty_messages": messages}
        )
    if result.is_null:
        return Finding(
            "empty day",
            "null",
            f"{prefix}a success without a list and without a message that could stand in `empty_messages`: a day "
            "without orders can't be told from a fault, and its pull fails",
            is_good=False,
        )
    if result.keys:
        return Finding("empty day", "not known", f"{prefix}with orders: no empty day was seen")
    return Finding("empty day", "an empty list" if not result.message else "as `empty_messages` say", f"{prefix}so")
