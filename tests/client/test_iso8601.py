import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_kapture.client import iso8601
from airflow_provider_kapture.client.days import make_window
from airflow_provider_kapture.client.errors import KaptureSettingsError

DAY = dt.date(2024, 5, 8)
INSTANT = dt.datetime(2024, 5, 8, 18, 30, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2024-05-08", DAY),
        (" 2024-05-08\n", DAY),
        ("20240508", DAY),
        (20240508, DAY),
        ("2024-W19-3", DAY),
        ("2024W193", DAY),
        ("20240508T183000Z", INSTANT),
        ("20240508T183000+0000", INSTANT),
        ("2024-05-08T18:30Z", INSTANT),
        ("2024-05-08t18:30:00z", INSTANT),
        ("2024-05-08 18:30:00+00:00", INSTANT),
        ("2024-W19-3T18:30:00Z", INSTANT),
        ("2024-05-09T00:00:00+05:30", INSTANT),
        ("2024-05-09T00:00:00+0530", INSTANT),
        ("2024-05-08T14:30:00-04", INSTANT),
        ("2024-05-08T24:00:00+05:30", INSTANT),
        ("2024-05-08T18:30:00.000000Z", INSTANT),
        ("2024-05-08T18:30:00,5Z", INSTANT + dt.timedelta(milliseconds=500)),
        ("2024-05-08T18", dt.datetime(2024, 5, 8, 18)),  # noqa: DTZ001 - as written
    ],
)
def test_iso_8601_is_read(text: str | int, meant: dt.date) -> None:
    assert (type(iso8601.parse(text)), iso8601.parse(text)) == (type(meant), meant)


@given(st.datetimes(timezones=st.sampled_from([None, dt.UTC, ZoneInfo("Asia/Kolkata"), ZoneInfo("America/New_York")])))
def test_what_python_writes_is_read(instant: dt.datetime) -> None:
    for text in (instant.isoformat(), str(instant)):
        read = iso8601.parse(text)
        assert (read, getattr(read, "tzinfo", None) is None) == (
            dt.datetime.fromisoformat(text),
            instant.tzinfo is None,
        )


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("2024-05-08x00:00", ""),
        ("2024-05-08_00:00", ""),
        ("2024-05-08  00:00", ""),
        ("2024-05-08T00:00:00+05:30x", ""),
        ("2024-05-08T1830000400", ""),
        ("2024-0508", ""),
        ("٢٠٢٤-٠٥-٠٨", ""),
        ("2024-05-08T25:00", "hour"),
        ("2024-05-08T00:00+05:75", "offset"),
        ("2024-02-30", "day is out of range"),
        ("2024-13-01", "month must be in"),
        ("2023-W53-1", "week"),
        ("None", "no value"),
        ("", "no value"),
        ("{{ ds }}", "template"),
        ("'2024-05-08'", "quotation marks"),
        ("1715193000", "epoch seconds"),
        (1715193000, "epoch seconds"),
        ("1715193000.5", "epoch seconds"),
        (1715193000000, "epoch milliseconds"),
        (1715193000000000, "epoch microseconds"),
        (1715193000000000000, "epoch nanoseconds"),
        ("202405081830", "without the T"),
        ("20240508183000", "without the T"),
        ("08052024", "DDMMYYYY"),
        ("08/05/2024", "DD/MM/YYYY or MM/DD/YYYY"),
        ("8.5.24", "DD/MM/YYYY or MM/DD/YYYY"),
        ("08-05-2024 00:00", "DD/MM/YYYY or MM/DD/YYYY"),
        ("2024/05/08", "hyphens"),
        ("2024-5-8", "two digits"),
        ("2024-05", "month"),
        ("2024", "year"),
        (2024, "year"),
        ("2024-W19", "week"),
        ("2024-129", "day of the year"),
        ("8 May 2024", "month as a number"),
        ("Wed, 08 May 2024 18:30:00 GMT", "month as a number"),
        ("2024-05-08 06:30 PM", "24 hours"),
        ("2024-05-08 18:30 IST", "offset"),
        ("2024-05-08T18:30+05:30[Asia/Kolkata]", "offset"),
        ("yesterday", "template"),
        (20240508.0, "float"),
        (1715193000.0, "epoch seconds"),
        (True, "a bool"),
        ((2024, 5, 8), "a tuple"),
        (None, "a NoneType"),
    ],
)
def test_everything_else_is_refused_with_what_it_may_have_been(value: Any, hint: str) -> None:
    for start, end, name in ((value, "2030-01-01", "window_start"), ("2000-01-01", value, "window_end")):
        with pytest.raises(KaptureSettingsError, match=rf"(?s)^`{name}` is .*{hint}"):
            make_window(start, end, ZoneInfo("Asia/Kolkata"))


@given(st.timedeltas(min_value=dt.timedelta(-400), max_value=dt.timedelta(400)))
def test_a_duration_is_read_as_python_writes_it(duration: dt.timedelta) -> None:
    assert iso8601.parse_duration(str(duration)) == duration


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("PT6H", 6),
        ("P1D", 24),
        ("P1DT12H", 36),
        ("P2W", 336),
        ("PT90M", 1.5),
        ("PT1.5H", 1.5),
        ("PT0,5H", 0.5),
        ("P0DT6H0M0S", 6),
        ("PT36S", 0.01),
    ],
)
def test_iso_durations(text: str, hours: float) -> None:
    assert iso8601.parse_duration(text) == dt.timedelta(hours=hours)


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "P1DT", "P1M", "P1Y", "1D", "6", "6h", "PT-6H", "6:00", "25 hours", "P999999999999D"]
)
def test_what_is_no_duration(text: str) -> None:
    assert iso8601.parse_duration(text) is None
