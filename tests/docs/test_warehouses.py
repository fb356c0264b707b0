"""The recipe for PostgreSQL in docs/warehouses.md, and the tables that are made from the schema."""

import subprocess
import sys

import postgres
import pytest
from connected import connected
from doc_blocks import ROOT, blocks

from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator

RUN_HERE = [each.code for each in blocks() if each.run_by == "tests/docs/test_warehouses.py"]


def test_the_tables_are_those_of_the_schema():
    subprocess.run([sys.executable, ROOT / "scripts" / "reference_tables.py", "--check"], check=True)


@pytest.mark.skipif(not postgres.is_installed(), reason="PostgreSQL is not installed")
def test_postgresql_has_each_order_once_also_after_a_second_load(monkeypatch, tmp_path):
    days = {"window_start": "2024-05-08", "window_end": "2024-05-11"}
    pull = KapturePullOrdersOperator(task_id="pull", destination=f"{tmp_path}/", file_format="csv", **days)
    with connected(monkeypatch, 300):
        pull.execute({})
    define, load = RUN_HERE
    with postgres.serving() as database:
        database.run(define)
        for path in [*tmp_path.glob("create_date=*/*.csv")] * 2:
            day = path.parent.name.partition("=")[2]
            folder, _, name = str(path).rpartition("/create_date=")
            code = load.replace("create_date=2024-05-08/FILE.csv", f"create_date={name}").replace(
                "'2024-05-08'", f"'{day}'"
            )
            database.run(code.replace("/data/orders", folder))
        assert database.run("SELECT count(*), count(DISTINCT id), count(DISTINCT create_date) FROM orders") == [
            ["300", "300", "3"]
        ]
