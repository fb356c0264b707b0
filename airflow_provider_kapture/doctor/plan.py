"""Which question comes next: pure. A generator that yields requests, is sent what they showed, and returns findings."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from zoneinfo import ZoneInfo

from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.days import from_ms
from airflow_provider_kapture.doctor import findings
from airflow_provider_kapture.doctor.findings import Finding
from airflow_provider_kapture.doctor.handshake import EMPTY_DAY, Handshake, Steps, StoppedError
from airflow_provider_kapture.doctor.probe import ProbeResult
from airflow_provider_kapture.doctor.time_zones import Day, fitting_zones, zone_finding

# The widest range that is tried, and how many of the latest days are searched for orders.
_MAX_RANGE_DAYS = 31
_SEARCH_DAYS = 31
# Requests kept back from the search, for what is asked about the orders found.
_RESERVED_REQUESTS = 12
_SEARCH_LIMIT = 10
_MAX_DAYS = 10
# Requests for the end of one day's listing.
_MAX_JUMPS = 14
_UNBOUNDED = 1 << 62
_DAY_MS = 86_400_000


def plan_probes(account: Account, today: dt.date, day: dt.date | None) -> Steps[list[Finding]]:
    """Ask the account about itself.

    :param account: where it is, and the settings to start from
    :param today: the account's date
    :param day: a day that has orders; looked for where none is given
    """
    handshake = Handshake(account.dialect, account.origin.startswith("https:"))
    try:
        yield from _Plan(handshake).run(today, day)
    except StoppedError as stopped:
        handshake.findings.append(stopped.finding)
    return handshake.findings


class _Plan:
    def __init__(self, handshake: Handshake) -> None:
        self.handshake = handshake
        self.zone = ZoneInfo(handshake.dialect.timezone)
        self.reach = 0  # the most days that the end date may lie after the start date
        self.has_offset = False
        self.extra = 0  # days to add to a day so that it is part of the answer

    def run(self, today: dt.date, day: dt.date | None) -> Steps[None]:
        yield from self.handshake.first_contact()
        self.reach = yield from self._reach()
        date = yield from self._search(today, day)
        pages = yield from self._end_date(date)
        for each in (date - _days(1), date, date + _days(1)):
            if each not in pages:
                pages[each] = yield from self._page(each)
        subject = max(pages, key=lambda each: (len(pages[each].keys), each == date))
        if not pages[subject].keys:
            raise StoppedError(
                Finding("orders", "not known", f"the orders found near {date} are on none of its days", is_good=False)
            )
        self._note_orders(subject, pages[subject])
        yield from self._listing(subject, pages)

    # -- how wide --

    def _reach(self) -> Steps[int]:
        top = max(_MAX_RANGE_DAYS, self.handshake.dialect.max_days_per_request)
        if (yield from self._is_accepted(top)):
            return top
        if not (yield from self._is_accepted(1)):
            return 0
        low, high = 1, top
        while high - low > 1:
            middle = (low + high) // 2
            if (yield from self._is_accepted(middle)):
                low = middle
            else:
                high = middle
        return low

    def _is_accepted(self, reach: int) -> Steps[bool]:
        result = yield from self.handshake.probe(EMPTY_DAY, EMPTY_DAY + _days(reach), limit=1)
        return result.is_answered

    def _note_reach(self) -> None:
        width = self.reach + 1 - self.extra
        is_top = self.reach >= _MAX_RANGE_DAYS
        edge = "" if is_top else ", one more was refused"
        self.handshake.findings.append(
            Finding(
                "widest range",
                f"at least {width} days" if is_top else f"{width} day(s)",
                f"{width} day(s) in one request were answered{edge}; they were days without orders, so that a wider "
                "range than the connection's is not recommended by itself",
                settings={"max_days_per_request": min(width, self.handshake.dialect.max_days_per_request)},
            )
        )

    # -- where there are orders --

    def _search(self, today: dt.date, day: dt.date | None) -> Steps[dt.date]:
        """A date, by the configured zone, on which an order was created."""
        if self.handshake.left <= _RESERVED_REQUESTS:
            raise StoppedError(
                Finding("orders", "not known", "too many requests failed to go on looking for orders", is_good=False)
            )
        searched: list[dt.date] = []
        for first, last in self._spans(today, day):
            if self.handshake.left <= _RESERVED_REQUESTS:
                break
            result = yield from self.handshake.probe(first, last, limit=_SEARCH_LIMIT)
            searched += [first, last]
            if result.keys:
                instant = next((each for each in result.instants if each is not None), None)
                if instant is None:
                    raise StoppedError(_missing_create_date_finding())
                return day or from_ms(instant, self.zone).date()
        raise StoppedError(
            Finding(
                "orders",
                "none found",
                f"there are none from {min(searched)} to {max(searched)}: what only orders can show is not known; "
                "`--day` names a day that has some",
                is_good=False,
            )
        )

    def _spans(self, today: dt.date, day: dt.date | None) -> Iterator[tuple[dt.date, dt.date]]:
        if day is not None:
            yield day, day
            if self.reach:
                yield day, day + _days(1)
            return
        step = max(self.reach, 1)
        # The day after today too: the end date may be exclusive.
        last = today + _days(1) if self.reach else today
        while last > today - _days(_SEARCH_DAYS):
            yield last - _days(self.reach), last
            last -= _days(step)

    # -- the days --

    def _end_date(self, date: dt.date) -> Steps[dict[dt.date, ProbeResult]]:
        """Whether the end date is part of the answer: whichever the zone, the date or one beside it has orders."""
        pages: dict[dt.date, ProbeResult] = {}
        for each in (date, date - _days(1), date + _days(1)):
            pages[each] = yield from self._page(each)
            if pages[each].keys:
                evidence = f"a request from {each} to {each} was answered with orders"
                self._note_end_date("inclusive", evidence)
                return pages
        gone = Finding("end date", "not known", f"the orders found near {date} are gone again", is_good=False)
        if not self.reach:
            raise StoppedError(gone)
        self.extra = 1
        wider: dict[dt.date, ProbeResult] = {}
        for each in pages:
            wider[each] = yield from self._page(each)
            if wider[each].keys:
                self._note_end_date(
                    "exclusive", f"around {date}, requests that end on the day they start on are empty, others are not"
                )
                return wider
        raise StoppedError(gone)

    def _note_end_date(self, answer: str, evidence: str) -> None:
        self.handshake.findings.append(Finding("end date", answer, evidence, settings={"end_date": answer}))
        self._note_reach()

    def _page(self, date: dt.date, offset: int = 0) -> Steps[ProbeResult]:
        return (yield from self.handshake.probe(date, date + _days(self.extra), offset=offset))

    def _note_orders(self, date: dt.date, result: ProbeResult) -> None:
        if any(each is None for each in result.instants):
            raise StoppedError(_missing_create_date_finding())
        self.handshake.findings.append(Finding("orders", "found", f"{len(result.keys)} on the first page of {date}"))
        self.handshake.findings.append(Finding("envelope", result.envelope, "a page of orders says so"))

    # -- the listing of one day --

    def _listing(self, date: dt.date, pages: dict[dt.date, ProbeResult]) -> Steps[None]:
        first = pages[date]
        offset = max(len(first.keys) - 1, 1)
        anchored = behind = yield from self._page(date, offset)
        if first.keys[0] in behind.keys:
            # A server that repeats rows over the edge of a page does so too: look once more, further on.
            offset = len(first.keys) + 1
            behind = yield from self._page(date, offset)
        again = yield from self._repeats(date, 2 if len(first.keys) > _SEARCH_LIMIT else 5)
        honoured = findings.offset_finding(first, behind, offset)
        self.handshake.findings += [
            honoured,
            findings.cap_finding(first, anchored, behind, self.handshake.dialect.page_size),
            findings.order_finding(first, again),
        ]
        self.has_offset = honoured.is_good
        yield from self._zone(pages, len(first.keys))

    def _repeats(self, date: dt.date, number: int) -> Steps[list[ProbeResult]]:
        """The same page again; the fewer its rows, the likelier is it that chance puts them in the same order."""
        found: list[ProbeResult] = []
        while len(found) < number:
            result = yield from self._page(date)
            found.append(result)
        return found

    def _zone(self, pages: dict[dt.date, ProbeResult], page: int) -> Steps[None]:
        """Look at the edges of days until a single zone fits, or requests run out."""
        days = [Day(each, _instants(result)) for each, result in pages.items() if _instants(result)]
        configured = self.handshake.dialect.timezone
        fitting = fitting_zones(days, configured)
        cut = [each for each, result in pages.items() if len(result.keys) >= page]
        while len(fitting) > 1 and self.handshake.left > 1 and len(pages) < _MAX_DAYS:
            if cut and self.has_offset:
                date = cut.pop()
                instants = yield from self._far_instants(date, pages[date])
            else:
                date = min(pages) - _days(1)
                pages[date] = yield from self._page(date)
                instants = _instants(pages[date])
                cut = [date] if len(instants) >= page else []
            days += [Day(date, instants)] if instants else []
            fitting = fitting_zones(days, configured)
        self.handshake.findings.append(zone_finding(days, configured))

    def _far_instants(self, date: dt.date, top: ProbeResult) -> Steps[tuple[int, ...]]:
        """Instants towards the end of a day's listing that may be longer than a page.

        :param top: its first page
        """
        page = len(top.keys)
        low, high, result = page - 1, _UNBOUNDED, top
        found: list[int | None] = [*top.instants]
        for _ in range(_MAX_JUMPS):
            if 0 < len(result.keys) < page or high - low <= page or self.handshake.left <= 2:
                break
            offset = (low + high) // 2 if high < _UNBOUNDED else low + _estimated_step(low, page, found)
            result = yield from self._page(date, offset)
            found += result.instants
            low, high = (offset, high) if result.keys else (low, offset)
        return tuple(each for each in found if each is not None)


def _estimated_step(low: int, page: int, found: list[int | None]) -> int:
    """Rows from ``low`` to near the end of the day, if the day goes on as it began."""
    instants = [each for each in found if each is not None]
    seen = max(instants) - min(instants)
    to_come = (low * (_DAY_MS - seen)) // max(seen, 1) - page // 2
    return min(max(to_come, page // 2, 1), 16 * (low + page))


def _instants(result: ProbeResult) -> tuple[int, ...]:
    return tuple(each for each in result.instants if each is not None)


def _missing_create_date_finding() -> Finding:
    return Finding("orders", "no createDate", "an order has no `createDate`: it belongs to no window", is_good=False)


def _days(number: int) -> dt.timedelta:
    return dt.timedelta(days=number)
