import datetime as dt
from collections.abc import Callable
from zoneinfo import ZoneInfo

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st
from instants import each_kind

from airflow_provider_kapture.client.days import WindowEdge, day_end, day_start, from_ms, make_window, ranges
from airflow_provider_kapture.client.errors import KaptureSettingsError

ZONES = ["Asia/Kolkata", "UTC", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "America/St_Johns"]

STARTS = st.integers(1_262_304_000_000, 1_798_761_600_000).map(from_ms)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Asia/Kolkata", dt.date(2026, 1, 5), 24),
        ("America/New_York", dt.date(2026, 3, 8), 23),
        ("America/New_York", dt.date(2026, 11, 1), 25),
        ("Australia/Lord_Howe", dt.date(2026, 4, 5), 24.5),
        ("America/Sao_Paulo", dt.date(2018, 11, 4), 23),
        ("Pacific/Apia", dt.date(2011, 12, 30), 0),
    ],
)
def test_a_day_has_the_hours_its_zone_gives_it(zone: str, day: dt.date, hours: float) -> None:
    where = ZoneInfo(zone)
    assert day_end(day, where) - day_start(day, where) == hours * 3_600_000


@given(
    zone=st.sampled_from(ZONES),
    start=STARTS,
    minutes=st.integers(1, 60 * 24 * 31),
)
def test_the_days_of_a_window_partition_it(zone: str, start: dt.datetime, minutes: int) -> None:
    window = make_window(start, start + dt.timedelta(minutes=minutes), ZoneInfo(zone))
    parts = [part for _, part in window.days()]
    assert [part.start_ms for part in parts] == [window.start_ms, *(part.end_ms for part in parts[:-1])]
    assert parts[-1].end_ms == window.end_ms


@given(
    zone=st.sampled_from(ZONES),
    start=STARTS,
    minutes=st.integers(1, 60 * 24 * 31),
    share=st.floats(0, 1, exclude_max=True),
    widest=st.integers(1, 9),
)
def test_every_instant_of_a_window_is_asked_for_once(
    zone: str, start: dt.datetime, minutes: int, share: float, widest: int
) -> None:
    where = ZoneInfo(zone)
    window = make_window(start, start + dt.timedelta(minutes=minutes), where)
    instant = window.start_ms + int(share * (window.end_ms - window.start_ms))
    requested = ranges(window.dates(), widest)
    assert sum(days.contains(instant, where) for days in requested) == 1
    assert all((days.last - days.first).days < widest for days in requested)


@pytest.mark.parametrize(
    ("start", "end"),
    [("2026-01-06", "2026-01-05"), ("2026-01-05", "2026-01-05"), ("soon", "2026-01-05"), ("{{ ds }}", "x")],
)
def test_a_window_that_is_none_is_an_error(start: str, end: str) -> None:
    with pytest.raises(KaptureSettingsError, match="window_start"):
        make_window(start, end, ZoneInfo("UTC"))


@pytest.mark.parametrize("start", ["0001-01-01", dt.date.min, "0001-12-31T23:59:59+00:00"])
def test_the_first_and_the_last_year_of_the_calendar_are_none(start: WindowEdge) -> None:
    with pytest.raises(KaptureSettingsError, match=r"`window_start` is .*: its year must be one of 2 to 9998"):
        make_window(start, "2026-01-05", ZoneInfo("Asia/Kolkata"))
    with pytest.raises(KaptureSettingsError, match="`window_end` is 9999-12-31: its year"):
        make_window("2026-01-05", "9999-12-31", ZoneInfo("Asia/Kolkata"))


def test_what_carries_no_offset_is_in_the_accounts_zone() -> None:
    zone = ZoneInfo("Asia/Kolkata")
    window = make_window("2026-01-05", "2026-01-06 00:00:00+00:00", zone)
    assert window.start.isoformat() == "2026-01-05T00:00:00+05:30"
    assert from_ms(window.end_ms).isoformat() == "2026-01-06T00:00:00+00:00"


@each_kind
def test_an_instant_is_the_same_whatever_kind_of_datetime_it_is(kind: Callable[[dt.datetime], dt.datetime]) -> None:
    start = dt.datetime(2024, 11, 3, 5, 30, 0, 1, tzinfo=dt.UTC)  # within the hour that New York has twice
    end = start + dt.timedelta(hours=1)
    for zone in map(ZoneInfo, ZONES):
        window = make_window(kind(start), kind(end), zone)
        assert (window.start_ms, window.end_ms) == (1_730_611_800_001, 1_730_615_400_001)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (dt.datetime(2026, 1, 5), dt.datetime(2026, 1, 6)),  # noqa: DTZ001 - what is tested
        (pendulum.naive(2026, 1, 5), pendulum.naive(2026, 1, 6)),
        (pendulum.date(2026, 1, 5), pendulum.date(2026, 1, 6)),
        (20260105, 20260106),
    ],
)
def test_each_kind_of_edge_without_an_offset_is_in_the_accounts_zone(start: WindowEdge, end: WindowEdge) -> None:
    window = make_window(start, end, ZoneInfo("Asia/Kolkata"))
    assert (window.start.isoformat(), window.is_whole_days()) == ("2026-01-05T00:00:00+05:30", True)
