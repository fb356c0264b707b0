"""The receipt: what an auditor finds in it, where it lies, and that no reader of the orders takes it for one."""

import hashlib
import json
import os
from pathlib import Path

import duckdb
import pyarrow.dataset
import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath
from attempts import attempt

from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator

DAYS = {"window_start": "2024-05-08", "window_end": "2024-05-11"}
NAME = "_receipts/create_date/20240507T183000Z_20240510T183000Z.json"


def pull(destination, context=None, **arguments):
    return KapturePullOrdersOperator(task_id="pull", **{**DAYS, "destination": destination, **arguments}).execute(
        context or {}
    )


def test_the_receipt_beside_the_data_is_the_one_that_is_returned(kapture, tmp_path):
    receipt = pull(f"{tmp_path}/", attempt())
    assert json.loads((tmp_path / NAME).read_text()) == receipt
    assert receipt["receipt_uri"] == f"{tmp_path}/{NAME}"
    assert receipt["query_hash"] == json.loads((tmp_path / "_kapture.json").read_text())["query_hash"]
    assert receipt["run"] == {"dag_id": "dag", "task_id": "pull", "run_id": "run", "map_index": -1}
    assert receipt["changed_days"] == ["2024-05-08", "2024-05-09", "2024-05-10"]
    assert (receipt["cm_id"], receipt["file_format"], receipt["filters"]) == (1000298, "jsonl.gz", [])


def test_a_pull_to_xcom_or_one_file_has_no_receipt_beside_it(kapture, tmp_path):
    one = pull(f"{tmp_path}/one.csv", filters={"city": "Pune"})
    assert [path.name for path in tmp_path.iterdir()] == ["one.csv"]
    assert not {"receipt_uri", "run"} & one.keys()
    assert one["filters"] == ["city"]
    assert one["query_hash"] == pull(f"{tmp_path}/two.csv", filters={"city": "Pune"})["query_hash"]
    assert one["query_hash"] != pull(f"{tmp_path}/two.csv", filters={"city": "Delhi"})["query_hash"]


def test_the_hash_of_the_orders_does_not_depend_on_the_format(kapture, tmp_path):
    formats = ("jsonl", "jsonl.gz", "csv", "parquet")
    files = [pull(f"{tmp_path}/{each}/", file_format=each)["files"] for each in formats]
    [plain, *others] = [[file["content_sha256"] for file in each] for each in files]
    assert plain == [hashlib.sha256(Path(file["uri"]).read_bytes()).hexdigest() for file in files[0]]
    assert others == [plain] * 3


def test_a_first_create_date_is_there_for_every_date_field(kapture, tmp_path):
    receipt = pull(f"{tmp_path}/", date_field="booking")
    assert receipt["first_create_date"] <= receipt["last_create_date"]
    assert receipt["rows"]


@pytest.mark.parametrize(
    "destination", ["~/orders/", "orders/", "here/../orders/", "./orders/", "file://{home}/orders/", "{home}/orders/"]
)
def test_uris_are_absolute_and_of_the_kind_that_was_given(kapture, tmp_path, monkeypatch, destination):
    home = Path(os.path.realpath(tmp_path))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home)
    (home / "here").mkdir()
    given = destination.format(home=home)
    receipt = pull(given)
    start = f"file://{home}/orders/" if given.startswith("file:") else f"{home}/orders/"
    for uri in (receipt["receipt_uri"], *(file["uri"] for file in receipt["files"])):
        assert uri.startswith(start)
        assert ObjectStoragePath(uri).exists()


@pytest.mark.parametrize("file_format", ["parquet", "csv"])
def test_readers_of_the_folder_find_the_orders_alone(kapture, tmp_path, file_format):
    rows = pull(f"{tmp_path}/", file_format=file_format)["rows"]
    pattern = f"{tmp_path}/create_date=*/*.{file_format}"
    with duckdb.connect() as database:
        read = {"parquet": "read_parquet", "csv": "read_csv"}[file_format]
        [(found,)] = database.execute(f"SELECT count(*) FROM {read}(?, hive_partitioning=true)", [pattern]).fetchall()
    assert found == rows
    assert pyarrow.dataset.dataset(tmp_path, format=file_format, partitioning="hive").count_rows() == rows
