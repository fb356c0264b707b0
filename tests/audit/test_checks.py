"""The checks of a folder, without a store."""

import datetime as dt
import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lakes import DAY, Lake, window_of, year

from airflow_provider_kapture.audit.checks import build_report, suspects
from airflow_provider_kapture.audit.records import StoredObject

ZONES = ("Asia/Kolkata", "Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns", "Africa/Cairo")
FIRST = dt.date(2024, 1, 1)
NOW = dt.datetime(2025, 2, 1, tzinfo=dt.UTC)


def found(lake, now=NOW):
    return [(each.kind, each.date) for each in build_report(lake.state(), now).findings]


def gap(lake, day):
    lake.forget(day)
    lake.receipts.pop(lake.receipt_of(day))
    lake.objects.pop(lake.name_of(day))


def overlap(lake, day):
    lake.pull_hours(day, 0, 12)


def missing(lake, day):
    lake.objects.pop(lake.name_of(day))


def altered_size(lake, day):
    lake.objects[lake.name_of(day)] = replace(lake.objects[lake.name_of(day)], size=7)


def altered_etag(lake, day):
    lake.objects[lake.name_of(day)] = replace(lake.objects[lake.name_of(day)], marks={"etag": "other"})


def altered_content(lake, day):
    lake.objects[lake.name_of(day)] = replace(lake.objects[lake.name_of(day)], sha256="other")


def incomplete(lake, day):
    lake.forget(day, keep_own=True)
    receipt = lake.receipts[lake.receipt_of(day)]
    receipt["pulled_at"] = (window_of(day, lake.zone).start + dt.timedelta(hours=1)).isoformat()


def unfinished(lake, day):
    lake.make_unfinished(lake.receipt_of(day), NOW - dt.timedelta(hours=25))


def unfinished_first_pull(lake, day):
    lake.make_unfinished(lake.receipt_of(day), NOW - dt.timedelta(hours=25), keep=False)


def unknown(lake, day):
    name = f"create_date={day}/copy of orders.csv"
    lake.objects[name] = StoredObject(name, 3)


def bad_receipt(lake, day):
    name = lake.receipt_of(day)
    lake.texts[name] = json.dumps(lake.receipts.pop(name)).encode()[:-20]


def edited_receipt(lake, day):
    lake.receipts[lake.receipt_of(day)]["rows"] += 1


def mixed(lake, day):
    lake.receipts[lake.receipt_of(day)]["cm_id"] = 8


FAULTS = {
    gap: "gap",
    overlap: "overlap",
    missing: "missing",
    altered_size: "altered",
    altered_etag: "altered",
    altered_content: "altered",
    incomplete: "incomplete",
    unfinished: "incomplete",
    unfinished_first_pull: "incomplete",
    unknown: "unknown",
    bad_receipt: "bad_receipt",
    edited_receipt: "bad_receipt",
    mixed: "mixed",
}


@settings(max_examples=4)
@given(data=st.data())
def test_every_planted_fault_of_a_year_is_found_and_nothing_else(data):
    lake = year(data.draw(st.sampled_from(ZONES)), lookback=data.draw(st.integers(0, 2)))
    places = st.integers(1, 363).map(lambda number: FIRST + number * DAY)
    planted = data.draw(st.dictionaries(places, st.sampled_from(list(FAULTS)), max_size=30))
    # What is left of the receipt of an unfinished run has no other fault.
    for day, fault in sorted(planted.items(), key=lambda each: FAULTS[each[1]] == "incomplete"):
        fault(lake, day)
    expected = {(FAULTS[fault], None if fault is mixed else day) for day, fault in planted.items()}
    assert sorted(map(str, found(lake))) == sorted(map(str, expected))


test_many_planted_faults = pytest.mark.slow(
    settings(max_examples=100)(
        given(data=st.data())(test_every_planted_fault_of_a_year_is_found_and_nothing_else.hypothesis.inner_test)
    )
)


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_has_its_kind_and_its_day(fault):
    lake = year(days=9, lookback=1)
    day = FIRST + 4 * DAY
    fault(lake, day)
    assert found(lake) == [(FAULTS[fault], None if fault is mixed else day)]


@pytest.mark.parametrize("zone", ZONES)
def test_a_year_without_faults_has_no_finding_and_whole_days(zone):
    report = build_report(year(zone, days=366).state(), NOW)
    assert report.findings == ()
    assert [each.date for each in report.days] == [FIRST + number * DAY for number in range(366)]
    assert all(each.complete and each.rows == each.date.day and len(each.uris) == 1 for each in report.days)


