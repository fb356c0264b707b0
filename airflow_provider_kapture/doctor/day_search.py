"""The search for a day that has orders, and for the format in which it is asked for. Pure.

What proves a format is in format_proof.py; the search among the latest days, where no day is known, in recent_days.py.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from airflow_provider_kapture.client.config.settings import Dialect
from airflow_provider_kapture.client.days import DayRange, from_ms
from airflow_provider_kapture.client.errors import KaptureOversizeError
from airflow_provider_kapture.doctor.examination import (
    LONG_AGO,
    SMALL_LIMIT,
    Examination,
    Steps,
    StoppedError,
    days,
    instants_of,
    is_of,
    with_neutral_filter,
)
from airflow_provider_kapture.doctor.failures import failure_finding
from airflow_provider_kapture.doctor.findings import Finding
from airflow_provider_kapture.doctor.format_proof import (
    FORMATS,
    FormatProof,
    check_orders,
    is_same_refusal,
    may_be_nothing_found,
)
from airflow_provider_kapture.doctor.probe import ProbeResult, Problem
from airflow_provider_kapture.doctor.recent_days import RECENT_DAYS, RecentDays

# Formats at the head of the list, whose every reading is tried before the others.
_FREQUENT_FORMATS = 5
# The hour at which the date is the same in most time zones from Kolkata's point of view.
_MIDDAY = 13
# Requests kept back from the search, for what is asked about the orders found.
_RESERVED_REQUESTS = 16
# Failures that are the same for requests with and without dates and filter: nothing is read of them.
_MAX_ALIKE = 2


@dataclass
class DaySearch:
    """The search for a day that has orders.

    :param control: the response to the request for orders of any date
    :param day: a day that has orders, as the user says
    :ivar first: the response in the connection's own format
    """

    exam: Examination
    control: ProbeResult
    day: dt.date | None
    first: ProbeResult | None = None
    _alike: int = 0
    _reference: ProbeResult = field(default_factory=ProbeResult)  # the latest response in the connection's format
    _is_read_otherwise: bool = False
    _unread: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.proof = FormatProof(self.exam)

    def run(self) -> Steps[tuple[dt.date, DayRange]]:
        """Return a day that has orders, and the range of dates that showed some.

        :raises StoppedError: none was found
        """
        self.exam.topic = "date format"
        known = self._known_day()
        # A day that reads alike with day and month exchanged proves little.
        dates = dict.fromkeys(each for each in (known, self.day) if each is not None)
        for date in sorted(dates, key=lambda each: each.day == each.month):
            found = yield from self._find_format(date)
            if found is not None:
                is_other = yield from self._has_orders(self.day, found.count)
                return (self.day or date) if is_other else date, found
        if known is None and self.day is None:
            recent = yield from self._find_recent_day()
            if recent is not None:
                return recent
        raise StoppedError(self._failure())

    def _known_day(self) -> dt.date | None:
        """Return a day of the control response's orders: a past one whose day and month can't be exchanged."""
        check_orders(self.control)
        zone, today = self.exam.zone, self.exam.today
        moments = [from_ms(each, zone) for each in instants_of(self.control)]
        ranked = sorted(
            moments,
            key=lambda each: (each.day == each.month, each.date() >= today, abs(each.hour - _MIDDAY)),
        )
        return ranked[0].date() if ranked else None

    def _has_orders(self, day: dt.date | None, count: int) -> Steps[bool]:
        if day is None:
            return False
        asked = DayRange(day, day + days(min(count, 2) - 1))
        result = yield from self.exam.ask(asked, limit=SMALL_LIMIT, is_tentative=True)
        return is_of(result, asked, self.exam.zone)

    # -- the format, by a day that has orders --

    def _find_format(self, date: dt.date) -> Steps[DayRange | None]:
        exam, proof = self.exam, self.proof
        for dialect, asked in self._trials(date):
            if exam.left <= _RESERVED_REQUESTS:
                break
            if asked.count > 1 and dialect.date_format in self._unread:
                continue
            if proof.is_ignored and (
                dialect.date_format in proof.ignored or not (yield from proof.reads_dates(dialect))
            ):
                continue
            result = yield from self._ask(asked, dialect)
            if (yield from proof.takes(dialect, asked, result)):
                return asked
        found: DayRange | None = yield from self._try_other_base(DayRange(date, date))
        return found

    def _ask(self, asked: DayRange, dialect: Dialect) -> Steps[ProbeResult]:
        """Make a request of the search, and compare it with those before it."""
        result = yield from self.exam.ask(asked, limit=SMALL_LIMIT, dialect=dialect, is_tentative=True)
        self.first = self.first or result
        self._check_faults(result)
        is_alike = is_same_refusal(result, self._reference)
        self._is_read_otherwise = self._reference.error is not None and not is_alike
        if dialect.date_format == self.exam.dialect.date_format:
            self._reference = result
        elif is_alike and not may_be_nothing_found(result):
            # Read no better than the connection's own format: a wider range would not be, either.
            self._unread.add(dialect.date_format)
        return result

    def _try_other_base(self, asked: DayRange) -> Steps[DayRange | None]:
        """Request the other first page once: an account may count pages from 1, and refuse 0."""
        exam, base = self.exam, self.exam.base
        if self.proof.is_ignored or exam.left <= _RESERVED_REQUESTS:
            return None
        exam.base = 1 - base
        result = yield from exam.ask(asked, limit=SMALL_LIMIT, is_tentative=True)
        if (yield from self.proof.takes(exam.dialect, asked, result)):
            return asked
        exam.base = base
        return None

    def _trials(self, date: dt.date) -> Iterator[tuple[Dialect, DayRange]]:
        """Yield the ways to ask for a day, the likeliest first."""
        dialect, one, two = self.exam.dialect, DayRange(date, date), DayRange(date, date + days(1))
        # In another time zone, the orders may be of a day beside it.
        three = DayRange(date - days(1), min(date + days(1), max(date, self.exam.today)))
        neutral = with_neutral_filter(dialect)
        yield dialect, one
        for asked in (one, two, three):
            yield neutral, asked
        others = [replace(neutral, date_format=each) for each in FORMATS if each != dialect.date_format]
        for group in (others[:_FREQUENT_FORMATS], others[_FREQUENT_FORMATS:]):
            for each in group:
                yield each, one
                if self._is_read_otherwise:
                    yield each, two
                    yield each, three
                    self._unread.add(each.date_format)
            for asked in (two, three):
                for each in group:
                    yield each, asked

    # -- a day, where none is known --

    def _find_recent_day(self) -> Steps[tuple[dt.date, DayRange] | None]:
        self.exam.topic = "orders"
        neutral = with_neutral_filter(self.exam.dialect)
        search = RecentDays(self.exam, self.proof)
        latest = search.latest(RECENT_DAYS)
        for dialect in (self.exam.dialect, neutral):
            result = yield from self._ask(latest, dialect)
            if (yield from self.proof.takes(dialect, latest, result)):
                return search.day_of(result), latest
        found: tuple[dt.date, DayRange] | None = yield from search.run(neutral, result)
        return found

    # -- nothing found --

    def _check_faults(self, result: ProbeResult) -> None:
        """Stop where every request fails alike, whatever it asks for."""
        is_fault = self.control.problem is Problem.METHOD and is_same_refusal(result, self.control)
        is_strange = self.control.problem is Problem.SHAPE and result.problem is Problem.SHAPE
        # A body without content may be how the account says that there are no orders.
        is_strange = is_strange and not result.claim and not _has_emptiness(result)
        self._alike += is_fault or (is_strange and self.control.body == result.body)
        is_final = result.problem is Problem.CREDENTIALS or isinstance(result.error, KaptureOversizeError)
        if is_final or self._alike >= _MAX_ALIKE:
            raise StoppedError(failure_finding(result))

    def _failure(self) -> Finding:
        exam, first = self.exam, self.first
        known = bool(self.control.keys)
        if self.proof.is_ignored:
            return Finding(
                "date format",
                "ignored",
                f"asked for {LONG_AGO}, orders of other days came, in {len(self.proof.ignored)} formats",
                is_good=False,
            )
        if known:
            said = f"; the first response: {first.error}" if first is not None and first.error is not None else ""
            return Finding(
                "date format",
                "not known",
                f"none of {len(FORMATS)} formats, with another filter and without, showed orders of a day that has "
                f"some; `--day` may name another{said}",
                is_good=False,
            )
        if first is not None and first.problem in (Problem.SHAPE, Problem.REFUSED) and self.control.problem is not None:
            exam.findings.append(failure_finding(first))
        asked = f"on {self.day}" if self.day else f"in the latest {RECENT_DAYS} days"
        return Finding(
            "orders",
            "none found",
            f"no format and no filter showed an order {asked}: name a day that has some with `--day YYYY-MM-DD`",
            is_good=False,
        )


def _has_emptiness(result: ProbeResult) -> bool:
    """Return whether nothing stands somewhere in a response's body."""
    text = json.dumps(result.body)
    return result.body is not None and any(each in text for each in ("[]", "{}", '""', "null"))
