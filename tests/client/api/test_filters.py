"""A filter that was given filters: what Airflow, JSON, pandas and Jinja make of a value."""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_kapture.client import orders
from airflow_provider_kapture.client.api.request import build_query
from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.emulator import Book, Emulator
from airflow_provider_kapture.hooks.kapture import KaptureHook

TEXT_FILTERS = (
    *("name", "phone", "email", "clientReferenceIds", "erpOrderId", "erpInvoiceId", "country", "city", "state"),
    *(f"attr{number}" for number in range(1, 16)),
)
STATUS_FILTERS = (
    *("bookingStatus", "bookingSubStatus", "statusStr", "subStatusStr", "leadPriorityStr", "pricingStatus"),
)
ID_FILTERS = (
    *("customerIds", "leadIdStr", "enquiryIds", "viewId", "orderIds", "creatorIdStr", "assignIdStr", "zoneIdStr"),
    *("blockId", "unitId", "approvalDesignationIds", "creatorOrAssignedIdStr", "assignToIdsStr", "notAssignToIdsStr"),
    *("secondarySourceId", "approvedIds"),
)


class Lazy(Sequence[Any]):
    """As Airflow hands over the results of a mapped task."""

    def __init__(self, *items: Any) -> None:
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: Any) -> Any:
        return self._items[index]


def sent(name: str, value: Any) -> Any:
    return build_query("create", {name: value}).body[name]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (191000001, "191000001"),
        (191000001.0, "191000001"),
        ("191000001.0", "191000001"),
        ("191000001.00, 7.0", "191000001,7"),
        (Decimal(191000001), "191000001"),
        (Decimal("191000001.00"), "191000001"),
        ("191000001", "191000001"),
        (" 191000001\n", "191000001"),
        ("1, 2 ,3", "1,2,3"),
        ("007", "007"),
        (-1, "-1"),
        ("-1", "-1"),
        ([1, "2", 3.0, "4.0"], "1,2,3,4"),
        ((1, 2), "1,2"),
        ({3, 1, 2}, "1,2,3"),
        (Lazy([1, 2], [3]), "1,2,3"),
        ({1: "a", 2: "b"}.keys(), "1,2"),
        (2**53, str(2**53)),
        (2.0**53 - 1, str(2**53 - 1)),
    ],
)
def test_an_id_is_sent_as_the_integer_that_it_is(value: Any, text: str) -> None:
    assert sent("customerIds", value) == text


@pytest.mark.parametrize("name", ID_FILTERS)
def test_every_id_filter_takes_numbers(name: str) -> None:
    assert (sent(name, 7.0), sent(name, "7.0")) == ("7", "7")


@pytest.mark.parametrize("name", STATUS_FILTERS)
def test_status_and_priority_filters_take_numbers(name: str) -> None:
    assert (sent(name, 7.0), sent(name, [1, "AP"]), sent(name, "Order Confirmed")) == ("7", "1,AP", "Order Confirmed")


@pytest.mark.parametrize("name", TEXT_FILTERS)
@pytest.mark.parametrize("value", [919876543201, 42.0, ["a", 7], Decimal(7), (919876543201, 919876543202)])
def test_a_text_filter_takes_no_number(name: str, value: Any) -> None:
    with pytest.raises(KaptureSettingsError, match=f"'{name}' .* number") as caught:
        sent(name, value)
    assert "quote" in str(caught.value)
    assert "render_template_as_native_obj" in str(caught.value)
    assert "9198" not in str(caught.value)  # it may be a customer's


def test_every_filter_is_of_one_kind() -> None:
    assert set(ID_FILTERS) == orders.ID_FILTERS
    assert set(STATUS_FILTERS) == orders.STATUS_FILTERS
    others = set(orders.FILTERS) - orders.ID_FILTERS - orders.STATUS_FILTERS - set(TEXT_FILTERS)
    assert others == {name for name in orders.FILTERS if name.endswith("Date")} | {"sortParam"}


@pytest.mark.parametrize("name", ["customerIds", "bookingStatus", "phone", "attr7", "city", "nextFollowupStartDate"])
@pytest.mark.parametrize(
    "value",
    [
        *("", " ", "\n", "None", " None ", "null", "nan", "<NA>", ",", "a,", ",a", "a,,b", "a, ,b", "a,None"),
        *(None, [], (), set(), {}.keys(), [""], ["a", ""], ["a", None], ["a", "None"], [["a"], []], Lazy()),
        *(True, False, [True], float("nan"), float("inf"), [float("nan")], Decimal("NaN"), Decimal("sNaN")),
        *(["a,b"], ["a", "b,c"], {"id": 1}, [{"id": 1}], dt.date(2024, 5, 8), object(), b"7", 7j),
        *("{{ params.customer }}", "{% if x %}7{% endif %}", "[7, 8]", "['a', 'b']", '{"id": 7}'),
        *("a\x00b", "a\nb", "a\tb"),
    ],
)
def test_what_matches_nobody_or_everybody_is_an_error_that_names_the_filter(name: str, value: Any) -> None:
    with pytest.raises(KaptureSettingsError, match=f"[Ff]ilter '{name}'"):
        sent(name, value)


@pytest.mark.parametrize(
    "value",
    [
        *(7.5, "7.5", Decimal("7.5"), ["7", 7.5], "1.91E+08", "1e5", ".5"),
        *(2.0**53, "9007199254740992.0", 1e300, -(2.0**60)),
        *("NONE", "NULL", "NaN", "True", "false", "undefined", "(7, 8)", "7 8", "'7'", "7;8"),
    ],
)
def test_what_is_no_id_is_an_error(value: Any) -> None:
    with pytest.raises(KaptureSettingsError, match="Filter 'customerIds'"):
        sent("customerIds", value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", "Null, Ann"),
        ("name", "D'Souza (Jr.)"),
        ("attr3", "12, Main Road"),
        ("phone", "+919876543201"),
        ("erpOrderId", "000123.0"),
        ("attr1", " x "),
        ("bookingStatus", "none"),
    ],
)
def test_text_is_sent_as_it_is(name: str, value: str) -> None:
    assert sent(name, value) == value


@pytest.mark.parametrize("nothing", [None, {}])
def test_no_filters_are_none(nothing: Any) -> None:
    assert build_query("create", nothing, nothing).body == {}


@pytest.mark.parametrize("wrong", ["", "None", "{}", [], 0, False, [("customerIds", 1)]])
@pytest.mark.parametrize("argument", ["filters", "extra_body"])
def test_what_is_no_mapping_is_an_error(argument: str, wrong: Any) -> None:
    with pytest.raises(KaptureSettingsError, match=f"`{argument}` is"):
        build_query("create", **{argument: wrong})


def test_a_filter_is_checked_before_the_first_request(monkeypatch: pytest.MonkeyPatch) -> None:
    with Emulator(Book(orders=30, days=1)) as kapture:
        for name, value in kapture.connection_uri_env().items():
            monkeypatch.setenv(name, value)
        hook = KaptureHook()
        for call in (hook.count_orders, lambda *edges, **more: list(hook.iter_orders(*edges, **more))):
            with pytest.raises(KaptureSettingsError, match="customerIds"):
                call("2024-05-08", "2024-05-09", filters={"customerIds": ""})
        assert kapture.stats()["requests"] == 0
        customer = kapture.orders[0]["customerId"]
        expected = sum(order["customerId"] == customer for order in kapture.orders)
        assert hook.count_orders("2024-05-08", "2024-05-09", filters={"customerIds": float(customer)}) == expected
