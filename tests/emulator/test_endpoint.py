"""The endpoint as the vendor's page has it, without any switch."""

import datetime as dt
import json

import pytest

from airflow_provider_kapture.client.orders import DATE_FIELDS

DAYS = ["2024-05-08", "2024-05-09", "2024-05-10"]
ALL = {"createStartDate": DAYS[0], "createEndDate": DAYS[-1]}
NO_WINDOW = {"createStartDate": "", "createEndDate": ""}


def test_an_order_comes_as_it_stands_in_the_book_newest_first(kapture, pull):
    answer = pull(**ALL)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.body["success"] == "true"
    assert answer.raw == b'{"success":"true","order_details":[' + b",".join(kapture.records()[::-1]) + b"]}"


def test_a_window_is_whole_days_of_the_account_end_included(kapture, pull):
    midnight = 1_715_106_600_000  # 2024-05-08T00:00+05:30
    day = 86_400_000
    for number, date in enumerate(DAYS):
        ids = pull(createStartDate=date, createEndDate=date).ids
        assert sorted(ids) == sorted(kapture.ids(midnight + number * day, midnight + (number + 1) * day))
        assert len(ids) == 30
    assert len(pull(createStartDate=DAYS[0], createEndDate=DAYS[1]).ids) == 60


def test_a_window_without_an_end_is_open(pull):
    assert len(pull(createStartDate=DAYS[1], createEndDate="").ids) == 60
    assert len(pull(createStartDate="", createEndDate=DAYS[1]).ids) == 60


@pytest.mark.parametrize("limit", ["7", 7])
def test_pages_make_up_the_listing(pull, limit):
    whole = pull(**ALL).ids
    pages = [pull(**ALL, limit=limit, offset=str(offset)).ids for offset in range(0, 100, 7)]
    assert [row for page in pages for row in page] == whole
    assert pages[-1] == []


def test_without_a_limit_a_page_has_the_default_one(kapture, pull):
    kapture.set(default_limit=11)
    assert len(pull(limit="").ids) == len(pull(limit="0").ids) == 11


@pytest.mark.parametrize("date_field", [name for name in DATE_FIELDS if name != "create"])
def test_orders_are_found_by_each_of_their_dates(pull, date_field):
    keys = DATE_FIELDS[date_field]
    first = dt.date(2024, 5, 1)
    days = [str(first + dt.timedelta(days=number)) for number in range(24)]
    found = [pull(**NO_WINDOW, **{keys.start_key: day, keys.end_key: day}).ids for day in days]
    assert sorted(row for day in found for row in day) == sorted(pull(**ALL).ids)
    assert sum(map(bool, found)) > 1


def test_several_windows_must_all_hold(pull):
    both = pull(**ALL, bookingStartDate=DAYS[0], bookingEndDate=DAYS[0]).ids
    assert set(both) <= set(pull(createStartDate=DAYS[0], createEndDate=DAYS[0]).ids)
    assert both


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("orderIds", ["id"]),
        ("customerIds", ["customerId"]),
        ("enquiryIds", ["enquiryId"]),
        ("creatorIdStr", ["creatorId"]),
        ("assignIdStr", ["assignedToId"]),
        ("assignToIdsStr", ["assignedToId"]),
        ("creatorOrAssignedIdStr", ["creatorId", "assignedToId"]),
        ("unitId", ["unitId"]),
        ("blockId", ["blockId"]),
        ("zoneIdStr", ["zoneId"]),
        ("bookingStatus", ["deliveryStatus"]),
        ("statusStr", ["deliveryStatus"]),
    ],
)
def test_filters_hold_for_what_an_order_shows(pull, name, fields):
    orders = pull(**ALL).orders
    values = [str(orders[3][fields[0]]), str(orders[5][fields[-1]])]
    expected = [order["id"] for order in orders if any(str(order[field]) in values for field in fields)]
    assert pull(**ALL, **{name: ", ".join(values)}).ids == expected
    assert pull(**ALL, **{name: values}).ids == expected
    assert 0 < len(expected) < len(orders)


def test_a_negated_filter_leaves_out(pull):
    orders = pull(**ALL).orders
    value = orders[0]["assignedToId"]
    kept = [order["id"] for order in orders if order["assignedToId"] != value]
    assert pull(**ALL, notAssignToIdsStr=str(value)).ids == kept


def test_an_order_is_found_without_a_window(pull):
    expected = pull().orders[4]
    assert expected["id"] in pull(**NO_WINDOW, customerIds=expected["customerId"]).ids


def test_nothing_is_an_empty_list(pull):
    answer = pull(createStartDate="2020-01-01", createEndDate="2020-01-01")
    assert answer.status == 200
    assert answer.body == {"success": "true", "order_details": []}


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_object_is_invalid(pull, raw):
    answer = pull(raw=raw)
    assert answer.status == 400
    assert answer.body == {"message": "Invalid Json.", "status": "failed"}


@pytest.mark.parametrize("cm_id", [None, "", 0, -1, "abc", 1.5, True])
def test_the_account_is_required(pull, cm_id):
    answer = pull(cmId=cm_id)
    assert answer.status == 400
    assert "cmId" in answer.body["message"]


def test_another_account_is_forbidden(pull):
    assert pull(cmId=1).status == 403


def test_at_least_one_filter_is_required(pull):
    answer = pull(**NO_WINDOW, viewId="2")
    assert answer.status == 400
    assert answer.body["message"].startswith("Atleast one of the value must be entered out of name, enquiryIds")


@pytest.mark.parametrize(
    "wrong",
    [{"limit": "many"}, {"limit": -1}, {"offset": "-1"}, {"offset": "9" * 5_000}, {"createEndDate": "08/05/2024"}],
)
def test_a_value_that_can_not_be_read_is_named(pull, wrong):
    answer = pull(**wrong)
    assert answer.status == 400
    assert answer.body["status"] == "failed"
    assert next(iter(wrong)) in answer.body["message"]


@pytest.mark.parametrize("header", ["", "Basic", "Basic !", "Bearer x", "Basic eDp5"])
def test_wrong_credentials_are_refused(pull, header):
    answer = pull(headers={"Authorization": header})
    assert answer.status == 401
    assert answer.body == {"message": "Invalid Auth Key", "status": "failed"}


def test_another_method_is_not_allowed(pull):
    answer = pull(method="GET")
    assert answer.status == 405
    assert answer.headers["allow"] == "POST"


def test_another_path_is_not_found(pull):
    assert pull(path="/ms/other").status == 404


def test_a_connection_is_kept_alive(kapture, pull):
    assert json.loads(kapture.connection_json())["host"] == kapture.origin
    assert pull().headers.get("connection", "keep-alive") == "keep-alive"
