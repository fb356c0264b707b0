"""What three small pages show of ``offset`` and ``limit``."""

from __future__ import annotations

import pytest

from airflow_provider_kapture.doctor.paging_kinds import MIN_ROWS, REQUESTS, Kind, fitting_kinds
from airflow_provider_kapture.emulator import Book, Switches
from airflow_provider_kapture.emulator.pages import select_rows
from airflow_provider_kapture.emulator.query import Query

SWITCHES = {
    Kind.ROWS: {},
    Kind.ROWS_FROM_1: {"paging": "rows_from_1"},
    Kind.ROUNDED: {"paging": "rounded"},
    Kind.PAGES: {"paging": "pages"},
    Kind.PAGES_FROM_1: {"paging": "pages_from_1"},
    Kind.LIMIT_IGNORED: {"limit_ignored": True},
    Kind.OFFSET_IGNORED: {"offset_ignored": True},
    Kind.UNPAGED: {"paging": "none"},
}


def ids(listing, switches, limit, offset):
    return [order.id for order in select_rows(listing, Query((), (), limit, offset), Switches(**switches))]


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("count", [MIN_ROWS, 8, 40])
def test_each_kind_is_told_from_the_others(kind, count):
    listing = sorted(Book(orders=count, days=1).generate(), key=lambda order: order.create_ms)
    rows = ids(listing, SWITCHES[kind], 500, 0)
    pages = [ids(listing, SWITCHES[kind], limit, offset) for limit, offset in REQUESTS]
    assert fitting_kinds(rows, pages) == [kind]


@pytest.mark.parametrize("cap", [2, 3, 6])
def test_what_counts_rows_is_told_by_short_pages_too(cap):
    listing = list(Book(orders=40, days=1).generate())
    switches = {"page_cap": cap}
    pages = [ids(listing, switches, limit, offset) for limit, offset in REQUESTS]
    assert fitting_kinds(ids(listing, switches, 500, 0), pages) == [Kind.ROWS]


def test_pages_of_other_rows_are_of_no_kind():
    assert fitting_kinds([1, 2, 3, 4, 5, 6, 7], [[5], [5, 6], [7, 1]]) == []
