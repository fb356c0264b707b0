import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_kapture.client import errors
from airflow_provider_kapture.waiting import Enough, Failed, Place, from_payload, to_payload

NOW = 1_700_000_000_000
LOOKBACK = 3_600_000
ORDERS = st.dictionaries(st.integers(1, 50), st.integers(NOW - LOOKBACK, NOW), max_size=20)
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


@given(st.lists(ORDERS, min_size=1, max_size=6))
def test_an_order_is_news_once_as_long_as_it_stays(polls: list[dict[int, int]]) -> None:
    place, listed, told = Place.begin(NOW - LOOKBACK - 1), {}, []
    for poll in polls:
        listed = {**poll, **listed}
        told += place.new(listed)
        place = place.after(listed, NOW)
    assert sorted(told) == sorted(listed)


@given(ORDERS, ORDERS)
def test_what_was_seen_before_a_restart_is_no_news_after_it(before: dict[int, int], later: dict[int, int]) -> None:
    place = Place.begin(NOW - LOOKBACK).after(before, NOW)
    resumed = Place.begin(place.newest_ms)
    listed = {**later, **before}
    assert not before.keys() & resumed.new(listed)
    assert resumed.new(listed) == {key: at for key, at in listed.items() if at > place.newest_ms}


@given(st.integers(NOW - 10 * LOOKBACK, NOW + LOOKBACK), st.integers(0, 3 * LOOKBACK))
def test_a_poll_covers_what_the_one_before_may_have_missed(until: int, lookback: int) -> None:
    start, end = Place.begin(until).window(NOW, lookback)
    assert start <= until - lookback or start <= NOW - lookback
    assert start < end
    assert end > NOW
