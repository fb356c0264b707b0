import datetime as dt

import pytest

from airflow_provider_kapture.client import Account
from airflow_provider_kapture.client.api.response import Page
from airflow_provider_kapture.client.days import DayRange
from airflow_provider_kapture.client.errors import KaptureListingError
from airflow_provider_kapture.client.pagination.knowledge import AccountKnowledge
from airflow_provider_kapture.client.pull.paging_checks import CapCheck, FirstPageCheck

DAY = DayRange(dt.date(2026, 5, 8), dt.date(2026, 5, 8))
NEXT = DayRange(dt.date(2026, 5, 9), dt.date(2026, 5, 9))


def account_of(paging: str, **extra: object) -> Account:
    return Account.from_connection("acme", "login", "password", {"cm_id": 1, "paging": paging, **extra})


def page_of(*keys: int) -> Page:
    return Page([b"{}"] * len(keys), list(keys), [None] * len(keys))


@pytest.mark.parametrize(("paging", "offset"), [("rows", 1), ("pages", 1), ("pages_from_1", 0)])
def test_a_first_page_without_orders_is_checked_once_at_the_other_offset(paging, offset):
    check = FirstPageCheck(account_of(paging))
    check.see(page_of())
    assert check.is_due
    assert check.is_due
    request = check.begin(DAY)
    assert (request.days, request.offset, request.optional) == (DAY, offset, True)
    assert not check.is_due


def test_a_first_page_with_orders_needs_no_check():
    check = FirstPageCheck(account_of("rows"))
    check.see(page_of(1))
    check.see(page_of())
    assert not check.is_due


def test_an_unpaged_account_has_no_other_first_page():
    assert not FirstPageCheck(account_of("none")).is_due


@pytest.mark.parametrize(("paging", "right"), [("rows", "pages_from_1"), ("pages_from_1", "pages")])
def test_orders_at_the_other_offset_alone_are_an_error_that_names_the_setting(paging, right):
    check = FirstPageCheck(account_of(paging))
    check.check(page_of(), None)
    check.check(page_of(7), page_of(7))
    with pytest.raises(KaptureListingError, match=f"'{right}'"):
        check.check(page_of(7), page_of())


@pytest.mark.parametrize(
    ("rows", "longest", "is_due"),
    [
        pytest.param(10, 10, True, id="a usual cap"),
        pytest.param(50, 50, True, id="fifty"),
        pytest.param(350, 350, True, id="a multiple of fifty"),
        pytest.param(49, 49, False, id="no usual cap"),
        pytest.param(50, 60, False, id="a longer response was seen"),
        pytest.param(0, 0, False, id="no orders"),
    ],
)
def test_a_whole_listing_is_checked_where_its_length_may_be_a_cap(rows, longest, is_due):
    check = CapCheck(account_of("rows"), AccountKnowledge(longest=longest))
    check.see(DAY, rows)
    assert check.is_due is is_due


def test_a_cap_is_looked_for_once_in_a_wider_range():
    check = CapCheck(account_of("rows"), AccountKnowledge(longest=50))
    check.see(DAY, 50)
    check.see(NEXT, 20)
    request = check.begin(1)
    assert request.days == DayRange(dt.date(2026, 5, 5), dt.date(2026, 5, 11))
    assert (request.offset, request.limit, request.optional) == (1, None, True)
    assert not check.is_due
    check.check(page_of(*range(51)))
    for page in (page_of(*range(50)), None):
        with pytest.raises(KaptureListingError, match="50 rows may have been cut"):
            check.check(page)


def test_an_account_told_to_be_unpaged_is_checked_where_a_response_has_as_many_rows_as_the_limit():
    check = CapCheck(account_of("none", page_size=30), AccountKnowledge())
    check.see(DAY, 29)
    assert not check.is_due
    check.see(NEXT, 30)
    request = check.begin(0)
    assert (request.days, request.limit) == (NEXT, 2)
    assert not check.is_due
    check.check(page_of(*range(30)))
    check.check(None)
    with pytest.raises(KaptureListingError, match="`limit` of 2"):
        check.check(page_of(1, 2))


def test_listings_of_one_order_that_every_offset_shows_are_checked_together():
    check = CapCheck(account_of("rows"), AccountKnowledge(longest=1))
    check.see_single(DAY, page_of(1))
    check.see_single(NEXT, page_of(2))
    check.see_single(NEXT, page_of(3))
    assert check.is_due
    assert check.begin(0).days == DayRange(dt.date(2026, 5, 5), dt.date(2026, 5, 12))
    check.check(page_of(1, 2))
    with pytest.raises(KaptureListingError, match="single row"):
        check.check(page_of(1))


def test_a_longer_listing_settles_what_single_orders_left_open():
    check = CapCheck(account_of("rows"), AccountKnowledge(longest=3))
    check.see_single(DAY, page_of(1))
    check.see(NEXT, 3)
    assert not check.is_due
