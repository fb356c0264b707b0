"""The search for a day that has orders among the latest, where no order of any date was given. Pure."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

from airflow_provider_kapture.client.config.settings import Dialect
from airflow_provider_kapture.client.days import DayRange, from_ms
from airflow_provider_kapture.doctor.examination import (
    SMALL_LIMIT,
    Examination,
    Steps,
    days,
    instants_of,
)
from airflow_provider_kapture.doctor.format_proof import FORMATS, FormatProof, is_same_refusal, may_be_nothing_found
from airflow_provider_kapture.doctor.probe import ProbeResult

RECENT_DAYS = 31
# Requests kept back from the search, for what is asked about the orders found.
_RESERVED_REQUESTS = 24
# Widths of ranges that are tried where a wider one is refused.
_WIDTHS = (7, 2, 1)
# Ranges that are searched in the connection's format before other formats are tried.
_FEW_STEPS = 3
# Formats at the head of the list that are tried on a single day, too.
_FREQUENT_FORMATS = 5
_Found = tuple[dt.date, DayRange]


@dataclass
class RecentDays:
    """The search among the latest days."""

    exam: Examination
    proof: FormatProof

    def run(self, neutral: Dialect, wide: ProbeResult) -> Steps[_Found | None]:
        """Return a day that has orders, and the range of dates that showed them; none if there is none.

        :param neutral: the dialect to start from, with a filter that leaves no order out
        :param wide: its response to the latest :data:`RECENT_DAYS` days, which holds no orders
        """
        width, found = yield from self._width(neutral, wide)
        narrow = width if width < RECENT_DAYS else 1
        if found is None:
            found = yield from self._go_back(neutral, narrow, 1, _FEW_STEPS)
        if found is None:
            found = yield from self._other_formats(neutral, width, wide)
        if found is None:
            found = yield from self._go_back(neutral, narrow, 1 + _FEW_STEPS, RECENT_DAYS)
        return found

    def _width(self, dialect: Dialect, wide: ProbeResult) -> Steps[tuple[int, _Found | None]]:
        """Return the widest range that is read, and a day that has orders if one was found meanwhile."""
        if wide.is_answered or may_be_nothing_found(wide):
            return RECENT_DAYS, None
        for width in _WIDTHS:
            asked = self.latest(width)
            result = yield from self.exam.ask(asked, limit=SMALL_LIMIT, dialect=dialect, is_tentative=True)
            if (yield from self.proof.takes(dialect, asked, result)):
                return width, (self.day_of(result), asked)
            if result.is_answered or not is_same_refusal(result, wide):
                return width, None
        return RECENT_DAYS, None

    def _other_formats(self, neutral: Dialect, width: int, wide: ProbeResult) -> Steps[_Found | None]:
        exam, asked = self.exam, self.latest(width)
        others = [each for each in FORMATS if each != neutral.date_format]
        for number, date_format in enumerate(others):
            if exam.left <= _RESERVED_REQUESTS:
                break
            chosen = replace(neutral, date_format=date_format)
            result = yield from exam.ask(asked, limit=SMALL_LIMIT, dialect=chosen, is_tentative=True)
            if (yield from self.proof.takes(chosen, asked, result)):
                return self.day_of(result), asked
            if width < RECENT_DAYS:
                continue
            found = None
            if result.error is not None and not is_same_refusal(result, wide) and not may_be_nothing_found(result):
                # The format may be read, and the range too wide.
                narrow, found = yield from self._width(chosen, result)
                if found is None and narrow < RECENT_DAYS:
                    found = yield from self._go_back(chosen, narrow, 1, RECENT_DAYS)
            elif number < _FREQUENT_FORMATS and may_be_nothing_found(result):
                # Ranges may be too wide without a word.
                found = yield from self._go_back(chosen, 1, 1, 1)
            if found is not None:
                return found
        return None

    def _go_back(self, dialect: Dialect, width: int, start: int, count: int) -> Steps[_Found | None]:
        """Look for orders in the latest days, as far back as requests allow.

        :param start: how many ranges to pass over
        :param count: how many ranges to request at most
        """
        exam = self.exam
        # One day of each range may be left out, where the end date is exclusive.
        step = max(width - 1, 1)
        for number in range(start, start + count):
            last = exam.today - days(number * step)
            if last <= exam.today - days(RECENT_DAYS) or exam.left <= _RESERVED_REQUESTS:
                break
            asked = DayRange(last - days(width - 1), last)
            result = yield from exam.ask(asked, limit=SMALL_LIMIT, dialect=dialect, is_tentative=True)
            if (yield from self.proof.takes(dialect, asked, result)):
                return self.day_of(result), asked
        return None

    def latest(self, width: int) -> DayRange:
        """Return the latest days; of single days yesterday, which is over."""
        today = self.exam.today
        return DayRange(today - days(width - 1), today) if width > 1 else DayRange(today - days(1), today - days(1))

    def day_of(self, result: ProbeResult) -> dt.date:
        """Return the day of an order, a past one if there is one."""
        dates = [from_ms(each, self.exam.zone).date() for each in instants_of(result)]
        return next((each for each in dates if each < self.exam.today), dates[0])
