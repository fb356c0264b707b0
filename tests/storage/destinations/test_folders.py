"""Folders and names of destinations: what a pull that published nothing leaves, and what no file system takes."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

from airflow_provider_kapture.client.errors import KaptureError
from airflow_provider_kapture.emulator import Book, Emulator
from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator
from airflow_provider_kapture.storage.destinations.folders import check_writable, in_folder, no_empty_folders
from airflow_provider_kapture.storage.destinations.stores.choose import open_store
from airflow_provider_kapture.storage.destinations.stores.store import ChangedError

DAY = {"window_start": "2024-05-08", "window_end": "2024-05-09"}
EMPTY = {"window_start": "2024-06-01", "window_end": "2024-06-03"}


@pytest.fixture
def kapture(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    with Emulator(Book(orders=60, days=1)) as running:
        for name, value in running.connection_uri_env(retry_budget=1).items():
            monkeypatch.setenv(name, value)
        yield running


def pull(**arguments: Any) -> Any:
    return KapturePullOrdersOperator(task_id="pull", **{**DAY, **arguments}).execute({})


@pytest.mark.parametrize("destination", ["new/deep/", "new/deep/orders.csv", "new/create_date=2024-05-08/orders.csv"])
@pytest.mark.parametrize(
    "case",
    [
        ({}, {"status_every": 1, "status": 400}, AirflowFailException),
        ({}, {"shuffle": True, "page_cap": 20}, KaptureError),
        ({**EMPTY, "on_empty": "fail"}, {}, AirflowFailException),
    ],
)
def test_a_pull_that_published_nothing_leaves_no_folder(
    kapture: Emulator, tmp_path: Path, destination: str, case: tuple[dict[str, Any], dict[str, Any], type[Exception]]
) -> None:
    arguments, switches, error = case
    kapture.set(**switches)
    with pytest.raises(error):
        pull(destination=f"{tmp_path}/{destination}", file_format="csv", **arguments)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("destination", "left"),
    [("new/deep/", ["20240531T183000Z_20240602T183000Z.json", "_kapture.json"]), ("new/deep/orders.csv", [])],
)
def test_a_skipped_window_leaves_its_receipt_and_the_owner_of_the_folder_alone(
    kapture: Emulator, tmp_path: Path, destination: str, left: list[str]
) -> None:
    with pytest.raises(AirflowSkipException):
        pull(destination=f"{tmp_path}/{destination}", file_format="csv", on_empty="skip", **EMPTY)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == left
    assert bool(list(tmp_path.iterdir())) is bool(left)


def test_folders_that_were_there_stay(kapture: Emulator, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    kapture.set(status_every=1, status=400)
    for destination in ("old/", "old/new/", "old/orders.csv"):
        with pytest.raises(AirflowFailException):
            pull(destination=f"{tmp_path}/{destination}", file_format="csv")
        assert [path.name for path in tmp_path.rglob("*")] == ["old"]


def test_a_day_that_cannot_be_put_in_place_leaves_no_folder_of_its_own(
    kapture: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError("no rename")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="no rename"):
        pull(destination=f"{tmp_path}/new/")
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of providers' hooks, all of which Airflow 2 imports here
def test_a_failed_upload_leaves_no_spool_folder(
    kapture: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__KAPTURE__SPOOL_DIR", str(tmp_path / "spool" / "deep"))
    kapture.set(status_every=1, status=400)
    with pytest.raises(AirflowFailException):
        pull(destination="memory://bucket/orders.csv")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_another_pull_removes_is_made_again(tmp_path: Path) -> None:
    calls: list[int] = []

    def act() -> str:
        calls.append(1)
        if len(calls) == 1:
            folder.rmdir()
        (folder / "spool").touch()
        return "done"

    folder = tmp_path / "new"
    assert in_folder(folder, act) == "done"
    assert len(calls) == 2


def test_a_folder_with_something_in_it_stays(tmp_path: Path) -> None:
    with no_empty_folders(tmp_path / "a" / "b" / "c"):
        check_writable(tmp_path / "a" / "b" / "c")
        (tmp_path / "a" / "orders.csv").touch()
    assert [path.name for path in sorted(tmp_path.rglob("*"))] == ["a", "orders.csv"]


@pytest.mark.parametrize("destination", ["new/deep/", "new/deep/orders.csv", "new/create_date=2024-05-08/orders.csv"])
def test_each_file_and_folder_is_flushed_to_disk_under_its_name(
    kapture: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, destination: str
) -> None:
    flushed: set[Path] = set()
    fsync = os.fsync

    def record(handle: int) -> None:
        fsync(handle)
        path = Path(f"/proc/self/fd/{handle}").readlink()
        flushed.update(path.iterdir() if path.is_dir() else ())

    monkeypatch.setattr(os, "fsync", record)
    pull(destination=f"{tmp_path}/{destination}", file_format="csv")
    assert set(tmp_path.rglob("*")) <= flushed


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP])
def test_a_file_system_without_links_is_taken_too(
    kapture: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refuse)
    pull(destination=f"{tmp_path}/")
    store = open_store(f"{tmp_path}/")
    with pytest.raises(ChangedError):
        store.write("_kapture.json", b"another", None)
    assert b"another" not in (tmp_path / "_kapture.json").read_bytes()


@pytest.mark.parametrize("scheme", ["", "file://"])
@pytest.mark.parametrize(
    "destination",
    [
        "n" * 300 + ".csv",
        "ल" * 100 + ".csv",  # 300 bytes
        "n" * 300 + "/",
        "n" * 300 + "/orders.csv",
        "/".join(["n" * 200] * 30) + "/",
        "/".join(["n" * 200] * 30) + "/orders.csv",
        "/".join(["n" * 79] * 50) + "/",  # with a day's folder and name, too long
        "loop/orders.csv",
        "\ud83d.csv",
    ],
)
def test_a_name_that_the_file_system_does_not_take_is_permanent(
    kapture: Emulator, tmp_path: Path, scheme: str, destination: str
) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(AirflowFailException, match="destination"):
        pull(destination=f"{scheme}{tmp_path}/{destination}", file_format="csv")
    assert kapture.stats()["requests"] == 0
    assert [path.name for path in tmp_path.iterdir()] == ["loop"]


@pytest.mark.parametrize("destination", ["n" * 1025 + ".csv", "ल" * 341 + ".csv", "n" * 1000 + "/"])
def test_a_name_that_an_object_store_does_not_take_is_permanent(
    kapture: Emulator, monkeypatch: pytest.MonkeyPatch, destination: str
) -> None:
    # A connection id of its own: Airflow keeps a process's file systems by connection.
    closed = '{"conn_type": "aws", "extra": {"endpoint_url": "http://127.0.0.1:1"}}'
    monkeypatch.setenv("AIRFLOW_CONN_UNREACHABLE", closed)
    with pytest.raises(AirflowFailException, match="may have 1,024 bytes"):
        pull(destination=f"s3://unreachable@bucket/{destination}", file_format="csv")
    assert kapture.stats()["requests"] == 0
