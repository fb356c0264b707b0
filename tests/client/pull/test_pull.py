"""Pulls without a socket: windows over zones whose days are not 24 hours long."""

from __future__ import annotations

import datetime as dt
import itertools
import random
from collections.abc import Iterator, Sequence
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_kapture.client import Account
from airflow_provider_kapture.client.api.request import OrderQuery, request_body
from airflow_provider_kapture.client.api.response import Page
from airflow_provider_kapture.client.days import Window, from_ms, make_window, to_ms
from airflow_provider_kapture.client.errors import KaptureDialectError, KaptureListingError
from airflow_provider_kapture.client.pull.listing import ListingRequest
from airflow_provider_kapture.client.pull.pull import Pull
from airflow_provider_kapture.client.pull.stats import PullStats

HOUR = 3_600_000
# Zones, each with a moment around which its days are odd.
ODD_DAYS = [
    ("Asia/Kolkata", "2026-01-05"),
    ("America/New_York", "2026-03-08"),
    ("America/New_York", "2026-11-01"),
    ("Australia/Lord_Howe", "2026-04-05"),
    ("Australia/Lord_Howe", "2026-10-04"),
    ("America/Sao_Paulo", "2018-11-04"),
    ("America/St_Johns", "2006-10-29"),
    ("Africa/Cairo", "2026-10-30"),
    ("Pacific/Apia", "2011-12-30"),
]


def make_account(zone: str, **extra: object) -> Account:
    return Account.from_connection("acme", "login", "password", {"cm_id": 1, "timezone": zone, "page_size": 4, **extra})


class Server:
    """Kapture by the account's dialect: orders of a listing are found by their local dates."""

    def __init__(self, account: Account, instants: Sequence[int], zone: ZoneInfo) -> None:
        self.account = account
        self.zone = zone
        self.orders = list(enumerate(instants))

    def page(self, request: ListingRequest) -> Page:
        body = msgspec.json.decode(
            request_body(self.account, OrderQuery(), request.days, request.page.offset, request.page.limit)
        )
        first, last = (dt.date.fromisoformat(body[f"create{edge}Date"]) for edge in ("Start", "End"))
        if self.account.dialect.end_date == "exclusive":
            last -= dt.timedelta(days=1)
        assert (last - first).days < self.account.dialect.max_days_per_request
        found = [each for each in self.orders if first <= from_ms(each[1], self.zone).date() <= last]
        rows = found[int(body["offset"]) :][: int(body["limit"])]
        raws = [msgspec.Raw(b'{"id":%d}' % key) for key, _ in rows]
        return Page(raws, [key for key, _ in rows], [instant for _, instant in rows])


def pulled(server: Server, windows: Sequence[Window]) -> Iterator[tuple[Window, list[int]]]:
    """Each window with the orders that came of it."""
    pull = Pull(server.account, OrderQuery(), windows, PullStats())
    found: list[int] = []
    for window in windows:
        while True:
            batch = pull.handle_page(server.page(pull.requests()[0]))
            found += [msgspec.json.decode(raw)["id"] for raw in batch.raws]
            if batch.ends is not None:
                assert batch.ends == window
                break
        yield window, found
        found = []
    assert pull.done


@settings(max_examples=200)
@given(
    odd=st.sampled_from(ODD_DAYS),
    span=st.tuples(st.integers(-15 * 24 * 60, 0), st.integers(1, 30 * 24 * 60)),
    cuts=st.lists(st.floats(0, 1), max_size=6),
    orders=st.lists(st.floats(-0.1, 1.1), max_size=40),
    dialect=st.fixed_dictionaries(
        {"end_date": st.sampled_from(["inclusive", "exclusive"]), "max_days_per_request": st.integers(1, 9)}
    ),
)
def test_any_cut_of_a_span_into_windows_partitions_its_orders(odd, span, cuts, orders, dialect):
    zone, moment = odd
    account = make_account(zone, **dialect)
    start = to_ms(dt.datetime.fromisoformat(moment).replace(tzinfo=account.zone)) + span[0] * 60_000
    width = span[1] * 60_000
    edges = sorted({start, start + width, *(start + int(cut * width) for cut in cuts)})
    windows = [Window(low, high, account.zone) for low, high in itertools.pairwise(edges)]
    # Orders stand anywhere, and on each edge and beside it.
    instants = [start + int(each * width) for each in orders]
    instants += [edge + beside for edge in edges for beside in (-1, 0, 1)]
    server = Server(account, instants, account.zone)
    for window, found in pulled(server, windows):
        expected = [key for key, instant in server.orders if window.start_ms <= instant < window.end_ms]
        assert sorted(found) == expected


