"""The hook proves that there are no orders before it says so."""

from __future__ import annotations

from typing import Any

import pytest
from connected import connected

from airflow_provider_kapture.client.errors import KaptureDialectError
from airflow_provider_kapture.emulator import Emulator
from airflow_provider_kapture.hooks.kapture import KaptureHook

WINDOW = ("2024-06-08", "2024-06-09")


@pytest.fixture
def kapture(monkeypatch: pytest.MonkeyPatch):
    with connected(monkeypatch, 60, retry_budget=1) as running:
        yield running


READ = {
    "iter_orders": lambda: list(KaptureHook().iter_orders(*WINDOW)),
    "iter_orders, filtered": lambda: list(KaptureHook().iter_orders(*WINDOW, filters={"statusStr": "AP"})),
    "count_orders": lambda: KaptureHook().count_orders(*WINDOW),
    "count_orders, up to one": lambda: KaptureHook().count_orders(*WINDOW, at_least=1),
}


@pytest.mark.parametrize("read", READ.values(), ids=READ)
def test_no_orders_are_proven(kapture: Emulator, read: Any) -> None:
    assert not read()
    assert [each.body["createStartDate"] for each in kapture.requests_seen][-2:] == ["", "2024-05-10"]


@pytest.mark.parametrize("read", READ.values(), ids=READ)
def test_no_orders_that_cannot_be_are_an_error(kapture: Emulator, read: Any) -> None:
    kapture.set(date_format="%d-%m-%Y", lenient_dates=True)
    with pytest.raises(KaptureDialectError, match="`date_format`"):
        read()
