"""The proof of a date format and a filter: orders of the day that was asked for, and none of a day long ago. Pure.

Which formats are tried, and on which days, is in day_search.py and recent_days.py.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace

from airflow_provider_kapture.client import orders
from airflow_provider_kapture.client.config.date_format import written_date
from airflow_provider_kapture.client.config.settings import Dialect
from airflow_provider_kapture.client.days import DayRange
from airflow_provider_kapture.client.words import masked
from airflow_provider_kapture.doctor.examination import (
    LONG_AGO,
    SMALL_LIMIT,
    Examination,
    Steps,
    StoppedError,
    days,
    instants_of,
    is_of,
)
from airflow_provider_kapture.doctor.findings import Finding
from airflow_provider_kapture.doctor.probe import ProbeResult

_DATES = ("%Y-%m-%d", "%d-%m-%Y", "%m/%d/%Y", "%d/%m/%Y", "%m-%d-%Y", "%d-%b-%Y")
_TIMES = ("%H:%M:%S", "%H:%M")
# The likeliest first; of those with a time of day, a lenient account would take one for its date alone.
FORMATS = (
    *_DATES,
    *(f"{_DATES[0]} {time}" for time in _TIMES),
    "%Y-%m-%dT%H:%M:%S",
    "%Y/%m/%d",
    "%Y%m%d",
    *(f"{date} {time}" for date in _DATES[1:] for time in _TIMES),
)
_MIN_PLAUSIBLE_MS = 100_000_000_000
# Words that say that nothing was found, and not that a date was not read.
_OF_NOTHING = re.compile(r"\b(no|not found|nothing|none|empty|zero)\b", re.IGNORECASE)


@dataclass
class FormatProof:
    """The formats that were tried, and what they showed.

    :ivar is_ignored: whether dates were ignored in some format
    :ivar ignored: the formats in which they were
    """

    exam: Examination
    is_ignored: bool = False
    ignored: set[str] = field(default_factory=set)

    def takes(self, dialect: Dialect, asked: DayRange, result: ProbeResult) -> Steps[bool]:
        """Return whether these orders prove the dialect, which is then settled."""
        exam = self.exam
        check_orders(result)
        if not result.keys:
            return False
        if not is_of(result, asked, exam.zone):
            return False
        if not (yield from self.reads_dates(dialect)):
            return False
        if not (yield from self._is_unambiguous(dialect, asked)):
            return False
        yield from self._settle(dialect, asked)
        return True

    def reads_dates(self, dialect: Dialect) -> Steps[bool]:
        """Return whether a day long ago shows no orders: where dates are ignored, it does."""
        far = yield from self.exam.ask(
            DayRange(LONG_AGO, LONG_AGO), limit=SMALL_LIMIT, dialect=dialect, is_tentative=True
        )
        if far.keys:
            self.is_ignored = True
            self.ignored.add(dialect.date_format)
            return False
        self.exam.long_ago = far
        return True

    def _is_unambiguous(self, dialect: Dialect, asked: DayRange) -> Steps[bool]:
        """Return whether the orders are not those of a day whose day and month were exchanged."""
        day = asked.first
        is_ambiguous = "%b" not in dialect.date_format and not dialect.date_format.startswith("%Y")
        if not is_ambiguous or day.day != day.month or asked.count > 1:
            return True
        for near in (day + days(1), day - days(1)):
            other = DayRange(near, near)
            result = yield from self.exam.ask(other, limit=SMALL_LIMIT, dialect=dialect, is_tentative=True)
            if result.keys:
                return is_of(result, other, self.exam.zone)
        return False

    def _settle(self, dialect: Dialect, asked: DayRange) -> Steps[None]:
        """Take the dialect; without the neutral filter, if a window alone is answered with orders too."""
        exam = self.exam
        had = replace(dialect, default_body=exam.dialect.default_body)
        exam.dialect = replace(dialect, rows_at=exam.dialect.rows_at)
        name = orders.NEUTRAL_FILTER[0]
        if dialect.default_body.get(name) == had.default_body.get(name):
            exam.findings.append(self._filter_finding(is_needed=False))
        else:
            result = yield from exam.ask(asked, limit=SMALL_LIMIT, dialect=had, is_tentative=True)
            is_needed = not is_of(result, asked, exam.zone)
            if not is_needed:
                exam.dialect = replace(had, rows_at=exam.dialect.rows_at)
            exam.findings.append(self._filter_finding(is_needed=is_needed))
        date_format = exam.dialect.date_format
        written = written_date(asked.first, date_format)
        exam.note(
            "date format",
            date_format,
            f"asked for {written!r}, orders of that day came, and none for {written_date(LONG_AGO, date_format)!r}",
            settings={"date_format": date_format},
        )

    def _filter_finding(self, *, is_needed: bool) -> Finding:
        body = dict(self.exam.dialect.default_body)
        name, value = orders.NEUTRAL_FILTER
        if is_needed:
            return Finding(
                "filter",
                "a window alone is refused",
                f'with {name} "{value}", which leaves no order out, orders came; without it none. Compare a '
                "day's count with Kapture's own",
                settings={"default_body": body},
            )
        others = sorted((body.keys() & set(orders.FILTERS)) - {"viewId", "sortParam"})
        if others:
            return Finding("filter", "with `default_body`", f"`default_body` holds {', '.join(others)}: asked with it")
        return Finding("filter", "a window alone suffices", "a request with no other filter was answered with orders")


def check_orders(result: ProbeResult) -> None:
    """Stop where orders cannot be placed in time, or told apart.

    :raises StoppedError: that is so
    """
    if result.instant_error:
        raise StoppedError(Finding("orders", "no createDate", result.instant_error, is_good=False))
    if result.keys and max(instants_of(result)) < _MIN_PLAUSIBLE_MS:
        evidence = "`createDate` is a number of seconds, not epoch milliseconds; ask Kapture for milliseconds"
        raise StoppedError(Finding("orders", "no createDate", evidence, is_good=False))
    if result.has_lines:
        evidence = "two rows of one response have the same `id` and differ: the account lists lines, not orders"
        raise StoppedError(Finding("orders", "lines", evidence, is_good=False))


def is_same_refusal(one: ProbeResult, other: ProbeResult) -> bool:
    """Return whether two refusals say the same, but for digits."""
    is_refused = one.error is not None and other.error is not None
    return is_refused and (one.status, masked(one.message)) == (other.status, masked(other.message))


def may_be_nothing_found(result: ProbeResult) -> bool:
    """Return whether a response may say that nothing was found: in words, or without any."""
    return not result.message or bool(_OF_NOTHING.search(result.message))


def has_words_of_nothing(result: ProbeResult) -> bool:
    """Return whether a text anywhere in a response says that nothing was found."""
    return bool(_OF_NOTHING.search(json.dumps(result.body)))
