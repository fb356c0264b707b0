"""The tests that the documentation shows."""

# [START howto_test]
import gzip
import json

from airflow_provider_kapture.emulator import Book, Emulator
from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator


def test_a_day_of_orders(tmp_path, monkeypatch):
    with Emulator(Book(orders=300, days=3)) as kapture:
        for name, value in kapture.connection_uri_env().items():
            monkeypatch.setenv(name, value)
        kapture.set(status_every=2, status=503)

        receipt = KapturePullOrdersOperator(
            task_id="pull_orders",
            window_start="2024-05-08",
            window_end="2024-05-09",
            destination=f"{tmp_path}/orders.jsonl.gz",
        ).execute({})

        assert receipt["rows"] == kapture.count("2024-05-08", "2024-05-08")
        assert receipt["retries"] > 0
    with gzip.open(tmp_path / "orders.jsonl.gz", "rt", encoding="utf-8") as lines:
        assert len({json.loads(line)["id"] for line in lines}) == receipt["rows"]


# [END howto_test]
