"""The plan without a server: what it asks for, and what it makes of accounts that the emulator does not play."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from zoneinfo import ZoneInfo

from airflow_provider_kapture.client import Account
from airflow_provider_kapture.client.days import DayRange, day_start
from airflow_provider_kapture.client.errors import KaptureBusyError, KaptureRefusedError, KaptureTransportError
from airflow_provider_kapture.doctor.findings import build_report
from airflow_provider_kapture.doctor.pace import Pace, pace_finding
from airflow_provider_kapture.doctor.plan import plan_probes
from airflow_provider_kapture.doctor.probe import ProbeResult
from airflow_provider_kapture.doctor.run import MAX_REQUESTS

ZONE = ZoneInfo("Asia/Kolkata")
TODAY = dt.date(2024, 5, 20)
HOUR = 3_600_000
ORDERS = {
    1_000 * day + number: day_start(dt.date(2024, 5, day), ZONE) + number * 2 * HOUR
    for day in range(8, 12)
    for number in range(12)
}


def refused(message, status=400):
    return ProbeResult(error=KaptureRefusedError(message, status=status), status=status, message=message)


def page(probe, first_row):
    asked = probe.days or DayRange(dt.date(2000, 1, 1), TODAY)
    rows = [key for key, instant in ORDERS.items() if asked.contains(instant, ZONE)]
    keys = tuple(rows[first_row : first_row + (probe.limit or probe.dialect.page_size)])
    return ProbeResult(keys, tuple(ORDERS[key] for key in keys), 200, '"success": "true"', body={"order_details": []})


def examine(answer, extra=None, day=None):
    """The report of an account that answers so, and the requests that were made."""
    account = Account.from_connection("acme", "login", "password", {"cm_id": 7, **(extra or {})})
    steps, asked = plan_probes(account, TODAY, day), []
    probe = next(steps)
    while True:
        asked.append(probe)
        result = answer(probe)
        left = MAX_REQUESTS - len(asked)
        try:
            probe = steps.send(replace(result, left=left))
        except StopIteration as finished:
            assert len(asked) <= MAX_REQUESTS
            pace = pace_finding(Pace((), 0.0, None))
            return build_report([*finished.value, pace], account.dialect), asked


def test_an_account_that_counts_pages_from_1_and_refuses_0_is_found():
    def answer(probe):
        if not probe.offset:
            return refused("Invalid page number")
        return page(probe, (probe.offset - 1) * (probe.limit or probe.dialect.page_size))

    report, asked = examine(answer)
    assert report.trusted
    assert report.recommended["paging"] == "pages_from_1"
    assert [probe.offset for probe in asked[:2]] == [0, 1]


def test_pages_from_1_that_show_nothing_at_0_are_found():
    def answer(probe):
        start = (probe.offset - 1) * (probe.limit or probe.dialect.page_size)
        return page(probe, start) if probe.offset else page(probe, len(ORDERS))

    report, _ = examine(answer)
    assert report.recommended["paging"] == "pages_from_1"


def test_rows_from_1_without_a_row_0_cannot_be_trusted():
    report, _ = examine(lambda probe: page(probe, probe.offset - 1) if probe.offset else refused("Invalid offset"))
    assert not report.trusted
    assert report.wrong == ["offset"]


def test_a_connection_with_pages_from_1_at_an_account_of_rows_is_put_right():
    report, _ = examine(lambda probe: page(probe, probe.offset), {"paging": "pages_from_1"})
    assert report.trusted
    assert report.recommended["paging"] == "rows"


def test_a_server_that_only_fails_is_left_alone_soon():
    def answer(probe):
        return ProbeResult(error=KaptureBusyError("Kapture answered 500", status=500), status=500)

    report, asked = examine(answer)
    assert not report.trusted
    assert report.wrong == ["method"]
    assert len(asked) <= 6


def test_an_account_that_takes_too_long_for_orders_of_any_date_is_asked_for_days():
    def answer(probe):
        if probe.days is None:
            return ProbeResult(error=KaptureTransportError("acme did not answer in time", reason="timeout"))
        return page(probe, probe.offset)

    report, asked = examine(answer, day=dt.date(2024, 5, 9))
    assert report.trusted
    assert report.recommended["control_day"] == "2024-05-10"
    assert sum(probe.days is None for probe in asked) == 1


def test_every_request_that_may_be_made_is_used_once_at_most():
    def answer(probe):
        return refused("Not this way") if probe.days else refused("Nor this way")

    report, asked = examine(answer, day=dt.date(2024, 5, 9))
    assert not report.trusted
    assert "--day" in next(each.evidence for each in report.findings if each.question == "orders")
    seen = [(probe.dialect, probe.days, probe.offset, probe.limit) for probe in asked]
    assert not [each for index, each in enumerate(seen) if each in seen[:index]]


def test_a_format_is_not_taken_for_one_with_day_and_month_exchanged():
    # Only one day has orders, and it reads alike in both.
    only = {key: instant for key, instant in ORDERS.items() if key // 1_000 == 8}
    shift = day_start(dt.date(2024, 5, 5), ZONE) - day_start(dt.date(2024, 5, 8), ZONE)
    moved = {key: instant + shift for key, instant in only.items()}

    def answer(probe):
        if probe.dialect.date_format not in ("%d-%m-%Y", "%m-%d-%Y") and probe.days:
            return refused("Unparseable date")
        first, last = (probe.days.first, probe.days.last) if probe.days else (dt.date(2000, 1, 1), TODAY)
        if probe.days and probe.dialect.date_format == "%d-%m-%Y":
            # The account reads the month first.
            try:
                first, last = (each.replace(day=each.month, month=each.day) for each in (first, last))
            except ValueError:
                return refused("Unparseable date")
        rows = [
            key for key, instant in moved.items() if first <= last and DayRange(first, last).contains(instant, ZONE)
        ]
        keys = tuple(rows[probe.offset : probe.offset + (probe.limit or 500)])
        return ProbeResult(keys, tuple(moved[key] for key in keys), 200, body={"order_details": []})

    report, _ = examine(answer, {"date_format": "%d-%m-%Y"})
    assert report.recommended.get("date_format") != "%d-%m-%Y" or not report.trusted
