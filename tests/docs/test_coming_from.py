"""What is said of another tool, where that tool is at hand."""

import json
import runpy
from pathlib import Path

import pytest

from airflow_provider_kapture.emulator import Book, Emulator

pytest.importorskip("airflow.providers.http.operators.http")
EXAMPLE = Path(__file__).parents[2] / "docs" / "coming_from" / "http_operator.py"


@pytest.mark.filterwarnings("ignore")  # of that tool
@pytest.mark.parametrize(
    ("switches", "rows", "different"),
    [
        ({}, 2_000, 2_000),
        ({"page_cap": 100}, 100, 100),
        ({"insert_per_answer": 1}, 2_004, 2_000),
        ({"delete_per_answer": 1}, 1_997, 1_997),
    ],
)
def test_http_operator(monkeypatch, switches, rows, different):
    with Emulator(Book(orders=4_000, days=2)) as kapture:
        kapture.set(**switches)
        connection = {"conn_type": "http", "host": kapture.origin, "login": kapture.user, "password": kapture.password}
        monkeypatch.setenv("AIRFLOW_CONN_KAPTURE_HTTP", json.dumps(connection))
        orders = runpy.run_path(str(EXAMPLE))["pull_orders"].execute({})
    assert (len(orders), len({order["id"] for order in orders})) == (rows, different)
