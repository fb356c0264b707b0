"""The order of the examination: which question comes when. Pure; the questions are in the modules named here.

A generator that yields requests, is sent what they showed, and returns the findings.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.pagination.requests import Paging
from airflow_provider_kapture.doctor.control_day import find_control_day
from airflow_provider_kapture.doctor.dates import DateReading
from airflow_provider_kapture.doctor.day_search import DaySearch
from airflow_provider_kapture.doctor.empties import find_empty
from airflow_provider_kapture.doctor.examination import SMALL_LIMIT, Examination, Steps, StoppedError
from airflow_provider_kapture.doctor.failures import connection_findings
from airflow_provider_kapture.doctor.findings import Finding
from airflow_provider_kapture.doctor.format_proof import check_orders
from airflow_provider_kapture.doctor.handshake import Handshake
from airflow_provider_kapture.doctor.listing import Listing
from airflow_provider_kapture.doctor.page_size import fit_page_size
from airflow_provider_kapture.doctor.paging_kinds import Kind
from airflow_provider_kapture.doctor.probe import ProbeResult, Problem

# Requests that the widest range may take.
_RANGE_REQUESTS = 6


def plan_probes(
    account: Account, today: dt.date, day: dt.date | None, findings: list[Finding] | None = None
) -> Steps[list[Finding]]:
    """Ask the account about itself, and return the findings.

    :param account: where it is, and the settings to start from
    :param today: the account's date
    :param day: a day that has orders; looked for where none is given
    :param findings: is returned; each finding is added as soon as it is found
    """
    findings = [] if findings is None else findings
    exam = Examination(account, account.dialect, today, findings, base=account.dialect.first_offset)
    try:
        yield from _examine(exam, day)
    except StoppedError as stopped:
        if stopped.result is not None and not exam.findings:
            exam.findings += connection_findings(account, stopped.result)
        exam.findings.append(stopped.finding)
    fields = exam.survey.finding()
    if fields is not None:
        exam.findings.append(fields)
    return exam.findings


def _examine(exam: Examination, day: dt.date | None) -> Steps[None]:
    control = yield from Handshake(exam).run()
    if not control.keys and control.problem in (None, Problem.REFUSED):
        control = yield from _other_base(exam, control)
    if control.keys:
        _note_envelope(exam, control)
    check_orders(control)
    date, asked = yield from DaySearch(exam, control, day).run()
    yield from fit_page_size(exam, asked)
    dates = DateReading(exam)
    yield from dates.find_end_date(date)
    yield from dates.read_days_beside(date)
    subject = max(dates.pages, key=lambda each: (len(dates.pages[each].keys), each == date))
    page = dates.pages[subject]
    if not page.keys:
        evidence = f"the orders found near {date} are on none of its days"
        raise StoppedError(Finding("orders", "not known", evidence, is_good=False))
    _note_orders(exam, subject, page)
    largest = max(len(each.keys) for each in dates.pages.values())
    listing = Listing(exam, exam.range_of(subject), page, largest)
    yield from listing.run()
    yield from find_empty(exam)
    yield from dates.find_time_zone(len(page.keys), has_offset=listing.kind is Kind.ROWS)
    if exam.dialect.max_days_per_request > 1:
        yield from dates.find_widest_range(subject)
    yield from find_control_day(exam, dates.pages, listing.kind, control)
    yield from listing.look_past_the_end()
    if exam.dialect.max_days_per_request == 1 and exam.left >= _RANGE_REQUESTS:
        yield from dates.find_widest_range(subject)


def _other_base(exam: Examination, control: ProbeResult) -> Steps[ProbeResult]:
    """Request the other first page once: an account may count pages from 1, and refuse 0."""
    other = 1 - exam.base
    result = yield from exam.ask(None, offset=other, limit=SMALL_LIMIT, is_tentative=True)
    if not result.keys:
        return control
    exam.base = other
    exam.dialect = replace(exam.dialect, paging=Paging.PAGES_FROM_1 if other else Paging.ROWS)
    return result


def _note_orders(exam: Examination, date: dt.date, page: ProbeResult) -> None:
    check_orders(page)
    exam.note("orders", "found", f"{len(page.keys)} on the first page of {date}")
    _note_envelope(exam, page)


def _note_envelope(exam: Examination, page: ProbeResult) -> None:
    rows_at = exam.dialect.rows_at
    where = f"at {rows_at!r}" if rows_at else "as a bare list"
    claim = page.claim or "no claim of success"
    if rows_at == exam.account.dialect.rows_at:
        exam.note("envelope", claim, f"the orders stand {where}")
    else:
        exam.note("envelope", f"orders {where}", claim, settings={"rows_at": rows_at})
