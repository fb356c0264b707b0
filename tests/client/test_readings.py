"""Accounts that read the vendor's page in other ways: every order, or an error; never silently wrong rows."""

from __future__ import annotations

import pytest
import tenacity
from account_readings import READINGS, Reading
from reading_runs import run

from airflow_provider_kapture.client.fetch import retry

# Of each topic, those that are told apart by different code and take a moment.
QUICK = (
    "as the vendor's page has it",
    "an issued key",
    "the finished token of a key",
    "x-api-key with the token",
    "wrong key: 401 json",
    "wrong key: 403 html",
    "wrong key: 200 AuthKeyInvalid",
    "wrong key: a redirect to a login page",
    "wrong key: 200 a login page",
    "POST and GET",
    "GET only, POST gets 405",
    "%d-%m-%Y or 400",
    "%m/%d/%Y or failed",
    "%d-%m-%Y or no filter",
    "%d-%m-%Y or nothing",
    "%d-%m-%Y, lenient",
    "BETWEEN two midnights",
    "dates are ignored",
    "an exclusive end, days on both sides",
    "the zone America/New_York",
    "24 hours at once, or 400",
    "no future dates, up to today",
    "a window alone gets 400",
    "a window alone gets failed",
    "a window alone gets empty",
    "every key must be there, or 400",
    "cm_id instead of cmId",
    "a list",
    "rows from 1",
    "pages from 0",
    "offsets rounded down",
    "unpaged",
    "offset is ignored",
    "limit is ignored",
    "pages of 25",
    "pages of 1",
    "a limit over 100 gets failed",
    "past the end: 404, one order a day",
    "30 of 40 rows in all, 400",
    "every third row hidden after the limit",
    "null",
    "message",
    "204",
    "no orders at all, []",
    "success as boolean",
    "success as code_200",
    "rows at data",
    "gzip",
    "createDate: text",
    "createDate: iso",
    "NaN",
    "utf_8_bom",
    "latin_1",
    "two nodes, one lags",
    "two nodes, rows in another order",
    "every third response: reset",
    "every third response: half_chunk",
    "every third response is 503",
    "a second request at once gets 429",
    "a second request at once gets failed",
)


@pytest.fixture(autouse=True)
def impatient(mocker) -> None:
    """Ask again soon: how long the waits are is another test's matter."""
    mocker.patch.object(retry, "_backoff", tenacity.wait_fixed(0.01))
    mocker.patch.object(retry, "_jitter", tenacity.wait_none())


def check(reading: Reading, page_size: int, *, is_async: bool) -> None:
    got = run(reading, page_size=page_size, is_async=is_async)
    expected = reading.expected(page_size)
    if expected != "unknowable":
        assert got.kind in expected.split(" or "), got.in_words


def of(reading: Reading) -> object:
    return pytest.param(reading, id=f"{reading.topic}: {reading.name}")


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("reading", [of(each) for each in READINGS if each.name in QUICK])
def test_a_reading(reading: Reading, is_async: bool) -> None:
    # One page size for each transport: a page for the whole day, or several.
    check(reading, 10 if is_async else 500, is_async=is_async)


@pytest.mark.slow
@pytest.mark.parametrize("page_size", [500, 10])
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("reading", [of(each) for each in READINGS])
def test_each_reading(reading: Reading, page_size: int, is_async: bool) -> None:
    if reading.is_large and page_size == 10:
        pytest.skip("a large book by pages of 10 takes long")
    check(reading, page_size, is_async=is_async)


def test_each_name_is_of_one_reading() -> None:
    names = [each.name for each in READINGS]
    assert len(set(names)) == len(names)
    assert set(QUICK) <= set(names)
