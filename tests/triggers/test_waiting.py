import json
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_kapture.client import errors
from airflow_provider_kapture.waiting import Enough, Failed, Look, News, Place, from_payload, pause, to_payload

NOW = 1_700_000_000_000
MINUTE = 60_000
LOOKBACK = 3_600_000
ORDERS = st.dictionaries(st.integers(1, 50), st.integers(NOW - LOOKBACK, NOW), max_size=20)
POLLS = st.lists(ORDERS, min_size=1, max_size=6)
KINDS = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.KaptureError)]


@given(st.builds(Enough, st.integers(0, 2**53), st.text(), st.text()))
def test_enough_comes_out_as_it_went_in(event: Enough) -> None:
    assert from_payload(json.loads(json.dumps(to_payload(event)))) == event


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_comes_out_with_its_class_and_message(kind: type[errors.KaptureError]) -> None:
    event = from_payload(json.loads(json.dumps(to_payload(Failed.of(kind("what to do"))))))
    assert isinstance(event, Failed)
    error = event.exception()
    assert (type(error), str(error), error.hopeless) == (kind, "what to do", kind.hopeless)


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


def look(orders: dict[int, int], start_ms: int | None = None, now_ms: int = NOW) -> Look:
    start, _, following = Look.window(start_ms, now_ms, LOOKBACK)
    return Look(start, following, orders)


def kept_and_recalled(place: Place) -> Place:
    recalled = Place.recalled(json.loads(json.dumps(place.kept())))
    assert recalled is not None
    return recalled


@given(POLLS, st.sets(st.integers(0, 5)), st.data())
def test_an_order_is_news_once_whatever_leaves_and_comes_back_and_whenever_the_triggerer_restarts(
    polls: list[dict[int, int]], restarts: set[int], data: st.DataObject
) -> None:
    place, known, told = Place.begin(look({})), {}, 0
    for number, poll in enumerate(polls):
        known = {**poll, **known}
        listed = {key: at for key, at in known.items() if key in poll or data.draw(st.booleans())}
        told += place.news(listed).orders
        place = place.after(look(listed))
        if number in restarts:
            place = kept_and_recalled(place)
    assert told == len(known)


@given(ORDERS)
def test_what_is_there_at_first_is_no_news(orders: dict[int, int]) -> None:
    assert Place.begin(look(orders)).news(orders) == News()


@given(st.integers(0, 500), st.lists(st.integers(0, 30 * MINUTE), min_size=2, max_size=6))
def test_looks_leave_no_gap_and_a_place_holds_little(lookback: int, pauses: list[int]) -> None:
    now, start, place = NOW, None, None
    ends = []
    for pause_ms in pauses:
        now += pause_ms
        first, end, start = Look.window(start, now, lookback)
        seen = Look(first, start, {number: now - number * MINUTE for number in range(100)})
        place = Place.begin(seen) if place is None else place.after(seen)
        assert first <= (ends[-1] if ends else now) - lookback
        assert end > now
        assert all(at >= now - lookback for at in place.seen.values())
        ends.append(now)


def test_a_clock_that_is_set_back_makes_old_orders_no_news() -> None:
    orders = {1: NOW - 90 * MINUTE, 2: NOW - 10 * MINUTE}
    place = Place.begin(look(orders))
    start, _, following = Look.window(place.since_ms, NOW - 120 * MINUTE, LOOKBACK)
    assert start == NOW - 180 * MINUTE
    assert following == place.since_ms
    assert place.news(orders) == News()


def test_what_is_kept_stays_small_and_tells_nothing_twice() -> None:
    orders = {number: NOW - number for number in range(5000)}
    place = Place.begin(look(orders))
    assert len(json.dumps(place.kept())) < 65_535
    recalled = kept_and_recalled(place)
    assert recalled.news(orders) == News()
    assert recalled.news({-1: NOW, **orders}) == News(1, NOW, NOW)


@pytest.mark.parametrize("kept", [None, 7, "x", {}, {"since": "x", "seen": []}, {"since": 1, "seen": [[1]]}])
def test_a_place_that_is_none_of_ours_is_none(kept: Any) -> None:
    assert Place.recalled(kept) is None


def test_news_add_up() -> None:
    assert News.of([]) + News.of([3, 1]) + News.of([2, 9]) + News() == News(4, 1, 9)
    assert News(2, NOW, NOW + 1).payload(ZoneInfo("Asia/Kolkata")) == {
        "orders": 2,
        "first_create_date": "2023-11-15T03:43:20+05:30",
        "last_create_date": "2023-11-15T03:43:20.001000+05:30",
    }


@given(st.integers(0, 10_000))
def test_pauses_grow_and_are_never_below_the_interval(doublings: int) -> None:
    assert 60 <= pause(60, doublings, 3600) <= pause(60, doublings + 1, 3600) <= 3600
    assert pause(7200, doublings, 3600) == 7200
    assert pause(60, doublings, 0) == 60
