import json
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_kapture.client import errors
from airflow_provider_kapture.triggers.events import ConditionMet, WaitFailed, from_payload, poll_delay, to_payload
from airflow_provider_kapture.triggers.watch_state import NewOrders, PollResult, Watermark

NOW = 1_700_000_000_000
MINUTE = 60_000
LOOKBACK = 3_600_000
ORDERS = st.dictionaries(st.integers(1, 50), st.integers(NOW - LOOKBACK, NOW), max_size=20)
POLLS = st.lists(ORDERS, min_size=1, max_size=6)
KINDS = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.KaptureError)]


@given(st.builds(ConditionMet, st.integers(0, 2**53), st.text(), st.text()))
def test_enough_comes_out_as_it_went_in(event: ConditionMet) -> None:
    assert from_payload(json.loads(json.dumps(to_payload(event)))) == event


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_comes_out_with_its_class_and_message(kind: type[errors.KaptureError]) -> None:
    event = from_payload(json.loads(json.dumps(to_payload(WaitFailed.from_error(kind("what to do"))))))
    assert isinstance(event, WaitFailed)
    error = event.exception()
    assert (type(error), str(error), error.permanent) == (kind, "what to do", kind.permanent)


@pytest.mark.parametrize(
    "payload",
    [
        None,
        {},
        "enough",
        {"status": "odd"},
        {"status": "enough"},
        {"status": "enough", "orders": "many", "window_start": "", "window_end": ""},
        {"status": "enough", "orders": 1, "window_start": "", "window_end": "", "more": 1},
        {"status": "failed", "error": "SystemExit", "message": ""},
        {"status": "failed", "error": "annotations", "message": ""},
    ],
)
def test_anything_else_is_an_error(payload: Any) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        from_payload(payload)


def poll_result(orders: dict[int, int], start_ms: int | None = None, now_ms: int = NOW) -> PollResult:
    start, _, following = PollResult.window(start_ms, now_ms, LOOKBACK)
    return PollResult(start, following, orders)


def stored_and_read(watermark: Watermark) -> Watermark:
    read = Watermark.from_state(json.loads(json.dumps(watermark.to_state())))
    assert read is not None
    return read


@given(POLLS, st.sets(st.integers(0, 5)), st.data())
def test_an_order_is_news_once_whatever_leaves_and_comes_back_and_whenever_the_triggerer_restarts(
    polls: list[dict[int, int]], restarts: set[int], data: st.DataObject
) -> None:
    watermark, known, reported = Watermark.initial(poll_result({})), {}, 0
    for number, poll in enumerate(polls):
        known = {**poll, **known}
        listed = {key: at for key, at in known.items() if key in poll or data.draw(st.booleans())}
        reported += watermark.new_orders(listed).orders
        watermark = watermark.advance(poll_result(listed))
        if number in restarts:
            watermark = stored_and_read(watermark)
    assert reported == len(known)


@given(ORDERS)
def test_what_is_there_at_first_is_no_news(orders: dict[int, int]) -> None:
    assert Watermark.initial(poll_result(orders)).new_orders(orders) == NewOrders()


@given(st.integers(0, 500), st.lists(st.integers(0, 30 * MINUTE), min_size=2, max_size=6))
def test_looks_leave_no_gap_and_a_place_holds_little(lookback: int, pauses: list[int]) -> None:
    now, start, watermark = NOW, None, None
    ends = []
    for pause_ms in pauses:
        now += pause_ms
        first, end, start = PollResult.window(start, now, lookback)
        seen = PollResult(first, start, {number: now - number * MINUTE for number in range(100)})
        watermark = Watermark.initial(seen) if watermark is None else watermark.advance(seen)
        assert first <= (ends[-1] if ends else now) - lookback
        assert end > now
        assert all(at >= now - lookback for at in watermark.seen.values())
        ends.append(now)


def test_a_clock_that_is_set_back_makes_old_orders_no_news() -> None:
    orders = {1: NOW - 90 * MINUTE, 2: NOW - 10 * MINUTE}
    watermark = Watermark.initial(poll_result(orders))
    start, _, following = PollResult.window(watermark.since_ms, NOW - 120 * MINUTE, LOOKBACK)
    assert start == NOW - 180 * MINUTE
    assert following == watermark.since_ms
    assert watermark.new_orders(orders) == NewOrders()


def test_what_is_kept_stays_small_and_tells_nothing_twice() -> None:
    orders = {number: NOW - number for number in range(5000)}
    watermark = Watermark.initial(poll_result(orders))
    assert len(json.dumps(watermark.to_state())) < 65_535
    read = stored_and_read(watermark)
    assert read.new_orders(orders) == NewOrders()
    assert read.new_orders({-1: NOW, **orders}) == NewOrders(1, NOW, NOW)


@pytest.mark.parametrize("state", [None, 7, "x", {}, {"since": "x", "seen": []}, {"since": 1, "seen": [[1]]}])
def test_a_place_that_is_none_of_ours_is_none(state: Any) -> None:
    assert Watermark.from_state(state) is None


def test_news_add_up() -> None:
    assert NewOrders.from_dates([]) + NewOrders.from_dates([3, 1]) + NewOrders.from_dates(
        [2, 9]
    ) + NewOrders() == NewOrders(4, 1, 9)
    assert NewOrders(2, NOW, NOW + 1).payload(ZoneInfo("Asia/Kolkata")) == {
        "orders": 2,
        "first_create_date": "2023-11-15T03:43:20+05:30",
        "last_create_date": "2023-11-15T03:43:20.001000+05:30",
    }


@given(st.integers(0, 10_000))
def test_pauses_grow_and_are_never_below_the_interval(doublings: int) -> None:
    assert 60 <= poll_delay(60, doublings, 3600) <= poll_delay(60, doublings + 1, 3600) <= 3600
    assert poll_delay(7200, doublings, 3600) == 7200
    assert poll_delay(60, doublings, 0) == 60
