"""What dates mean: the end date, the time zone, and the widest range. Their format is found in day_search.py. Pure."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from airflow_provider_kapture.client.api.keys import OrderKey
from airflow_provider_kapture.client.days import DayRange
from airflow_provider_kapture.doctor.examination import (
    Examination,
    Steps,
    StoppedError,
    days,
    instants_of,
    is_of,
)
from airflow_provider_kapture.doctor.findings import Finding
from airflow_provider_kapture.doctor.probe import ProbeResult
from airflow_provider_kapture.doctor.time_zones import Day, fitting_zones, zone_finding

# The widest range of dates that is tried, as it is sent.
_MAX_RANGE_DAYS = 32
_MAX_DAYS = 10
# Orders within one second may be those of a range that ends at its first midnight.
_SECOND_MS = 1000
_UNBOUNDED = 1 << 62
_DAY_MS = 86_400_000
# Requests for the end of one day's listing.
_MAX_JUMPS = 14
# Requests kept back from the search for a single time zone.
_RESERVED_REQUESTS = 3


@dataclass
class DateReading:
    """The examination of what dates mean.

    :ivar pages: the first page of each day, as a pull requests days
    """

    exam: Examination
    pages: dict[dt.date, ProbeResult] = field(default_factory=dict)
    _singles: dict[dt.date, ProbeResult] = field(default_factory=dict)
    _is_between: bool = False

    # -- the end date --

    def find_end_date(self, date: dt.date) -> Steps[None]:
        """Find out whether the end date's orders are in the response; whichever the zone, a day beside it has some.

        :raises StoppedError: the orders that were found are gone
        """
        exam = self.exam
        exam.topic = "end date"
        for each in (date, date - days(1), date + days(1)):
            result = yield from self._single(each)
            if _is_spread(result):
                evidence = f"a request from {each} to {each} was answered with orders of that day"
                exam.note("end date", "inclusive", evidence, settings={"end_date": "inclusive"})
                self.pages = dict(self._singles)
                return
        known = {key for each in self._singles.values() for key in each.keys}
        exam.extra_days = 1
        for each in (date, date - days(1)):
            wide = yield from exam.ask_day(each)
            self.pages[each] = wide
            if any(key not in known for key in wide.keys):
                self._note_exclusive(date)
                return
        exam.extra_days = 0
        if not known:
            raise StoppedError(
                Finding("end date", "not known", f"the orders found near {date} are gone again", is_good=False)
            )
        self.pages = dict(self._singles)
        exam.note(
            "end date",
            exam.dialect.end_date,
            f"all orders near {date} are of the first second of a day, which either kind may show; a pull checks it",
        )

    def _note_exclusive(self, date: dt.date) -> None:
        self._is_between = any(each.keys for each in self._singles.values())
        some = "show only orders of its first second" if self._is_between else "are empty"
        self.exam.note(
            "end date",
            "exclusive",
            f"around {date}, requests that end on the day they start on {some}; others are not",
            settings={"end_date": "exclusive"},
        )

    def _single(self, date: dt.date) -> Steps[ProbeResult]:
        if date not in self._singles:
            self._singles[date] = yield from self.exam.ask(DayRange(date, date))
        return self._singles[date]

    def read_days_beside(self, date: dt.date) -> Steps[None]:
        """Request the day before and the day after too."""
        for each in (date - days(1), date, date + days(1)):
            if each not in self.pages:
                self.pages[each] = yield from self.exam.ask_day(each)

    # -- the time zone --

    def find_time_zone(self, page: int, *, has_offset: bool) -> Steps[None]:
        """Look at the edges of days until a single zone fits, or requests run short.

        :param page: the rows of a full page
        :param has_offset: whether ``offset`` counts rows
        """
        exam, configured = self.exam, self.exam.dialect.timezone
        exam.topic = "time zone"
        seen = {}
        for each in sorted(self.pages):
            if instants := (yield from self._instants(each)):
                seen[each] = instants
        cut = [each for each, result in self.pages.items() if len(result.keys) >= page > 1]
        fitting = fitting_zones([Day(*each) for each in seen.items()], configured)
        while len(fitting) > 1 and exam.left > _RESERVED_REQUESTS and len(self.pages) < _MAX_DAYS:
            if cut and has_offset and not self._is_between:
                date = cut.pop()
                seen[date] = (*seen.get(date, ()), *(yield from self._far_instants(date)))
            else:
                date = min(self.pages) - days(1)
                self.pages[date] = yield from exam.ask_day(date)
                if instants := (yield from self._instants(date)):
                    seen[date] = instants
                cut = [date] if len(self.pages[date].keys) >= page > 1 else []
            fitting = fitting_zones([Day(*each) for each in seen.items()], configured)
        exam.findings.append(zone_finding([Day(*each) for each in seen.items()], configured))

    def _instants(self, date: dt.date) -> Steps[tuple[int, ...]]:
        """Return the instants of a day's orders, without those of the next midnight that a range up to it shows."""
        result = self.pages[date]
        if not self._is_between or not result.keys:
            return instants_of(result)
        midnight: set[OrderKey] = set((yield from self._single(date + days(1))).keys)
        pairs = zip(result.keys, result.instants, strict=True)
        return tuple(instant for key, instant in pairs if instant is not None and key not in midnight)

    def _far_instants(self, date: dt.date) -> Steps[tuple[int, ...]]:
        """Return instants towards the end of a day's listing that may be longer than a page."""
        top = self.pages[date]
        page = len(top.keys)
        low, high, result = page - 1, _UNBOUNDED, top
        found = list(instants_of(top))
        for _ in range(_MAX_JUMPS):
            is_end = 0 < len(result.keys) < page or high - low <= page
            if is_end or self.exam.left <= _RESERVED_REQUESTS:
                break
            offset = (low + high) // 2 if high < _UNBOUNDED else low + _estimated_step(low, page, found)
            result = yield from self.exam.ask_day(date, offset=offset + self.exam.base)
            fresh = [each for each in instants_of(result) if result.keys[0] not in top.keys]
            found += fresh
            low, high = (offset, high) if fresh else (low, offset)
        return tuple(found)

    # -- the widest range --

    def find_widest_range(self, date: dt.date) -> Steps[None]:
        """Find out how many days one request may ask for, by ranges that hold a day with orders."""
        exam = self.exam
        exam.topic = "widest range"
        configured = exam.dialect.max_days_per_request
        top = max(_MAX_RANGE_DAYS - exam.extra_days, configured)
        low, high = 1, top + 1
        if (yield from self._is_accepted(date, top)):
            low = top
        while high - low > 1 and exam.left > 1:
            middle = (low + high) // 2
            if (yield from self._is_accepted(date, middle)):
                low = middle
            else:
                high = middle
        is_top = low >= top or high - low > 1
        width = low
        exam.note(
            "widest range",
            f"at least {width} days" if is_top else f"{width} day(s)",
            f"{width} day(s) in one request were answered with orders{'' if is_top else ', one more was not'}; a wider "
            "range than the connection's is not recommended",
            settings={"max_days_per_request": min(width, configured)},
        )

    def _is_accepted(self, date: dt.date, width: int) -> Steps[bool]:
        asked = self.exam.range_of(date - days(width - 1), date)
        result = yield from self.exam.ask(asked, limit=1, is_tentative=True)
        return is_of(result, asked, self.exam.zone)


def _is_spread(result: ProbeResult) -> bool:
    """Return whether orders were created more than a second apart: those of a midnight alone were not."""
    instants = instants_of(result)
    return bool(instants) and max(instants) - min(instants) >= _SECOND_MS


def _estimated_step(low: int, page: int, instants: list[int]) -> int:
    """Return the rows from ``low`` to near the end of the day, if the day goes on as it began."""
    seen = max(instants) - min(instants)
    to_come = (low * (_DAY_MS - seen)) // max(seen, 1) - page // 2
    return min(max(to_come, page // 2, 1), 16 * (low + page))