def hours(lake, day, *edges):
    for first, after in edges:
        lake.pull_hours(day, first, after)
    return build_report(lake.state(), NOW)


@pytest.mark.parametrize(
    ("zone", "day", "edges", "message"),
    [
        ("Asia/Kolkata", FIRST, ((0, 5), (7, 24)), "2024-01-01 from 05:00+05:30 to 07:00+05:30;"),
        ("Asia/Kolkata", FIRST, ((0, 1), (2, 3), (4, 24)), "from 01:00+05:30 to 02:00+05:30, from 03:00+05:30 to 04"),
        # 23 hours, 25 hours, and 24.5 hours.
        ("Europe/Berlin", dt.date(2024, 3, 31), ((0, 1), (3, 23)), "from 01:00+01:00 to 04:00+02:00;"),
        ("Europe/Berlin", dt.date(2024, 10, 27), ((0, 2), (3, 25)), "from 02:00+02:00 to 02:00+01:00;"),
        ("Australia/Lord_Howe", dt.date(2024, 4, 7), ((0, 1), (3, 24)), "from 01:00+11:00 to 02:30+10:30;"),
    ],
)
def test_a_gap_within_a_day_names_its_hours(zone, day, edges, message):
    lake = Lake(zone)
    lake.pull_day(day - DAY)
    lake.pull_day(day + DAY)
    start = window_of(day, lake.zone)
    # The last hours of a day whose length is not a number of hours.
    rest = (start.end_ms - start.start_ms) / 3_600_000
    report = hours(lake, day, *(*edges[:-1], (edges[-1][0], rest)) if rest % 1 else edges)
    [finding] = report.findings
    assert (finding.kind, finding.date) == ("gap", day)
    assert message in finding.message
    assert [each.complete for each in report.days] == [True, False, True]


def test_gaps_of_days_are_found_once_a_day():
    lake = Lake()
    lake.pull_day(FIRST)
    lake.pull_day(FIRST + 3 * DAY)
    assert found(lake) == [("gap", FIRST + DAY), ("gap", FIRST + 2 * DAY)]


def test_a_part_of_the_first_or_last_day_is_no_gap():
    lake = Lake()
    lake.pull_hours(FIRST, 20, 24)
    lake.pull_hours(FIRST + DAY, 0, 3)
    report = build_report(lake.state(), NOW)
    assert (report.findings, [each.complete for each in report.days]) == ((), [False, False])


def test_a_window_without_a_file_covers_its_days():
    lake = Lake()
    for number in range(3):
        name = lake.pull_day(FIRST + number * DAY)
    lake.receipts[name] |= {"files": [], "rows": 0, "empty_proof": "control_day"}
    lake.objects.pop(lake.name_of(FIRST + 2 * DAY))
    report = build_report(lake.state(), NOW)
    assert report.findings == ()
    assert report.days[-1].to_json() | {"pulled_at": ""} == {
        "date": "2024-01-03",
        "rows": 0,
        "pulled_at": "",
        "complete": True,
        "uris": [],
        "empty_proof": "control_day",
    }


def test_the_last_receipt_that_names_an_object_counts():
    lake = year(days=3)
    later = lake.pull_day(FIRST + 2 * DAY, lookback=1, after=dt.timedelta(hours=9))
    entry = lake.receipts[later]["files"][0]
    entry["bytes"], entry["etag"], entry["rows"] = 55, "new", 4
    lake.receipts[later]["rows"] = 4 + 3
    lake.objects[lake.name_of(FIRST + DAY)] = StoredObject(lake.name_of(FIRST + DAY), 55, {"etag": "new"})
    report = build_report(lake.state(), NOW)
    assert report.findings == ()
    assert (report.days[1].rows, report.days[1].pulled_at.hour) == (4, 9)


def test_objects_that_a_later_pull_of_their_hours_has_replaced_are_not_missing():
    lake = Lake()
    for first in range(0, 24, 6):
        lake.pull_hours(FIRST, first, first + 6)
    of_hours = set(lake.objects)
    lake.pull_day(FIRST, file_format="parquet", after=dt.timedelta(hours=10))
    assert found(lake) == [("overlap", FIRST)]
    for name in of_hours:
        lake.objects.pop(name)
    report = build_report(lake.state(), NOW)
    assert (report.findings, report.days[0].rows) == ((), 1)


def test_today_is_not_incomplete_before_its_end():
    lake = Lake()
    lake.pull_day(FIRST, after=dt.timedelta(hours=-5))
    end = window_of(FIRST, lake.zone).end
    assert found(lake, end - dt.timedelta(seconds=1)) == []
    assert not build_report(lake.state(), end).days[0].complete
    assert found(lake, end) == [("incomplete", FIRST)]
    lake.pull_day(FIRST, after=dt.timedelta())
    assert found(lake, end) == []


