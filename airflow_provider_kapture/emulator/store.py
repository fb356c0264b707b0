"""The current orders of the emulator: selected by query, inserted and deleted while they are read.

The initial orders are generated in ``book``; which rows of a listing a page has is decided in ``pages``.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from random import Random
from zoneinfo import ZoneInfo

from airflow_provider_kapture.emulator.book import HIDDEN_DATE_FIELDS, STATUSES, Book, Order
from airflow_provider_kapture.emulator.query import Query
from airflow_provider_kapture.emulator.spans import DaySpan
from airflow_provider_kapture.emulator.switches import Position, Switches

_MAX_CACHED_LISTINGS = 64
# The parts of the changes that update and delete an order; the others insert one.
_UPDATED, _DELETED = 0.6, 0.2
_Days = Mapping[int, list[Order]]


class Store:
    """The current orders; every listing is sorted by ``createDate``, oldest first.

    :param book: the initial orders
    """

    def __init__(self, book: Book) -> None:
        self._book = book
        self._original = sorted(book.generate(), key=_create_ms)
        self.restore()

    def restore(self) -> None:
        """Restore the book's orders."""
        self._all = list(self._original)
        self._by_day: dict[tuple[str, str], defaultdict[int, list[Order]]] = {}
        self._found: dict[object, list[Order]] = {}
        self._next_id = max((order.id for order in self._all), default=0) + 1

    def orders(self, start_ms: int | None = None, end_ms: int | None = None) -> list[Order]:
        """Return the orders created in ``[start_ms, end_ms)``, epoch milliseconds, oldest first."""
        everything = list(self._all)
        first = 0 if start_ms is None else bisect_left(everything, start_ms, key=_create_ms)
        after = len(everything) if end_ms is None else bisect_left(everything, end_ms, key=_create_ms)
        return everything[first:after]

    def listing(self, query: Query, timezone: str) -> Sequence[Order]:
        """Return the orders that match a query, oldest first.

        :param timezone: the zone in which dates are read
        """
        if not query.filters and len(query.spans) == 1 and query.spans[0].is_one_day:
            span = query.spans[0]
            return self._days(span.field, timezone).get(span.first, ())
        key = (query.spans, query.filters, timezone)
        if key not in self._found:
            if len(self._found) >= _MAX_CACHED_LISTINGS:
                self._found.clear()
            self._found[key] = [order for order in self._candidates(query, timezone) if query.accepts(order)]
        return self._found[key]

    def _candidates(self, query: Query, timezone: str) -> Iterable[Order]:
        if not query.spans:
            return self._all
        first, *others = (self._orders_of_span(span, timezone) for span in query.spans)
        common = set(first).intersection(*others)
        return [order for order in first if order in common] if others else first

    def _orders_of_span(self, span: DaySpan, timezone: str) -> list[Order]:
        days = self._days(span.field, timezone)
        chosen = [order for day in sorted(days) if span.first <= day <= span.last for order in days[day]]
        if span.has_midnight and span.field == "create":
            after = sorted(days.get(span.last + 1, ()), key=_create_ms)
            chosen += [order for order in after if _is_in_first_second(order, timezone)]
        return sorted(chosen, key=_create_ms)

    def _days(self, date_field: str, timezone: str) -> _Days:
        key = (date_field, timezone)
        if key not in self._by_day:
            self._by_day[key] = defaultdict(list)
            for order in self._all:
                self._by_day[key][_day_of(order, *key)].append(order)
        return self._by_day[key]

    def churn(self, query: Query, timezone: str, switches: Switches, random: Random) -> None:
        """Insert orders into the listing of a query and delete others, as the switches require.

        An inserted order is a copy of an existing one under a new id, so that it matches the same queries; nothing is
        inserted into an empty listing.
        """
        for _ in range(switches.insert_per_answer):
            if listing := self.listing(query, timezone):
                place, after = _place(len(listing), switches.insert_at, switches.order, random)
                self._insert_beside(listing[place], after)
        for _ in range(switches.delete_per_answer):
            if listing := self.listing(query, timezone):
                place, _after = _place(len(listing), switches.delete_at, switches.order, random)
                self._delete(listing[place])

    def mutate(self, count: int, random: Random, now_ms: int) -> None:
        """Change orders of any day: most are updated, some deleted, and some inserted late.

        :param count: number of changes
        :param now_ms: the time of the changes, epoch milliseconds
        """
        for _ in range(count if self._all else 0):
            order = self._all[random.randrange(len(self._all))]
            change = random.random()
            if change < _UPDATED:
                self._replace(order, order.with_status(random.choice(STATUSES), now_ms))
            elif change < _UPDATED + _DELETED and len(self._all) > 1:
                self._delete(order)
            else:
                self._insert_beside(order, True)

    def _replace(self, order: Order, new: Order) -> None:
        for each in self._lists_of(order):
            each[_index(each, order)] = new
        self._found.clear()

    def _insert_beside(self, neighbour: Order, after: bool) -> None:
        copy = neighbour.with_id(self._take_ids(1))
        for each in self._lists_of(neighbour):
            each.insert(_index(each, neighbour) + after, copy)
        self._found.clear()

    def _delete(self, order: Order) -> None:
        for each in self._lists_of(order):
            del each[_index(each, order)]
        self._found.clear()

    def add(self, count: int, day: dt.date, create_ms: int | None = None) -> list[Order]:
        """Add new orders on a day of the account, or all at one instant.

        :param create_ms: the instant, epoch milliseconds; None for any in the day
        :return: the new orders
        """
        added = list(self._book.orders_of_day(day, count, self._take_ids(count)))
        if create_ms is not None:
            added = [order.with_create_date(create_ms) for order in added]
        for order in added:
            for each in self._lists_of(order):
                each.insert(bisect_right(each, order.create_ms, key=_create_ms), order)
        self._found.clear()
        return added

    def _take_ids(self, count: int) -> int:
        self._next_id += count
        return self._next_id - count

    def _lists_of(self, order: Order) -> Iterator[list[Order]]:
        yield self._all
        for key, days in self._by_day.items():
            yield days[_day_of(order, *key)]


def _create_ms(order: Order) -> int:
    return order.create_ms


def _is_in_first_second(order: Order, timezone: str) -> bool:
    seconds = order.create_ms // 1_000
    return dt.datetime.fromtimestamp(seconds, _zone(timezone)).time() == dt.time()


def _index(orders: list[Order], order: Order) -> int:
    return orders.index(order, bisect_left(orders, order.create_ms, key=_create_ms))


def _place(length: int, position: Position, order: str, random: Random) -> tuple[int, bool]:
    """Return the index of a position in a listing, oldest first, and whether to insert after that index."""
    if position == "middle":
        return length // 2, False
    if position == "random":
        return random.randrange(length), random.random() < 0.5
    newest_end = (position == "top") == (order == "newest")
    return (length - 1, True) if newest_end else (0, False)


_zone = cache(ZoneInfo)


def _day_of(order: Order, date_field: str, timezone: str) -> int:
    """Return the ordinal of an order's local date in a date field."""
    if date_field == "create":
        return dt.datetime.fromtimestamp(order.create_ms // 1_000, _zone(timezone)).toordinal()
    return order.hidden_days[HIDDEN_DATE_FIELDS.index(date_field)]
