"""Situations of several days, each with its outcome: rows of the table that the paginator's situations belong to."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Sequence

import msgspec
import pytest

from airflow_provider_kapture.client import Account
from airflow_provider_kapture.client.api.request import OrderQuery
from airflow_provider_kapture.client.api.response import Page
from airflow_provider_kapture.client.days import DayRange, day_start, make_window
from airflow_provider_kapture.client.pull.pull import Pull
from airflow_provider_kapture.client.pull.stats import PullStats
from airflow_provider_kapture.client.pull.steps import CheckPage, Fetched, FetchPages, OrderBatch, next_step

FIRST = dt.date(2026, 5, 8)
LONG_AGO = dt.date(2026, 1, 2)


def day(number: int) -> dt.date:
    return FIRST + dt.timedelta(days=number)


@dataclasses.dataclass
class Server:
    """An account's orders, each with its day, which may change after a response.

    :param change: called with the days of the orders and the number of the response
    """

    days: dict[int, dt.date]
    change: Callable[[dict[int, dt.date], int], None] = lambda days, number: None
    requests: int = 0

    def page(self, days: DayRange | None, offset: int, limit: int, account: Account, *, has_instants: bool) -> Page:
        self.requests += 1
        found = [key for key, at in self.days.items() if days is None or days.first <= at <= days.last]
        keys = found[offset : offset + limit]
        instants = [day_start(self.days[key], account.zone) + 3_600_000 if has_instants else None for key in keys]
        self.change(self.days, self.requests)
        return Page([msgspec.Raw(b'{"id":%d}' % key) for key in keys], keys, instants)


def pull(server: Server, days: int, date_field: str, *, by_day: bool = False) -> tuple[list[list[int]], PullStats]:
    """Pull so many days; the orders of each window, and the counts."""
    account = Account.from_connection("acme", "login", "password", {"cm_id": 1, "page_size": 4})
    window = make_window(FIRST.isoformat(), day(days).isoformat(), account.zone)
    windows = [part for _, part in window.days()] if by_day else [window]
    stats, out = PullStats(), [list[int]()]
    steps = Pull(account, OrderQuery(date_field), windows, stats).steps()
    fetched = None
    while (step := next_step(steps, fetched)) is not None:
        fetched = None
        if isinstance(step, OrderBatch):
            out[-1] += [msgspec.json.decode(raw)["id"] for raw in step.raws]
            out += [[]] if step.ends is not None else []
        else:
            fetched = Fetched(answer(server, step, account, has_instants=date_field == "create"))
    return out[:-1], stats


def answer(server: Server, step: FetchPages | CheckPage, account: Account, *, has_instants: bool) -> Page:
    if isinstance(step, CheckPage):
        return server.page(step.days, step.offset, step.limit or 4, account, has_instants=has_instants)
    head = step.requests[0]
    return server.page(head.days, head.page.offset, head.page.limit, account, has_instants=has_instants)


def moves(order: int, to: int, after: int) -> Callable[[dict[int, dt.date], int], None]:
    """One order moves to another day after a response."""

    def change(days: dict[int, dt.date], number: int) -> None:
        if number == after:
            days[order] = day(to)

    return change


MOVES: list[tuple[str, Callable[..., None], list[list[int]], int]] = [
    ("no order moves", lambda days, number: None, [[0, 1, 2], [10, 11, 12]], 0),
    ("an order that was read moves to a later day", moves(1, to=1, after=2), [[0, 1, 2], [10, 11, 12]], 1),
    ("an order moves within its day", moves(11, to=1, after=3), [[0, 1, 2], [10, 11, 12]], 0),
]


@pytest.mark.parametrize("by_day", [False, True], ids=["one window", "a window for each day"])
@pytest.mark.parametrize(("change", "wanted", "moved"), [each[1:] for each in MOVES], ids=[each[0] for each in MOVES])
@pytest.mark.parametrize("date_field", ["nextFollowup", "booking", "expectedClosure"])
def test_an_id_comes_out_once_under_the_earlier_day(
    date_field: str, change: Callable[..., None], wanted: Sequence[list[int]], moved: int, by_day: bool
) -> None:
    server = Server({0: day(0), 1: day(0), 2: day(0), 10: day(1), 11: day(1), 12: day(1)}, change)
    found, stats = pull(server, 2, date_field, by_day=by_day)
    assert [sorted(each) for each in found] == (wanted if by_day else [[key for each in wanted for key in each]])
    assert (stats.rows, stats.moved) == (6, moved)


@pytest.mark.parametrize("by_day", [False, True], ids=["one window", "a window for each day"])
@pytest.mark.parametrize("days", [1, 2, 30, 366])
def test_an_empty_window_of_some_days_takes_so_many_requests_and_a_handful(days: int, by_day: bool) -> None:
    server = Server({7: LONG_AGO})
    found, stats = pull(server, days, "create", by_day=by_day)
    assert not any(found)
    assert stats.empty_proof == "control_day"
    assert server.requests <= days + 5


@pytest.mark.parametrize("first", [0, 3, 29])
def test_a_window_whose_first_days_are_empty_takes_no_more(first: int) -> None:
    server = Server({7: LONG_AGO, 8: day(first)})
    found, _ = pull(server, 30, "create", by_day=True)
    assert found[first] == [8]
    # A day with one order takes two requests.
    assert server.requests <= 30 + 1 + 1
