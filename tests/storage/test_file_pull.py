"""A window's days into files, in one pull."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kapture.client import Account, KaptureClient
from airflow_provider_kapture.client.api.request import build_query
from airflow_provider_kapture.client.errors import KaptureDialectError
from airflow_provider_kapture.client.pull.stats import PullStats
from airflow_provider_kapture.emulator import Book, Emulator, Switches
from airflow_provider_kapture.storage.file_pull import FilePull
from airflow_provider_kapture.storage.folder import Owner
from airflow_provider_kapture.storage.options import FileOptions

DAYS = 12


def make_client(kapture: Emulator, **extra: Any) -> KaptureClient:
    connection = json.loads(kapture.connection_json(**extra))
    return KaptureClient(
        Account.from_connection(connection["host"], connection["login"], connection["password"], connection["extra"])
    )


def pull(client: KaptureClient, folder: Path, stats: PullStats) -> list[dict[str, Any]]:
    query = build_query("create")
    window = client.window("2024-05-08", f"2024-05-{8 + DAYS:02d}")
    owner = Owner.from_account(client.account, None, None)
    options = FileOptions(f"{folder}/", "jsonl")
    with FilePull(client, query, stats, options, owner, lambda: None) as files:
        return files.run(window, 0, {})


def test_days_overlap_and_each_is_whole_in_its_own_file(tmp_path: Path) -> None:
    with Emulator(Book(orders=240, days=DAYS), Switches(latency=0.05)) as kapture, make_client(kapture) as client:
        stats = PullStats()
        files = pull(client, tmp_path, stats)
        assert kapture.stats()["max_in_flight"] == 4
        assert len(files) == DAYS
        for file in files:
            with Path(file["uri"].removeprefix("file://")).open() as lines:
                ids = {json.loads(line)["id"] for line in lines}
            window = client.window(file["window_start"], file["window_end"])
            assert ids == {
                order["id"] for order in kapture.orders if window.start_ms <= order["createDate"] < window.end_ms
            }
        assert stats.rows == 240


def test_an_exclusive_end_date_is_noticed_before_the_first_day_is_published(tmp_path: Path) -> None:
    with (
        Emulator(Book(orders=240, days=DAYS), Switches(end_date="exclusive")) as kapture,
        make_client(kapture) as client,
        pytest.raises(KaptureDialectError, match="`end_date`"),
    ):
        pull(client, tmp_path, PullStats())
    assert not list(tmp_path.rglob("*.jsonl"))


def test_empty_days_are_looked_at_twice_only_until_a_day_was_seen(tmp_path: Path) -> None:
    with Emulator(Book(orders=40, days=2)) as kapture, make_client(kapture) as client:
        pull(client, tmp_path, PullStats())
        # Two requests for each of the two days with orders, and one for each of those without.
        assert kapture.stats()["requests"] == 2 * 2 + (DAYS - 2)
