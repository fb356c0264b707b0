"""The commands of docs/storage.md that read a folder: each reader that is installed finds each order once."""

import os
import re
import shutil
import warnings
from glob import glob
from pathlib import Path

import duckdb
import postgres
import pyarrow.csv
import pyarrow.dataset
import pyarrow.parquet
import pytest

from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator
from airflow_provider_kapture.storage.encoders.schema import COLUMNS

# Run by `make test-readers`.
pytestmark = pytest.mark.slow

PAGE = (Path(__file__).parents[2] / "docs" / "storage.md").read_text(encoding="utf-8")
TABLE = PAGE.partition("## Reading the files")[2].partition("\n## ")[0]
FORMATS = ("parquet", "csv", "jsonl")


def commands(reader):
    """The commands of a reader, by format."""
    [row] = re.findall(rf"^\| {re.escape(reader)} \|(.*)\|$", TABLE, re.MULTILINE)
    cells = row.split(" | ")
    found = {name: re.search("`(.+?)`", cell) for name, cell in zip(FORMATS, cells, strict=False)}
    return {name: each[1] for name, each in found.items() if each}


@pytest.fixture
def folders(kapture, tmp_path):
    """Three days with orders and one without, in each format."""
    days = {"window_start": "2024-05-08", "window_end": "2024-05-12"}
    for name in FORMATS:
        pull = KapturePullOrdersOperator(task_id="pull", destination=f"{tmp_path}/{name}/", file_format=name, **days)
        receipt = pull.execute({})
        assert (receipt["rows"], len(receipt["files"])) == (300, 4)
    return tmp_path


def in_duckdb(command):
    with duckdb.connect() as database:
        return database.execute(f"SELECT count(*) FROM {command}").fetchall()[0][0]


def in_pyarrow(command):
    return eval(command, {"pyarrow": pyarrow, "os": os, "glob": glob}).count_rows()


def in_pandas(command):
    pandas = pytest.importorskip("pandas")
    return len(eval(command, {"pandas": pandas, "glob": glob}))


def in_polars(command):
    polars = pytest.importorskip("polars")
    return eval(command, {"polars": polars}).select(polars.len()).collect().item()


READERS = {"DuckDB": in_duckdb, "pyarrow": in_pyarrow, "pandas": in_pandas, "polars": in_polars}


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("reader", READERS)
def test_each_order_is_read_once(folders, reader, file_format):
    command = commands(reader)[file_format].replace("FOLDER", f"{folders}/{file_format}")
    assert READERS[reader](command) == 300


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("java") is None, reason="Java, which Spark needs, is not installed")
@pytest.mark.filterwarnings("ignore")
def test_spark_reads_each_order_once(folders):
    session = pytest.importorskip("pyspark.sql").SparkSession
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spark = session.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
    try:
        for file_format, command in commands("Spark").items():
            code = command.replace("FOLDER", f"{folders}/{file_format}")
            assert eval(code, {"spark": spark}).count() == 300
        # What the page warns of.
        assert spark.read.csv(f"{folders}/csv", header=True).count() > 300
    finally:
        spark.stop()


@pytest.mark.skipif(not postgres.is_installed(), reason="PostgreSQL is not installed")
def test_postgresql_reads_each_order_once(folders):
    found = commands("PostgreSQL")
    columns = ", ".join(f'"{name}" text' for name in COLUMNS)
    with postgres.serving() as database:
        database.run(f"CREATE TABLE orders ({columns}); CREATE TABLE raw_orders (line jsonb)")
        for file_format in ("csv", "jsonl"):
            for path in folders.glob(f"{file_format}/create_date=*/*"):
                database.run(found[file_format].replace("FILE", str(path)))
        for table in ("orders", "raw_orders"):
            assert database.run(f"SELECT count(*) FROM {table}") == [["300"]]


def test_pyarrow_refuses_an_empty_day_as_the_page_says(folders):
    with pytest.raises(pyarrow.ArrowInvalid, match="Empty JSON"):
        pyarrow.dataset.dataset(f"{folders}/jsonl", format="json", partitioning="hive").count_rows()
