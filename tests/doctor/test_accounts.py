"""Accounts that read the vendor's page in other ways, through the doctor and a pull with what it recommends."""

from __future__ import annotations

from dataclasses import fields

import pytest
from account_readings import READINGS, Reading
from doctor_runs import Examined, examined, retry_soon
from reading_pairs import ROWS, reading_of

from airflow_provider_kapture.client.config.settings import Dialect
from airflow_provider_kapture.client.config.table import SETTINGS
from airflow_provider_kapture.doctor.findings import CHECKS
from airflow_provider_kapture.doctor.run import MAX_REQUESTS

# No client can know what is missing; a listing of exactly 1,000 or 5,000 rows is a warning.
UNKNOWABLE = frozenset(
    {
        "only the last 90 days, else nothing",
        "1,000 rows in all, cut",
        "5,000 rows in all, cut",
        "two nodes, one lags",
        "two nodes, one lags, no cookies",
        "19 of 20 rows hidden after the limit",
    }
)
# A pull cannot succeed, and says why.
LIMITED = frozenset(
    {
        "1,000 rows in all, 400",
        "1,000 rows in all, 500",
        "1,000 rows in all, failed",
        "5,000 rows in all, 400",
        "10,000 rows in all, cut",
        "10,000 rows in all, 400",
        "30 of 40 rows in all, 400",
        "30 of 40 rows in all, 500",
        "30 of 40 rows in all, failed",
    }
)
# There is no setting for these, or only one that a person knows, such as a secret header.
WITHOUT_REMEDY = frozenset(
    {
        "x-api-key with the token",
        "x-api-key with the password",
        "x-api-key and x-api-type",
        "a secret header",
        "a firewall that wants a browser",
        "dates are ignored",
        "only the last 90 days, asked for more",
        "only the last 90 days, else failed",
        "limit and offset as numbers",
        "unpaged, 50 a day, 24 hours at once",
        "offset is ignored",
        "pages of 1",
        "bare_object",
        "no_body",
        "no orders at all, a message",
        "JSON in a string",
        "createDate: seconds",
        "createDate: words",
        "createDate: iso",
        "createDate: day_first",
        "createDate: null",
        "createDate: missing",
        "lines that share an id",
        "a comma after the last row",
        "latin_1_undeclared",
        "utf_16_undeclared",
        "two nodes, rows in another order, no cookies",
        "a first byte after read_timeout",
        "every response: closed",
        "every response: garbage",
        "every response: bad_gzip",
        "every response: silence",
        "every response is 500",
        "every response is 501",
        "every response is 503",
        "a redirect",
        "a gigabyte in a megabyte",
        "foreign JSON",
    }
)
# Of each topic, those that the doctor finds out in different ways.
QUICK = (
    "as the vendor's page has it",
    "an issued key",
    "wrong key: 200 AuthKeyInvalid",
    "wrong key: a redirect to a login page",
    "GET only, POST gets 403",
    "%d-%m-%Y or 400",
    "%m/%d/%Y, lenient",
    "%d-%m-%Y or no filter",
    "%Y-%m-%d %H:%M:%S, BETWEEN",
    "dates are ignored",
    "an exclusive end, days on both sides",
    "the zone America/New_York",
    "dates must be there",
    "a window alone gets empty",
    "viewId is refused",
    "a list",
    "pages from 0",
    "unpaged, 50 a day",
    "offset is ignored",
    "a limit over 100 gets failed",
    "past the end: first_page, one order a day",
    "404 with the date",
    "bare_list",
    "rows at response.orders",
    "createDate: iso",
    "two nodes, rows in another order",
)


@pytest.fixture(autouse=True)
def impatient(monkeypatch) -> None:
    """Retry soon: how long the waits are is another test's matter."""
    retry_soon(monkeypatch.setattr)


DOCTOR_QUESTIONS = {setting.key: setting.questions for setting in SETTINGS if setting.questions}


def check(found: Examined, *, is_async: bool, sizes: tuple[int | None, ...]) -> None:
    reading, report = found.reading, found.report
    assert found.requests <= MAX_REQUESTS
    assert "empty_messages" not in report.recommended
    for finding in report.findings:
        assert all(finding.question in DOCTOR_QUESTIONS[setting] for setting in finding.settings)
    pulls = [found.pull(page_size=size, is_async=is_async) for size in sizes]
    for got in pulls:
        if reading.name in UNKNOWABLE:
            continue
        assert got.kind != "SILENT", got.in_words
        if reading.is_wrong_key or reading.name in (LIMITED | WITHOUT_REMEDY):
            continue
        assert got.kind == "right", got.in_words
    if reading.is_wrong_key or reading.name in WITHOUT_REMEDY:
        assert not report.trusted
        assert report.wrong


def sizes_of(reading: Reading) -> tuple[int | None, ...]:
    return (None,) if reading.is_large else (None, 10)


def of(reading: Reading) -> object:
    return pytest.param(reading, id=f"{reading.topic}: {reading.name}")


@pytest.mark.parametrize("reading", [of(each) for each in READINGS if each.name in QUICK])
def test_a_reading(reading: Reading) -> None:
    with examined(reading) as found:
        check(found, is_async=False, sizes=sizes_of(reading))


@pytest.mark.slow
@pytest.mark.parametrize("reading", [of(each) for each in READINGS])
def test_each_reading(reading: Reading) -> None:
    with examined(reading) as found:
        check(found, is_async=False, sizes=sizes_of(reading))
        if not reading.is_large:
            check(found, is_async=True, sizes=(None,))


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(ROWS)))
def test_several_readings_at_once(number: int) -> None:
    with examined(reading_of(ROWS[number])) as found:
        assert found.requests <= MAX_REQUESTS
        for size in (None, 10):
            got = found.pull(page_size=size)
            assert got.kind != "SILENT", got.in_words


def test_each_name_is_of_one_reading() -> None:
    assert {*QUICK, *UNKNOWABLE, *LIMITED, *WITHOUT_REMEDY} <= {each.name for each in READINGS}


# What no request can show: how hard to ask, whom to trust, and what a person must not have guessed.
NOT_ASKED = {
    "cm_id",
    "headers",
    "max_concurrency",
    "connect_timeout",
    "read_timeout",
    "retry_budget",
    "max_response_bytes",
    "verify",
    "empty_messages",
    "busy_messages",
}


def test_each_setting_has_a_question_of_the_doctor_or_a_reason_to_have_none() -> None:
    assert {each.key for each in SETTINGS} == {each.name for each in fields(Dialect)}
    assert DOCTOR_QUESTIONS.keys() == {each.name for each in fields(Dialect)} - NOT_ASKED
    assert {question for questions in DOCTOR_QUESTIONS.values() for question in questions} <= CHECKS.keys()
