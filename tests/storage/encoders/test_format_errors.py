"""A format that will not do is named before the first request."""

import importlib.util

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_kapture.emulator import Book, Emulator
from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator


@pytest.fixture
def kapture(monkeypatch):
    with Emulator(Book(orders=20, days=1)) as running:
        for name, value in running.connection_uri_env().items():
            monkeypatch.setenv(name, value)
        yield running


def pull(**arguments):
    return KapturePullOrdersOperator(
        task_id="pull", window_start="2024-05-08", window_end="2024-05-09", **arguments
    ).execute({})


@pytest.mark.parametrize(
    ("name", "file_format", "message"),
    [
        ("", "xml", r"`file_format` is 'xml': it must be one of jsonl, jsonl\.gz"),
        ("", "", "`file_format` is ''"),
        ("", ["csv"], "file_format"),
        ("orders.csv", "parquet", "ends in 'orders.csv', but `file_format` is 'parquet'"),
        ("orders.jsonl.gz", "jsonl", "ends in 'orders.jsonl.gz', but `file_format` is 'jsonl'"),
        ("orders.txt", None, "Cannot tell the file format from `destination` name 'orders.txt'"),
    ],
)
def test_a_format_that_there_is_not_or_that_contradicts_the_name(kapture, tmp_path, name, file_format, message):
    with pytest.raises(AirflowFailException, match=message):
        pull(destination=f"{tmp_path}/{name}", file_format=file_format)
    assert kapture.stats()["requests"] == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("suffix", "package", "extra"), [("parquet", "pyarrow", "parquet"), ("jsonl.zst", "zstandard", "zstd")]
)
def test_an_extra_that_is_not_installed(kapture, monkeypatch, suffix, package, extra):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else found(name))
    with pytest.raises(AirflowFailException, match=rf"pip install 'airflow-provider-kapture\[{extra}\]'"):
        pull(destination=f"/nowhere/orders.{suffix}")
    assert kapture.stats()["requests"] == 0
