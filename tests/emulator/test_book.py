import datetime as dt
import json
from collections import Counter
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_kapture.client.orders import ORDER_FIELDS, FieldType
from airflow_provider_kapture.emulator import Book

BOOK = Book(orders=3_000, days=3)
ORDERS = list(BOOK.generate())
READ = [json.loads(order.record, parse_float=Decimal) for order in ORDERS]


def test_the_same_arguments_give_the_same_bytes():
    assert [order.record for order in BOOK.generate()] == [order.record for order in ORDERS]


def test_another_seed_gives_other_orders():
    assert {order.record for order in Book(orders=3_000, days=3, seed=2).generate()}.isdisjoint(
        order.record for order in ORDERS
    )


def test_an_order_has_every_field_of_the_page_in_its_order_and_type():
    json_types = {
        FieldType.INTEGER: int,
        FieldType.INSTANT: int,
        FieldType.AMOUNT: (int, Decimal),
        FieldType.FLAG: bool,
        FieldType.TEXT: (str, type(None)),
    }
    for order in READ:
        assert list(order) == list(ORDER_FIELDS)
        assert all(isinstance(order[name], json_types[kind]) for name, kind in ORDER_FIELDS.items())


def test_what_is_known_of_an_order_is_what_its_record_says():
    assert [(each.id, each.create_ms) for each in ORDERS] == [(read["id"], read["createDate"]) for read in READ]


def test_orders_weigh_what_the_vendors_sample_does():
    assert 800 < sum(len(order.record) for order in ORDERS) / len(ORDERS) < 900


def test_texts_are_as_awkward_as_customers_write_them():
    texts = [order["remarks"] for order in READ]
    for awkward in ('"', "\\", "\n", "\r\n", "\t", "ग्राहक", "🚚", ",", "=SUM", "\u2028", "]}"):
        assert any(awkward in (text or "") for text in texts), awkward
    assert None in texts
    assert "" in texts
    escaped = [b"\\ud83d\\ude9a" in order.record for order in ORDERS]
    assert any(escaped)
    assert not all(escaped)


def test_amounts_have_up_to_six_decimals_trailing_zeros_and_signs():
    amounts = [order["productValue"] for order in READ] + [order["discount"] for order in READ]
    decimals = {-Decimal(amount).as_tuple().exponent for amount in amounts}
    assert {0, 1, 2, 6} <= decimals <= set(range(7))
    assert min(amounts) < 0
    assert any(str(amount).endswith(".50") for amount in amounts)


@pytest.mark.parametrize("timezone", ["Asia/Kolkata", "America/New_York", "Pacific/Chatham", "UTC"])
def test_days_have_orders_on_their_edges_and_are_evenly_filled(timezone):
    zone = ZoneInfo(timezone)
    # New York's clocks go forward on the second of these days.
    book = Book(orders=92, days=3, start=dt.date(2024, 3, 9), timezone=timezone)
    instants = [order.create_ms for order in book.generate()]
    assert instants == sorted(instants)
    for number, count in enumerate((31, 31, 30)):
        day = book.start + dt.timedelta(days=number)
        edges = [dt.datetime.combine(day + dt.timedelta(days=n), dt.time(), zone) for n in (0, 1)]
        first, after = (int(edge.timestamp()) * 1_000 for edge in edges)
        of_day = [instant for instant in instants if first <= instant < after]
        assert len(of_day) == count
        assert (of_day[0], of_day[-1]) == (first, after - 1)


def test_some_orders_share_their_instant_and_some_ids_fall():
    assert max(Counter(order.create_ms for order in ORDERS).values()) > 1
    ids = [order.id for order in ORDERS]
    assert ids != sorted(ids)
    assert len(set(ids)) == len(ids)


@given(
    orders=st.integers(0, 40),
    days=st.integers(1, 9),
    start=st.dates(dt.date(1990, 1, 1), dt.date(2037, 1, 1)),
    timezone=st.sampled_from(["Asia/Kolkata", "Pacific/Apia", "America/Sao_Paulo", "America/St_Johns", "Africa/Cairo"]),
)
def test_every_book_has_the_orders_asked_for_each_once(orders, days, start, timezone):
    generated = list(Book(orders, days, start, timezone).generate())
    assert len({order.id for order in generated}) == len(generated) == orders


@pytest.mark.parametrize(
    "wrong", [{"orders": -1}, {"days": 0}, {"cm_id": 0}, {"timezone": "Mars/Olympus"}, {"timezone": "../x"}]
)
def test_a_wrong_argument_is_named(wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=f"^{name} is "):
        Book(**wrong)


def test_a_book_until_an_instant_has_the_same_orders_up_to_it():
    last_ms = READ[1_500]["createDate"]
    kept = list(Book(orders=3_000, days=3, last_ms=last_ms).generate())
    assert [each.record for each in kept] == [each.record for each in ORDERS if each.create_ms <= last_ms]
    assert max(each.create_ms for each in kept) == last_ms


def test_a_book_until_now_has_no_order_of_the_future():
    before = dt.datetime.now(dt.UTC).timestamp() * 1_000
    book = Book.until_now(900, 3, "Asia/Kolkata")
    after = dt.datetime.now(dt.UTC).timestamp() * 1_000
    assert before - 1 <= book.last_ms <= after
    created = [each.create_ms for each in book.generate()]
    assert max(created) <= book.last_ms
    assert len(created) > 600