def test_a_run_that_still_works_is_no_finding():
    lake = year(days=5)
    day = FIRST + 2 * DAY
    lake.make_unfinished(lake.receipt_of(day), NOW - dt.timedelta(hours=23), keep=False)
    altered_etag(lake, day)
    report = build_report(lake.state(), NOW)
    assert report.findings == ()
    assert not report.days[2].complete
    missing(lake, day)
    assert found(lake) == []


def test_what_an_unfinished_run_has_written_outside_its_window_is_not_altered():
    lake = year(days=5)
    lake.make_unfinished(lake.receipt_of(FIRST + 4 * DAY), NOW, keep=False)
    name = lake.name_of(FIRST + 3 * DAY)
    lake.objects[name] = replace(lake.objects[name], size=8)
    assert suspects(lake.state()) == {name}
    lake.objects[name] = replace(lake.objects[name], pull_id="p1")
    assert found(lake) == []


def test_another_account_is_one_finding_with_its_first_receipt():
    lake = year(days=9)
    for number in (3, 4):
        lake.receipts[lake.receipt_of(FIRST + number * DAY)]["account"] = "other.kapturecrm.com"
    [finding] = build_report(lake.state(), NOW).findings
    assert (finding.kind, finding.uri) == ("mixed", "/lake/" + lake.receipt_of(FIRST + 3 * DAY))
    assert "2 receipts of account 'other.kapturecrm.com', cm_id 7" in finding.message
    lake.owner = None
    assert found(lake) == [("mixed", None)]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"window_end": "2024-01-05T00:00:00+05:30"}, "its window or date field is not that of its name"),
        ({"window_end": "soon"}, "Invalid isoformat"),
        ({"pulled_at": "2024-01-05"}, "its `pulled_at` has no time zone"),
        ({"pulled_at": 7}, "fromisoformat"),
        ({"files": 3}, "not iterable"),
        ({"files": [{}]}, "it lacks the key 'uri'"),
        ({"rows": "many"}, "its `rows` is not a number"),
        ({"rows": -1}, "its `rows` is not a number"),
        ({"date_field": "booking"}, "its window or date field is not that of its name"),
    ],
)
def test_an_edited_receipt_is_reported_with_the_reason(change, reason):
    lake = year(days=3)
    lake.receipts[lake.receipt_of(FIRST + DAY)] |= change
    [finding] = build_report(lake.state(), NOW).findings
    assert (finding.kind, finding.date) == ("bad_receipt", FIRST + DAY)
    assert reason in finding.message


@pytest.mark.parametrize("text", [b"", b"[]", b"null", b"\xff", b'"x"', b"7", b"[" * 100_000])
def test_what_is_no_receipt_is_reported(text):
    lake = year(days=3)
    lake.receipts.pop(lake.receipt_of(FIRST + DAY))
    lake.texts[lake.receipt_of(FIRST + DAY)] = text
    lake.texts["_receipts/create_date/notes.json"] = b"{}"
    assert found(lake) == [("bad_receipt", None), ("bad_receipt", FIRST + DAY)]


def test_hidden_files_and_folders_of_other_queries_are_left_out():
    lake = year(days=2)
    for name in ("_audit.html", "_kapture.json", ".kapture-host-1", "_tmp/x", "eu/_kapture.json", "eu/create_date=1/x"):
        lake.objects[name] = StoredObject(name, 1)
    assert found(lake) == []


def test_date_fields_are_audited_apart():
    lake = year(days=3)
    other = year(days=1)
    for name, receipt in other.receipts.items():
        text = json.dumps(receipt | {"date_field": "nextFollowup"}).replace("create_date=", "next_followup_date=")
        lake.receipts[name.replace("create_date", "next_followup_date")] = json.loads(text)
    for name, item in other.objects.items():
        renamed = name.replace("create_date=", "next_followup_date=")
        lake.objects[renamed] = replace(item, name=renamed)
    report = build_report(lake.state(), NOW)
    assert report.findings == ()
    assert [each.to_json().get("date_field") for each in report.days] == [None, "nextFollowup", None, None]


@pytest.mark.slow
def test_ten_thousand_days():
    lake = year(days=10_000, lookback=3, first=dt.date(1999, 1, 1))
    gap(lake, dt.date(2010, 1, 1))
    assert found(lake, dt.datetime(2027, 1, 1, tzinfo=dt.UTC)) == [("gap", dt.date(2010, 1, 1))]
