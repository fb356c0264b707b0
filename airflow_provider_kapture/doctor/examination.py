"""The state of an examination: the dialect so far, the findings, and how one more request is made. Pure.

A plan is a generator that yields :class:`Probe` and is sent :class:`ProbeResult`. What to ask is decided in the modules
that use this one: handshake, day_search, dates, listing, empties, control_day.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from airflow_provider_kapture.client import orders
from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.config.settings import Dialect
from airflow_provider_kapture.client.days import DayRange, day_end, day_start
from airflow_provider_kapture.doctor.failures import failure_finding
from airflow_provider_kapture.doctor.fields import FieldSurvey
from airflow_provider_kapture.doctor.findings import Finding
from airflow_provider_kapture.doctor.probe import Probe, ProbeResult, Problem

_T = TypeVar("_T")
Steps = Generator[Probe, ProbeResult, _T]

# The widest that two time zones differ.
_MAX_SHIFT = 26 * 60 * 60 * 1000
# Before there were any orders; day and month can't be taken for each other.
LONG_AGO = dt.date(2001, 1, 25)
SMALL_LIMIT = 10


class StoppedError(Exception):
    """The examination cannot go on.

    :ivar finding: why not
    :ivar result: the response that shows it, where there is one
    """

    def __init__(self, finding: Finding, result: ProbeResult | None = None) -> None:
        super().__init__(finding.evidence)
        self.finding = finding
        self.result = result


@dataclass
class Examination:
    """What is known so far.

    :ivar account: the connection as it is
    :ivar dialect: how requests are written by now
    :ivar today: the account's date
    :ivar findings: what was found out
    :ivar left: how many requests may still be made
    :ivar base: the offset of a first page
    :ivar extra_days: days to add to a day so that its orders are in the response
    :ivar long_ago: the response to the day :data:`LONG_AGO`, once it was asked for
    :ivar topic: what is being found out
    :ivar survey: the fields of the orders
    """

    account: Account
    dialect: Dialect
    today: dt.date
    findings: list[Finding] = field(default_factory=list)
    left: int = 1
    base: int = 0
    extra_days: int = 0
    long_ago: ProbeResult | None = None
    topic: str = "connection"
    survey: FieldSurvey = field(init=False)

    def __post_init__(self) -> None:
        self.survey = FieldSurvey.from_fields(self.dialect.fields)

    @property
    def zone(self) -> ZoneInfo:
        """Return the connection's time zone."""
        return self.account.zone

    def ask(
        self,
        days: DayRange | None,
        *,
        offset: int | None = None,
        limit: int | None = None,
        dialect: Dialect | None = None,
        is_tentative: bool = False,
    ) -> Steps[ProbeResult]:
        """Make one request; a refusal is a result.

        :param days: none for orders of any date, which may take an account too long
        :param offset: none for the first page
        :raises StoppedError: no requests are left, or no response came
        """
        if self.left < 1:
            raise StoppedError(
                Finding("pace", "not known", "the requests that may be made were used up", is_good=False)
            )
        offset = self.base if offset is None else offset
        result = yield Probe(dialect or self.dialect, days, offset, limit, self.topic, is_tentative)
        self.left = result.left
        self.survey.add(result.keys, result.raws)
        result = replace(result, raws=())
        if result.is_timeout and days is None:
            return result
        is_busy = result.problem is Problem.BUSY and not is_tentative
        if is_busy or result.problem in (Problem.TRANSPORT, Problem.ELSEWHERE):
            raise StoppedError(failure_finding(result), result)
        if result.rows_at is not None:
            self.dialect = replace(self.dialect, rows_at=result.rows_at)
        return result

    def ask_day(self, day: dt.date, *, offset: int | None = None, limit: int | None = None) -> Steps[ProbeResult]:
        """Request the orders of a day."""
        return (yield from self.ask(self.range_of(day), offset=offset, limit=limit))

    def range_of(self, first: dt.date, last: dt.date | None = None) -> DayRange:
        """Return the dates to send for these days."""
        return DayRange(first, (last or first) + days(self.extra_days))

    def note(
        self,
        question: str,
        answer: str,
        evidence: str,
        *,
        is_good: bool = True,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        """Add a finding."""
        self.findings.append(Finding(question, answer, evidence, is_good, settings or {}))


def days(number: int) -> dt.timedelta:
    """Return so many days."""
    return dt.timedelta(days=number)


def with_neutral_filter(dialect: Dialect) -> Dialect:
    """Return the dialect with a filter that leaves no order out."""
    name, value = orders.NEUTRAL_FILTER
    return replace(dialect, default_body=MappingProxyType({**dialect.default_body, name: value}))


def instants_of(result: ProbeResult) -> tuple[int, ...]:
    """Return the instants of a page's orders."""
    return tuple(each for each in result.instants if each is not None)


def is_of(result: ProbeResult, asked: DayRange, zone: ZoneInfo) -> bool:
    """Return whether a page has orders, all of them of the days that were asked for in some time zone."""
    low, high = day_start(asked.first, zone) - _MAX_SHIFT, day_end(asked.last, zone) + _MAX_SHIFT
    found = instants_of(result)
    return bool(found) and all(low <= each < high for each in found)
