import datetime as dt
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.windows import plan_windows, window_of_run

ZONE = ZoneInfo("Asia/Kolkata")
MOMENT = dt.datetime(2026, 1, 5, 2, 0, tzinfo=dt.UTC)


@given(st.integers(1, 500), st.one_of(st.just("day"), st.timedeltas(dt.timedelta(hours=13), dt.timedelta(days=40))))
def test_planned_windows_are_adjacent(days: int, every: dt.timedelta | str) -> None:
    start = dt.date(2026, 1, 5)
    windows = plan_windows(start, start + dt.timedelta(days=days), every, "America/New_York")
    assert windows[0]["window_start"].startswith("2026-01-05T00:00")
    assert [each["window_start"] for each in windows[1:]] == [each["window_end"] for each in windows[:-1]]


def test_too_many_windows_suggest_a_step() -> None:
    with pytest.raises(KaptureSettingsError, match="timedelta"):
        plan_windows("2020-01-01", "2026-01-01", dt.timedelta(minutes=1))


@pytest.mark.parametrize(
    ("context", "arguments", "start", "end"),
    [
        ({"logical_date": MOMENT}, {"window": "day"}, "2026-01-04T00:00:00+05:30", "2026-01-05T00:00:00+05:30"),
        (
            {"logical_date": MOMENT},
            {"window": dt.timedelta(hours=1)},
            "2026-01-05T06:30:00+05:30",
            "2026-01-05T07:30:00+05:30",
        ),
        (
            {"data_interval_start": MOMENT - dt.timedelta(hours=2), "data_interval_end": MOMENT},
            {},
            "2026-01-05T05:30:00+05:30",
            "2026-01-05T07:30:00+05:30",
        ),
        (
            {"partition_key": "2026-01-03", "dag_run": SimpleNamespace()},
            {},
            "2026-01-03T00:00:00+05:30",
            "2026-01-04T00:00:00+05:30",
        ),
        (
            {
                "data_interval_start": MOMENT,
                "data_interval_end": MOMENT,
                "logical_date": MOMENT,
                "dag": SimpleNamespace(schedule="@daily", timezone=ZoneInfo("UTC")),
            },
            {},
            "2026-01-04T05:30:00+05:30",
            "2026-01-05T05:30:00+05:30",
        ),
        (
            {"logical_date": MOMENT, "dag": SimpleNamespace(schedule=dt.timedelta(hours=1))},
            {},
            "2026-01-05T06:30:00+05:30",
            "2026-01-05T07:30:00+05:30",
        ),
    ],
)
def test_the_window_that_a_run_means(context: dict, arguments: dict, start: str, end: str) -> None:
    window, _ = window_of_run(context, ZONE, **arguments)
    assert (window.start.isoformat(), window.end.isoformat()) == (start, end)


@pytest.mark.parametrize("arguments", [{}, {"window_start": "2026-01-01"}, {"window": "day"}, {"window": 3}])
def test_no_window_lists_the_ways_to_give_one(arguments: dict) -> None:
    with pytest.raises(KaptureSettingsError, match="window"):
        window_of_run({}, ZONE, **arguments)