@pytest.mark.parametrize(("zone", "moment"), ODD_DAYS)
def test_the_odd_days_themselves_partition_their_orders(zone, moment):
    account = make_account(zone)
    middle = to_ms(dt.datetime.fromisoformat(moment).replace(tzinfo=account.zone))
    instants = [middle + quarter * HOUR // 4 for quarter in range(-200, 200)]
    whole = Window(middle - 49 * HOUR, middle + 49 * HOUR, account.zone)
    server = Server(account, instants, account.zone)
    found = [key for _, keys in pulled(server, [part for _, part in whole.days()]) for key in keys]
    assert sorted(found) == [key for key, at in server.orders if whole.start_ms <= at < whole.end_ms]


class Rounds:
    """A transport that is answered all that it may ask at once; or some of it, by chance.

    :ivar count: how often it waited
    """

    def __init__(self, server: Server, chance: random.Random | None = None) -> None:
        self.server = server
        self.chance = chance
        self.count = 0
        self.asked: set[ListingRequest] = set()
        self.found: list[int] = []

    def pull(self, windows: Sequence[Window]) -> None:
        pull = Pull(self.server.account, OrderQuery(), windows, PullStats())
        answered: dict[ListingRequest, Page] = {}
        while not pull.done:
            expected = pull.requests()
            assert len(expected) == len(set(expected))
            self.asked |= set(expected)
            while expected[0] not in answered:
                self._answer([each for each in expected if each not in answered], answered)
            page = answered.pop(expected[0])
            pull.process_ahead(answered)
            batch = pull.handle_page(page)
            self.found += [msgspec.json.decode(raw)["id"] for raw in batch.raws]

    def _answer(self, sent: list[ListingRequest], answered: dict[ListingRequest, Page]) -> None:
        assert len(sent) <= self.server.account.dialect.max_concurrency
        if self.chance is not None:
            sent = self.chance.sample(sent, self.chance.randint(1, len(sent)))
        answered |= {each: self.server.page(each) for each in sent}
        self.count += 1


@pytest.mark.parametrize(
    ("at_once", "a_day", "most_rounds"),
    [(1, 3, 40), (4, 3, 12), (8, 3, 7), (32, 3, 4), (4, 8, 32), (8, 8, 20), (32, 8, 11)],
)
def test_short_days_are_read_side_by_side(at_once, a_day, most_rounds):
    account = make_account("Asia/Kolkata", max_concurrency=at_once)
    window = make_window("2026-01-01", "2026-01-21", account.zone)
    instants = [window.start_ms + (24 * day + hour) * HOUR for day in range(20) for hour in range(a_day)]
    transport = Rounds(Server(account, instants, account.zone))
    transport.pull([part for _, part in window.days()])
    assert transport.found == [key for key, _ in transport.server.orders]
    assert transport.count <= most_rounds
    pages = -(-(a_day - 1) // 3)
    assert len(transport.asked) <= 20 * (pages + 1 + (pages > 1)) + at_once


@pytest.mark.parametrize(("a_day", "at_once"), [(2, 4), (5, 4), (6, 4), (9, 8), (24, 4), (24, 8)])
@pytest.mark.parametrize("widest", [1, 2])
def test_a_pull_is_as_many_requests_whenever_answers_arrive(a_day, at_once, widest):
    account = make_account("Asia/Kolkata", max_concurrency=at_once, max_days_per_request=widest)
    window = make_window("2026-01-01", "2026-01-08", account.zone)
    instants = [window.start_ms + (24 * day + hour) * HOUR for day in range(7) for hour in range(a_day)]
    requests = set()
    for seed in range(20):
        transport = Rounds(Server(account, instants, account.zone), random.Random(seed))
        transport.pull([window])
        requests.add(len(transport.asked))
    assert len(requests) == 1


def test_what_comes_before_a_listing_that_fails_comes_out_first():
    account = make_account("Asia/Kolkata", max_concurrency=8)
    window = make_window("2026-01-01", "2026-01-09", account.zone)

    class Broken(Server):
        def page(self, request: ListingRequest) -> Page:
            whole = super().page(request)
            rows = 1 if request.days.first == dt.date(2026, 1, 6) else 4
            return Page(whole.raws[:rows], whole.keys[:rows], whole.instants[:rows])

    transport = Rounds(Broken(account, [window.start_ms + hour * HOUR for hour in range(0, 8 * 24, 4)], account.zone))
    with pytest.raises(KaptureListingError, match="single row"):
        transport.pull([part for _, part in window.days()])
    # And the only row that its first page had.
    assert transport.found == list(range(5 * 6 + 1))


@settings(max_examples=200)
@given(
    sizes=st.lists(st.integers(0, 13), min_size=1, max_size=8),
    at_once=st.integers(1, 9),
    cuts=st.lists(st.floats(0, 1), max_size=4),
)
def test_days_that_are_read_side_by_side_come_in_their_order_each_order_once(sizes, at_once, cuts):
    account = make_account("Asia/Kolkata", max_concurrency=at_once)
    window = make_window("2026-01-01", "2026-01-09", account.zone)
    instants = [window.start_ms + (24 * day + hour) * HOUR for day, size in enumerate(sizes) for hour in range(size)]
    edges = sorted({window.start_ms, window.end_ms, *(window.start_ms + int(each * 8 * 24) * HOUR for each in cuts)})
    windows = [Window(low, high, account.zone) for low, high in itertools.pairwise(edges) if low < high]
    server = Server(account, instants, account.zone)
    transport = Rounds(server)
    transport.pull(windows)
    assert transport.found == [key for key, _ in server.orders]


class Moving(Server):
    """Kapture that gains and loses orders of any day after each answer, and keeps them in one order."""

    def __init__(self, account: Account, instants: Sequence[int], chance: random.Random) -> None:
        super().__init__(account, instants, account.zone)
        self.chance = chance
        self.always = {key for key, _ in self.orders}

    def page(self, request: ListingRequest) -> Page:
        page = super().page(request)
        if self.chance.random() < 0.4:
            at = self.chance.randrange(len(self.orders))
            self.orders.insert(at, (10_000 + self.chance.randrange(10**9), self.orders[at][1]))
        if self.chance.random() < 0.4:
            self.always.discard(self.orders.pop(self.chance.randrange(len(self.orders)))[0])
        return page


@pytest.mark.parametrize("seed", range(60))
def test_moving_days_that_are_read_side_by_side_lose_nothing_that_stayed(seed):
    chance = random.Random(seed)
    account = make_account("Asia/Kolkata", max_concurrency=chance.randint(1, 9), page_size=10)
    window = make_window("2026-01-01", "2026-01-13", account.zone)
    hours = sorted(chance.choices(range(12 * 24), k=chance.randint(100, 400)))
    server = Moving(account, [window.start_ms + hour * HOUR for hour in hours], chance)
    transport = Rounds(server, chance)
    transport.pull([part for _, part in window.days()])
    assert server.always <= set(transport.found)
    assert len(transport.found) == len(set(transport.found))


@pytest.mark.parametrize("theirs", ["UTC", "America/New_York", "Asia/Tokyo"])
def test_the_wrong_zone_is_noticed_and_one_that_fits_is_named(theirs):
    account = make_account("Asia/Kolkata")
    window = make_window("2026-01-05", "2026-01-06", account.zone)
    day = to_ms(dt.datetime(2026, 1, 5, tzinfo=ZoneInfo(theirs)))
    server = Server(account, [day + hour * HOUR for hour in range(24)], ZoneInfo(theirs))
    with pytest.raises(KaptureDialectError, match="`timezone`") as caught:
        list(pulled(server, [window]))
    assert "matches the time zone" in str(caught.value)
