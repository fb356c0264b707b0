"""How a listing is read page by page: page size, order, paging, page cap, and what stands past the end. Pure.

What three pages show of `offset` is in paging_kinds.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from airflow_provider_kapture.client.api.keys import OrderKey
from airflow_provider_kapture.client.days import DayRange
from airflow_provider_kapture.client.pagination.requests import Paging
from airflow_provider_kapture.client.pagination.unpaged import may_be_cap
from airflow_provider_kapture.doctor.examination import (
    SMALL_LIMIT,
    Examination,
    Steps,
    days,
    instants_of,
)
from airflow_provider_kapture.doctor.format_proof import check_orders
from airflow_provider_kapture.doctor.paging_kinds import MIN_ROWS, REQUESTS, Kind, fitting_kinds
from airflow_provider_kapture.doctor.probe import ProbeResult, Problem
from airflow_provider_kapture.doctor.sequences import direction, is_same_listing

_PAST_THE_END = 10_000
_RANGE_DAYS = 14
_SETTINGS: Mapping[Kind, Paging] = MappingProxyType(
    {
        Kind.ROWS: Paging.ROWS,
        Kind.ROWS_FROM_1: Paging.ROWS,
        Kind.ROUNDED: Paging.ROWS,
        Kind.LIMIT_IGNORED: Paging.ROWS,
        Kind.PAGES: Paging.PAGES,
        Kind.PAGES_FROM_1: Paging.PAGES_FROM_1,
        Kind.UNPAGED: Paging.NONE,
    }
)
_ANSWERS: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.ROWS: "honoured",
        Kind.ROWS_FROM_1: "honoured, from 1",
        Kind.ROUNDED: "rounded to pages",
        Kind.LIMIT_IGNORED: "honoured, not limit",
        Kind.PAGES: "counts pages",
        Kind.PAGES_FROM_1: "counts pages from 1",
        Kind.UNPAGED: "unpaged",
        Kind.OFFSET_IGNORED: "ignored",
    }
)


@dataclass
class Listing:
    """The examination of one listing.

    :param asked: its dates, as they are sent
    :param first: its first page
    :param largest: the most rows that a page of any day held
    :ivar kind: what `offset` counts; none where it was not told
    """

    exam: Examination
    asked: DayRange
    first: ProbeResult
    largest: int
    kind: Kind | None = None
    _behind: list[ProbeResult] = field(default_factory=list)

    def run(self) -> Steps[None]:
        """Find out how the listing is read."""
        exam = self.exam
        exam.topic = "paging"
        check_orders(self.first)
        if exam.base and exam.account.dialect.paging == Paging.PAGES_FROM_1:
            yield from self._check_base()
        if len(self.first.keys) < MIN_ROWS:
            yield from self._take_more_days()
        anchored, is_more = yield from self._look_behind()
        pages = []
        if len(self.first.keys) >= MIN_ROWS or is_more:
            for limit, offset in REQUESTS:
                page = yield from exam.ask(self.asked, offset=offset, limit=limit)
                pages.append(page.keys)
        # The fewer the orders, the likelier is it that chance puts them in the same sequence.
        count = 2 if len(self.first.keys) > SMALL_LIMIT else 5
        again: list[ProbeResult] = []
        while len(again) < count:
            again += [(yield from exam.ask(self.asked))]
        again = [each for each in again if each.is_answered]
        is_still = bool(again) and all(each.keys == self.first.keys for each in again)
        kinds = fitting_kinds(self.first.keys, pages) if pages and is_still else []
        settings = {_SETTINGS.get(kind) for kind in kinds}
        self.kind = kinds[0] if len(settings) == 1 else None
        if self.kind in (Kind.PAGES, Kind.PAGES_FROM_1):
            page = yield from exam.ask(self.asked, offset=2 if self.kind is Kind.PAGES_FROM_1 else 1)
            is_more = any(key not in self.first.keys for key in page.keys)
        yield from self._note_offset(pages, is_still=is_still)
        self._note_cap(anchored, is_more=is_more)
        self._note_order(again)

    def _check_base(self) -> Steps[None]:
        """Look whether offset 0 is the first page after all."""
        zero = yield from self.exam.ask(self.asked, offset=0, is_tentative=True)
        if zero.keys and zero.keys != self.first.keys:
            self.exam.base = 0
            self.first = zero

    def _take_more_days(self) -> Steps[None]:
        """Take a range of days instead, if the account gives more orders of one."""
        exam = self.exam
        wide = DayRange(self.asked.first - days(_RANGE_DAYS), self.asked.last)
        ahead = DayRange(self.asked.first, min(self.asked.last + days(_RANGE_DAYS), exam.today))
        for asked in (wide, ahead):
            if asked.last <= self.asked.first:
                continue
            result = yield from exam.ask(asked, is_tentative=True)
            if len(result.keys) >= MIN_ROWS:
                self.asked, self.first = asked, result
                return

    def _look_behind(self) -> Steps[tuple[ProbeResult, bool]]:
        """Return the page that starts on the last order of the first one, and whether more orders stand behind it."""
        exam, first = self.exam, self.first
        anchored = yield from exam.ask(self.asked, offset=exam.base + max(len(first.keys) - 1, 1))
        behind = anchored
        if first.keys[0] in behind.keys:
            # A server that repeats rows over the edge of a page does so too: look once more, further on.
            behind = yield from exam.ask(self.asked, offset=exam.base + len(first.keys) + 1, is_tentative=True)
        return anchored, any(key not in first.keys for key in (*anchored.keys, *behind.keys))

    # -- findings --

    def _note_offset(self, pages: Sequence[Sequence[OrderKey]], *, is_still: bool) -> Steps[None]:
        exam, count = self.exam, len(self.first.keys)
        if self.kind is Kind.UNPAGED:
            yield from self._note_unpaged()
        elif self.kind is Kind.OFFSET_IGNORED:
            exam.note(
                "offset",
                "ignored",
                "pages at other offsets hold the same orders: what lies beyond the first page cannot be read",
                is_good=False,
            )
        elif self.kind is Kind.ROWS_FROM_1 and exam.base == 1:
            exam.note("offset", "from 1", "offset 0 is refused, and offset counts rows from 1", is_good=False)
        elif self.kind is not None:
            evidence = f"small pages of a listing of {count} orders show that it counts {self.kind.value}"
            exam.note("offset", _ANSWERS[self.kind], evidence, settings={"paging": _SETTINGS[self.kind].value})
        elif not pages:
            evidence = f"{count} order(s) are too few to tell; a pull proves it, or fails. `--day` names a busier day"
            exam.note("offset", "not told", evidence)
        elif not is_still:
            exam.note("offset", "not told", "the listing changed meanwhile; a pull proves it, or fails")
        else:
            exam.note("offset", "not known", "small pages fit no known way to count", is_good=False)

    def _note_unpaged(self) -> Steps[None]:
        exam = self.exam
        largest = max(self.largest, len(self.first.keys))
        seen = f"each response holds all {len(self.first.keys)} orders, whatever `limit` and `offset` are"
        if may_be_cap(largest):
            asked = DayRange(self.asked.first - days(3), self.asked.last + days(3))
            wide = yield from exam.ask(asked, is_tentative=True)
            if len(wide.keys) <= largest:
                exam.note(
                    "offset",
                    "unpaged, or cut",
                    f"{seen}; {largest} may be a cap, and no longer response came. If a day's count is right, set "
                    "`paging` to 'none'",
                    is_good=False,
                )
                return
        exam.note("offset", _ANSWERS[Kind.UNPAGED], seen, settings={"paging": Paging.NONE.value})

    def _note_cap(self, anchored: ProbeResult, *, is_more: bool) -> None:
        exam, count, size = self.exam, len(self.first.keys), self.exam.dialect.page_size
        if self.kind is Kind.UNPAGED:
            exam.note("page cap", "none", f"`limit` is ignored; {count} orders came at once")
            return
        can_join = count >= 2 and any(key not in self.first.keys for key in anchored.keys)
        is_paged = self.kind in (Kind.PAGES, Kind.PAGES_FROM_1, Kind.ROUNDED)
        if is_more and not can_join and not (is_paged and count >= 2):
            exam.note(
                "page cap",
                str(count),
                f"a page holds {count} order(s), and one that starts on its last order none that is new: pages cannot "
                "be joined",
                is_good=False,
            )
        elif is_more and count < size:
            evidence = f"{size} orders were asked for, {count} came, and more stand behind them"
            exam.note("page cap", str(count), evidence, settings={"page_size": count})
        elif not any(each.question == "page cap" for each in exam.findings):
            seen = f"{size} orders were asked for, {count} came" + ("" if count >= size else ", and they were all")
            exam.note("page cap", f"at least {count}", seen, settings={"page_size": size})

    def _note_order(self, again: Sequence[ProbeResult]) -> None:
        exam, first, count = self.exam, self.first, len(self.first.keys)
        if not all(is_same_listing(first.keys, each.keys) for each in again):
            exam.note(
                "order",
                "not stable",
                f"one request was answered with other orders, or with the same {count} in another order; ask for a "
                "stable order with `sortParam` in `default_body`",
                is_good=False,
            )
        elif not again:
            exam.note("order", "not known", "the request could not be repeated", is_good=False)
        elif count < 2:
            exam.note("order", "not told", "the listing has one order; a pull proves it. `--day` names a busier day")
        else:
            exam.note(
                "order",
                direction(instants_of(first)),
                f"one request was answered {len(again) + 1} times alike, with {count} orders",
            )

    # -- past the end --

    def look_past_the_end(self) -> Steps[None]:
        """Request a page far past the end; for people, since a pull finds out by itself."""
        exam = self.exam
        exam.topic = "past the end"
        if self.kind in (Kind.UNPAGED, Kind.OFFSET_IGNORED):
            exam.note("past the end", "not asked", "`offset` is ignored")
            return
        result = yield from exam.ask(self.asked, offset=_PAST_THE_END, limit=2, is_tentative=True)
        if result.problem is Problem.SHAPE:
            # It may have been cut off on the way.
            result = yield from exam.ask(self.asked, offset=_PAST_THE_END, limit=2, is_tentative=True)
        if result.keys:
            answer = "repeats orders" if any(key in self.first.keys for key in result.keys) else "orders"
            exam.note("past the end", answer, f"{len(result.keys)} order(s) came at offset {_PAST_THE_END}")
        elif result.is_answered:
            exam.note("past the end", "no orders", f"offset {_PAST_THE_END} was answered without orders")
        elif result.problem is Problem.SHAPE:
            evidence = f"offset {_PAST_THE_END} was answered in a way that a pull does not know: {result.error}"
            exam.note("past the end", "not known", evidence, is_good=False)
        else:
            exam.note("past the end", "refused", f"offset {_PAST_THE_END} was refused (HTTP {result.status})")
