"""The first contact: a few orders of any date, requested until credentials, method and body are accepted. Pure.

Dates are left out here, so that their format cannot be in the way; they are found in day_search.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from airflow_provider_kapture.client.api.request import CONTROL_LIMIT
from airflow_provider_kapture.client.config.settings import Dialect
from airflow_provider_kapture.client.days import DayRange
from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.client.words import masked
from airflow_provider_kapture.doctor.examination import Examination, Steps, StoppedError, days
from airflow_provider_kapture.doctor.failures import connection_findings, failure_finding
from airflow_provider_kapture.doctor.findings import Finding
from airflow_provider_kapture.doctor.format_proof import has_words_of_nothing
from airflow_provider_kapture.doctor.probe import ProbeResult, Problem, account_for

# How far a request got: of two responses without a page, the one that got further is the better.
_REACHED = MappingProxyType(
    {
        Problem.TRANSPORT: 0,
        Problem.ELSEWHERE: 0,
        Problem.BUSY: 0,
        Problem.DOOR: 1,
        Problem.METHOD: 1,
        Problem.CREDENTIALS: 2,
        Problem.SHAPE: 3,
        Problem.REFUSED: 3,
    }
)
_FORMS = ("basic", "token", "key")


@dataclass
class Handshake:
    """The first contact.

    :ivar result: the latest response
    :ivar forms: the forms in which the credentials were sent, in that order
    """

    exam: Examination
    result: ProbeResult = field(default_factory=ProbeResult)
    forms: dict[str, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.forms = {self.exam.account.credentials.auth: None}

    def run(self) -> Steps[ProbeResult]:
        """Find a way to request orders that is not refused, and return the response to orders of any date.

        :raises StoppedError: credentials, method or host are refused
        """
        exam = self.exam
        control = self.result = yield from exam.ask(None, limit=CONTROL_LIMIT)
        asked = None
        if control.is_timeout:
            asked = DayRange(exam.today - days(1), exam.today - days(1))
            self.result = yield from exam.ask(asked, limit=CONTROL_LIMIT)
        exam.findings += connection_findings(exam.account, self.result)
        refused = {self.result.message} if self.result.message else set()
        tried = {_key(exam.dialect), *self._same_tokens(exam.dialect)}
        while (candidate := next((each for each in self._candidates() if _key(each) not in tried), None)) is not None:
            tried |= {_key(candidate), *self._same_tokens(candidate)}
            self.forms |= {candidate.auth: None} if candidate.auth else {}
            other = yield from exam.ask(asked, limit=CONTROL_LIMIT, dialect=candidate, is_tentative=True)
            if _is_further(other, self.result) and (other.is_answered or other.message not in refused):
                refused.add(other.message)
                exam.dialect = replace(candidate, rows_at=exam.dialect.rows_at)
                self.result = other
        self._note()
        is_shut_out = self.result.problem in (Problem.CREDENTIALS, Problem.DOOR, Problem.BUSY, Problem.METHOD)
        # Some may be about the missing dates.
        if is_shut_out and self.result.status not in (404, 500, 501):
            raise StoppedError(self._shut_out(failure_finding(self.result)))
        return control if control.is_timeout else self.result

    def _candidates(self) -> Iterator[Dialect]:
        """Yield other ways to request the same, the likeliest first."""
        dialect, problem = self.exam.dialect, self.result.problem
        if problem is Problem.CREDENTIALS:
            yield from self._other_forms(dialect)
        elif problem is Problem.DOOR or (problem is Problem.SHAPE and self.result.body == ""):
            yield _other_method(dialect)
            yield from self._other_forms(dialect)
            yield from self._other_forms(_other_method(dialect))
        elif problem is Problem.METHOD:
            yield _other_method(dialect)
            if self.result.status == 400:
                yield from self._other_bodies(dialect)
        elif problem is Problem.REFUSED:
            yield from self._other_bodies(dialect)

    def _other_forms(self, dialect: Dialect) -> Iterator[Dialect]:
        for form in _FORMS:
            if form != self.exam.account.credentials.auth and self._token(replace(dialect, auth=form)):
                yield replace(dialect, auth=form)

    def _other_bodies(self, dialect: Dialect) -> Iterator[Dialect]:
        words = self.result.message.casefold()
        if not words and has_words_of_nothing(self.result):
            return
        other = "list" if dialect.body_format == "object" else "object"
        body = dialect.default_body
        if "json" in words or not words:
            yield replace(dialect, body_format=other)
        if "cmid" in words and "cm_id" not in body:
            yield replace(dialect, default_body=MappingProxyType({**body, "cm_id": dialect.cm_id}))
        if body.get("viewId", "2") is not None and ("view" in words or "unknown" in words or not words):
            yield replace(dialect, default_body=MappingProxyType({**body, "viewId": None}))
        missing = {name: value for name, value in body.items() if value is not None}
        if len(missing) < len(body) and body == self.exam.account.dialect.default_body:
            yield replace(dialect, default_body=MappingProxyType(missing))

    def _token(self, dialect: Dialect) -> str:
        """Return the token that is sent; nothing where the credentials cannot be sent in that form."""
        try:
            return account_for(self.exam.account, dialect).credentials.token
        except KaptureSettingsError:
            return ""

    def _same_tokens(self, dialect: Dialect) -> Iterator[object]:
        """Yield the keys of dialects that send the same request, with credentials of another name."""
        token = self._token(dialect)
        for form in _FORMS:
            other = replace(dialect, auth=form)
            if self._token(other) == token:
                yield _key(other)

    # -- findings --

    def _note(self) -> None:
        exam, problem = self.exam, self.result.problem
        if problem in (Problem.CREDENTIALS, Problem.DOOR):
            return
        if problem not in (Problem.METHOD, Problem.BUSY):
            exam.findings.append(self._credentials_finding())
            method = exam.dialect.http_method
            exam.note("method", method, f"a request by {method} was answered", settings={"http_method": method})
            exam.findings.append(self._body_finding())

    def _shut_out(self, finding: Finding) -> Finding:
        """Return the finding that ends the examination, with the credentials that were sent."""
        if finding.question != "credentials":
            return finding
        held = self.exam.account.credentials
        fields = " and ".join(name for name in ("login", "password") if getattr(held, name))
        return replace(finding, evidence=f"the {fields}, sent as {' and as '.join(self.forms)}: {finding.evidence}")

    def _credentials_finding(self) -> Finding:
        exam = self.exam
        form = account_for(exam.account, exam.dialect).credentials.auth
        if exam.dialect.auth == exam.account.dialect.auth:
            return Finding("credentials", "accepted", f"sent as {form}; cm_id {exam.dialect.cm_id} is permitted")
        before = exam.account.credentials.auth
        return Finding(
            "credentials", f"accepted as {form}", f"refused as {before}, taken as {form}", settings={"auth": form}
        )

    def _body_finding(self) -> Finding:
        had, now = self.exam.account.dialect, self.exam.dialect
        if now.body_format == had.body_format and now.default_body == had.default_body:
            return Finding("body", now.body_format, "accepted, with every key of the vendor's example")
        changed = [f"as a {now.body_format}"] if now.body_format != had.body_format else []
        keys = (now.default_body.items() - had.default_body.items()) if now.default_body != had.default_body else ()
        changed += [f"without `{name}`" if value is None else f"with `{name}`" for name, value in keys]
        return Finding(
            "body",
            ", ".join(changed) or "with fewer keys left out",
            "refused as the connection has it, and taken so",
            settings={"body_format": now.body_format, "default_body": dict(now.default_body)},
        )


def _key(dialect: Dialect) -> object:
    body = tuple(sorted((name, str(value)) for name, value in dialect.default_body.items()))
    return dialect.http_method, dialect.auth, dialect.body_format, body


def _other_method(dialect: Dialect) -> Dialect:
    return replace(dialect, http_method="GET" if dialect.http_method == "POST" else "POST")


def _is_further(other: ProbeResult, result: ProbeResult) -> bool:
    """Return whether a response got further than the one before it."""
    if other.problem is None or result.problem is None:
        return other.problem is None
    if _REACHED[other.problem] != _REACHED[result.problem]:
        return _REACHED[other.problem] > _REACHED[result.problem]
    is_unreadable = "json" in other.message.casefold() and "json" not in result.message.casefold()
    if result.problem is not Problem.REFUSED or is_unreadable:
        return False
    return other.problem is Problem.SHAPE or masked(other.message) != masked(result.message)
