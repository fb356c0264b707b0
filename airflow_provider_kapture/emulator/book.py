"""The order book: orders generated from arguments; the same arguments result in the same orders.

Orders that are added or removed while the emulator runs are in ``store``.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Self, TypeVar
from zoneinfo import ZoneInfo

from airflow_provider_kapture.client.orders import DATE_FIELDS, ORDER_FIELDS, FieldType
from airflow_provider_kapture.emulator.switches import check_zone

_T = TypeVar("_T")

_CREATE_DATE = re.compile(rb'"createDate":\d+')
_STATUS = re.compile(rb'"deliveryStatus":"[A-Z]*"')
_MODIFIED = re.compile(rb'"lastModificationTime":\d+')
_QUANTITY = b'"productQuantity":'
_FIRST_ID = 23_518_265
_TEMPLATE = "{" + ",".join(f'"{name}":%({name})s' for name in ORDER_FIELDS) + "}"
_UNUSED = {name: "false" if kind is FieldType.FLAG else "0" for name, kind in ORDER_FIELDS.items()}

# The dates that a response does not contain, as days after the day of createDate: earliest and latest.
_HIDDEN_DATES = {
    "booking": (0, 1),
    "agreement": (0, 3),
    "generation": (-2, 0),
    "nextFollowup": (1, 2),
    "lastFollowup": (0, 2),
    "expectedClosure": (2, 9),
}
HIDDEN_DATE_FIELDS = tuple(name for name in DATE_FIELDS if name in _HIDDEN_DATES)

_WORDS = (
    "testing",
    "",
    'He said "call back" at 6\'o clock',
    "Line one\nline two\r\nline three",
    "C:\\orders\\new\ttabbed",
    "ग्राहक को कल कॉल करें",
    "客户要求加急 🚚",
    "😀 naïve café, Zoë; 100 % / half",
    "=SUM(A1:A9)",
    '{"not": "an order"}, [1, 2]',
    "]} \\u0041 </script> \u2028 end",
    "Ōsaka → München ₹ 12,50,000",
)
# Kapture may or may not escape characters outside ASCII: the book has both.
_REMARKS = (
    *(json.dumps(words, ensure_ascii=False) for words in _WORDS),
    *(json.dumps(words) for words in _WORDS),
    "null",
)
# Values of ``deliveryStatus``, as JSON.
STATUSES = ('"AP"', '"PE"', '"CA"', '"DL"')


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """An order with its JSON.

    :param id: the order's ``id``
    :param create_ms: ``createDate``, epoch milliseconds, UTC
    :param hidden_days: ordinals of the order's other local dates, in the order of :data:`HIDDEN_DATE_FIELDS`
    :param record: its JSON
    """

    id: int
    create_ms: int
    hidden_days: tuple[int, ...]
    record: bytes

    def with_id(self, order_id: int) -> Order:
        """Return a copy with another id, which matches every query that this order matches."""
        record = b'{"id":%d,%s' % (order_id, self.record.partition(b",")[2])
        return Order(order_id, self.create_ms, self.hidden_days, record)

    def second_line(self) -> Order:
        """Return another line of the same order: the same id with another quantity."""
        return Order(self.id, self.create_ms, self.hidden_days, self.record.replace(_QUANTITY, _QUANTITY + b"1"))

    def with_status(self, status: str, modified_ms: int) -> Order:
        """Return a copy that was updated.

        :param status: the new ``deliveryStatus``, one of :data:`STATUSES`
        :param modified_ms: the new ``lastModificationTime``, epoch milliseconds
        """
        record = _STATUS.sub(b'"deliveryStatus":%s' % status.encode(), self.record, count=1)
        record = _MODIFIED.sub(b'"lastModificationTime":%d' % modified_ms, record, count=1)
        return Order(self.id, self.create_ms, self.hidden_days, record)

    def with_create_date(self, create_ms: int) -> Order:
        """Return a copy that was created at another instant."""
        record = _CREATE_DATE.sub(b'"createDate":%d' % create_ms, self.record, count=1)
        return Order(self.id, create_ms, self.hidden_days, record)


@dataclass(frozen=True, slots=True)
class Book:
    """The arguments from which orders are generated.

    On each day, several orders share a ``createDate``, and ids do not always rise with it. Texts contain Unicode,
    quotes, line breaks and backslashes; amounts have up to six decimals and may be negative.

    :param orders: number of orders
    :param days: number of consecutive days of the account, over which the orders are spread evenly
    :param start: the first of these days
    :param timezone: the account's time zone, an IANA name
    :param seed: seed of the generator
    :param cm_id: the account's id
    :param has_edges: generate an order at the first instant of each day and one in its last millisecond
    :param last_ms: leave out orders created after this instant, epoch milliseconds; None to keep all
    :raises ValueError: an argument is invalid; names it
    """

    orders: int = 1_200
    days: int = 3
    start: dt.date = dt.date(2024, 5, 8)
    timezone: str = "Asia/Kolkata"
    seed: int = 1
    cm_id: int = 1_000_298
    has_edges: bool = True
    last_ms: int | None = None

    def __post_init__(self) -> None:
        for name, least in (("orders", 0), ("days", 1), ("cm_id", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}: it must be at least {least}")
        check_zone("timezone", self.timezone)

    @classmethod
    def until_now(cls, orders: int, days: int, timezone: str, **others: Any) -> Self:
        """Return a book whose last day is the account's current day, up to the current instant.

        :param others: further arguments of the book
        :raises ValueError: an argument is invalid; names it
        """
        check_zone("timezone", timezone)
        now = dt.datetime.now(ZoneInfo(timezone))
        if days > now.date().toordinal():
            raise ValueError(f"days is {days}: it must be at most {now.date().toordinal()}")
        start = now.date() - dt.timedelta(days=days - 1)
        return cls(orders, days, start, timezone, last_ms=int(now.timestamp() * 1_000), **others)

    @property
    def last_day(self) -> dt.date:
        """The last day of the account that has orders."""
        return self.start + dt.timedelta(days=self.days - 1)

    def generate(self) -> Iterator[Order]:
        """Yield the orders, oldest first."""
        whole, rest = divmod(self.orders, self.days)
        first_id = _FIRST_ID
        for number in range(self.days):
            count = whole + (number < rest)
            orders = self.orders_of_day(self.start + dt.timedelta(days=number), count, first_id)
            yield from (order for order in orders if self.last_ms is None or order.create_ms <= self.last_ms)
            first_id += count

    def orders_of_day(self, day: dt.date, count: int, first_id: int) -> Iterator[Order]:
        """Yield ``count`` orders of one day, oldest first, with ids from ``first_id``."""
        random = Random(f"{self.seed}/{day}/{first_id}")
        edges = _day_edges(day, ZoneInfo(self.timezone))
        if self.has_edges:
            instants = _instants(random, count, *edges)
        else:
            # No order in the first or the last second.
            instants = _instants(random, count + 2, edges[0] + 1_000, edges[1] - 1_000)[1:-1]
        ids = list(range(first_id, first_id + count))
        for place in range(10, count, 40):
            ids[place - 1], ids[place] = ids[place], ids[place - 1]
        for order_id, create_ms in zip(ids, instants, strict=True):
            hidden = tuple(day.toordinal() + _between(random, *_HIDDEN_DATES[name]) for name in HIDDEN_DATE_FIELDS)
            yield Order(order_id, create_ms, hidden, self._record(random, order_id, create_ms))

    def _record(self, random: Random, order_id: int, create_ms: int) -> bytes:
        creator = _between(random, 209_800, 209_819)
        used = {
            "id": order_id,
            "cmId": self.cm_id,
            "customerId": _between(random, 191_696_570, 191_696_869),
            "enquiryId": 24_284_201 + order_id - _FIRST_ID,
            "createDate": create_ms,
            "creatorId": creator,
            "productQuantity": _between(random, 0, 12),
            "productValue": _amount(random, 6),
            "discount": f"-{_amount(random, 3)}" if random.random() < 0.2 else 0,
            "remarks": _one_of(random, _REMARKS),
            "deliveryStatus": _one_of(random, STATUSES),
            "lastModificationTime": create_ms + _one_of(random, (0, 0, 1_000, 86_399_999)),
            "unitId": _between(random, 0, 9),
            "blockId": _between(random, 0, 4),
            "zoneId": _between(random, 0, 7),
            "serviceTax": _amount(random, 3),
            "assignedToId": creator + _between(random, 0, 1),
            "invoiceSent": _one_of(random, ("true", "false")),
            "sellingPrice": _amount(random, 5),
        }
        return (_TEMPLATE % {**_UNUSED, **used}).encode()


# A book may have a million orders: Random.randint and Random.choice take three times as long.
def _between(random: Random, low: int, high: int) -> int:
    return low + int(random.random() * (high - low + 1))


def _one_of(random: Random, choices: Sequence[_T]) -> _T:
    return choices[int(random.random() * len(choices))]


def _amount(random: Random, digits: int) -> str:
    """Return a random amount in JSON: whole, with trailing zeros, or with up to six decimals."""
    whole = _between(random, 0, 10**digits - 1)
    decimals = _one_of(random, (0, 0, 1, 2, 2, 6))
    return f"{whole}.{_between(random, 0, 10**decimals - 1):0{decimals}}" if decimals else str(whole)


def _day_edges(day: dt.date, zone: ZoneInfo) -> tuple[int, int]:
    """Return the first instants of the day and of the next day, epoch milliseconds."""
    midnights = (dt.datetime.combine(each, dt.time(), zone) for each in (day, day + dt.timedelta(days=1)))
    first, after = (round(midnight.timestamp()) * 1_000 for midnight in midnights)
    return first, max(after, first + 1)


def _instants(random: Random, count: int, first: int, after: int) -> list[int]:
    """Return ``count`` sorted instants of a day, including both edges; every eighth one repeats another."""
    found: list[int] = [first, after - 1][:count]
    while len(found) < count:
        instant = _between(random, first, after - 1)
        # Kapture's sample has whole seconds; the API's type allows for any millisecond.
        instant = max(first, instant - instant % 1_000) if len(found) % 2 else instant
        found.append(_one_of(random, found) if len(found) % 8 == 0 else instant)
    return sorted(found)
