"""A window's days into files, in one pull."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kapture.client import Account, KaptureClient
from airflow_provider_kapture.client.api.request import build_query
from airflow_provider_kapture.client.errors import KaptureAuthError, KaptureDialectError
from airflow_provider_kapture.client.pull.stats import PullStats
from airflow_provider_kapture.emulator import Book, Emulator, Switches
from airflow_provider_kapture.storage.checkpoint import Checkpoint
from airflow_provider_kapture.storage.file_pull import FilePull

DAYS = 12


def make_client(kapture: Emulator, **extra: Any) -> KaptureClient:
    connection = json.loads(kapture.connection_json(**extra))
    return KaptureClient(
        Account.from_connection(connection["host"], connection["login"], connection["password"], connection["extra"])
    )


def pull(
    client: KaptureClient, folder: Path, stats: PullStats, context: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    query = build_query("create")
    window = client.window("2024-05-08", f"2024-05-{8 + DAYS:02d}")
    return FilePull(client, query, stats, f"{folder}/", "jsonl", "write", lambda: None).run(window, 0, context or {})


class Store(dict[str, Any]):
    """A task's state between its tries."""

    set = dict.__setitem__
    delete = dict.__delitem__


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


def test_a_retry_takes_over_no_day_that_was_pulled_by_another_default_body(tmp_path: Path) -> None:
    context = {"ti": object(), "task_state_store": Store()}
    with Emulator(Book(orders=240, days=DAYS), Switches(status_every=9, status=401)) as kapture:
        with make_client(kapture) as client, pytest.raises(KaptureAuthError):
            pull(client, tmp_path, PullStats(), context)
        kapture.set(status_every=None)
        for body, is_resumed in (({"viewId": "3"}, False), ({"viewId": "2"}, True)):
            stored = Store(json.loads(json.dumps(context["task_state_store"])))
            stats = PullStats()
            with make_client(kapture, default_body=body) as client:
                assert len(pull(client, tmp_path, stats, {**context, "task_state_store": stored})) == DAYS
            assert bool(stats.resumed) is is_resumed


def test_a_resumed_day_keeps_its_counts(tmp_path: Path) -> None:
    """A retry's receipt counts what the earlier attempt trimmed, moved and repaired."""
    with Emulator(Book(orders=240, days=DAYS)) as kapture, make_client(kapture, max_concurrency=1) as client:
        done = PullStats(trimmed=1, moved=2, repaired=3)
        first = FilePull(client, build_query("create"), done, f"{tmp_path}/", "jsonl", "write", lambda: None)
        first._files.append({"uri": "file:///a", "rows": 5})
        checkpoint = Checkpoint(Store(), "key", {})
        first._save_checkpoint(checkpoint, "a", PullStats())
        resumed = PullStats()
        again = FilePull(client, build_query("create"), resumed, f"{tmp_path}/", "jsonl", "write", lambda: None)
        assert again._resume(checkpoint, "a")
        assert (resumed.rows, resumed.trimmed, resumed.moved, resumed.repaired) == (5, 1, 2, 3)
