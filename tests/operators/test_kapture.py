import datetime as dt
import gzip
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pull_threads
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException
from connected import connected

from airflow_provider_kapture.client.errors import KaptureListingError
from airflow_provider_kapture.emulator import Emulator
from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator

WINDOW = {"window_start": "2024-05-08", "window_end": "2024-05-11"}


@pytest.fixture
def kapture(monkeypatch: pytest.MonkeyPatch):
    with connected(monkeypatch, 300, retry_budget=1) as running:
        yield running


def run(**arguments: Any) -> Any:
    return KapturePullOrdersOperator(task_id="pull", **{**WINDOW, **arguments}).execute({})


def test_an_object_for_each_day_holds_each_order_once(kapture: Emulator, tmp_path: Path) -> None:
    receipt = run(destination=f"{tmp_path.as_uri()}/")
    found = sorted(tmp_path.rglob("*.jsonl.gz"))
    lines = [line.rstrip(b"\n") for path in found for line in gzip.decompress(path.read_bytes()).splitlines()]
    assert [path.parent.name for path in found] == [f"create_date=2024-05-{day:02d}" for day in (8, 9, 10)]
    assert sorted(lines) == sorted(kapture.records())
    assert (receipt["rows"], len(receipt["files"]), receipt["complete"]) == (300, 3, True)
    assert sum(file["rows"] for file in receipt["files"]) == 300


def test_a_rerun_gives_the_same_bytes(kapture: Emulator, tmp_path: Path) -> None:
    target = tmp_path / "orders.jsonl.gz"
    run(destination=str(target))
    before = target.read_bytes()
    run(destination=str(target))
    assert target.read_bytes() == before
    assert list(tmp_path.iterdir()) == [target]


def test_a_failed_pull_leaves_the_file_that_was_there(kapture: Emulator, tmp_path: Path) -> None:
    target = tmp_path / "orders.jsonl"
    target.write_text("as it was")
    kapture.set(shuffle=True, page_cap=20)
    with pytest.raises(KaptureListingError):
        run(destination=str(target))
    assert target.read_text() == "as it was"
    assert list(tmp_path.iterdir()) == [target]


def test_a_failed_pull_leaves_no_thread_while_its_error_is_looked_at(kapture: Emulator, tmp_path: Path) -> None:
    # Of the first days whose pages come, some are encoded by the time that one fails.
    kapture.set(page_cap=20, status_every=12, status=401)
    with pytest.raises(AirflowFailException) as caught:
        run(destination=f"{tmp_path}/", file_format="parquet")
    assert caught.traceback
    assert not pull_threads.running()


def test_an_indented_answer_becomes_a_line_an_order(kapture: Emulator, tmp_path: Path) -> None:
    kapture.set(indent=True)
    run(destination=str(tmp_path / "orders.jsonl"))
    lines = (tmp_path / "orders.jsonl").read_bytes().split(b"\n")
    assert sorted(map(json.loads, filter(None, lines)), key=lambda order: order["id"]) == sorted(
        kapture.orders, key=lambda order: order["id"]
    )


def test_orders_go_to_xcom_up_to_a_limit(kapture: Emulator) -> None:
    small = {"window_start": "2024-05-08T00:00", "window_end": "2024-05-08T03:00"}
    assert len(run(**small)) > 0
    with pytest.raises(AirflowFailException, match="destination"):
        run()


@pytest.mark.parametrize(
    ("switches", "status"), [({"bad_auth": 401}, "credentials"), ({"bad_auth": 200}, "credentials")]
)
def test_wrong_credentials_are_asked_about_once(
    kapture: Emulator, monkeypatch: pytest.MonkeyPatch, switches: dict[str, Any], status: str
) -> None:
    kapture.set(**switches)
    wrong = json.loads(kapture.connection_json()) | {"password": "canary-password"}
    monkeypatch.setenv("AIRFLOW_CONN_KAPTURE_DEFAULT", json.dumps(wrong))
    with pytest.raises(AirflowFailException, match=status) as caught:
        run()
    assert kapture.stats()["requests"] == 1
    assert "canary-password" not in str(caught.value)


@pytest.mark.parametrize(("status", "requests"), [(400, 2), (403, 1), (404, 2)])
def test_what_a_retry_cannot_mend_fails_at_once(kapture: Emulator, status: int, requests: int) -> None:
    # Offset 1 is requested too where pages may count from 1.
    kapture.set(status_every=1, status=status)
    with pytest.raises(AirflowFailException, match=str(status)):
        run()
    assert kapture.stats()["requests"] == requests


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"filters": {"customerId": 1}}, "customerIds"),
        ({"window_start": "2024-05-11"}, "window_start"),
        ({"window_start": "never"}, "window_start"),
        ({"window_start": None, "window_end": None}, "Cannot determine the window"),
        ({"destination": "/proc/no/such/orders.jsonl"}, "destination"),
        ({"destination": "orders.parcet"}, "file_format"),
        ({"on_empty": "maybe"}, "on_empty"),
        ({"window_end": ""}, "`window_end` is ''"),
        ({"window_start": None, "window_end": None, "window": "dya"}, "`window` is 'dya'"),
        ({"date_field": "booking", "window_start": "2024-05-08T01:00"}, "whole days"),
    ],
)
def test_bad_input_is_named_before_the_first_request(
    kapture: Emulator, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(AirflowFailException, match=message):
        run(**arguments)
    assert kapture.stats()["requests"] == 0


@pytest.mark.parametrize("on_empty", ["write", "skip", "fail"])
def test_an_empty_window(kapture: Emulator, tmp_path: Path, on_empty: str) -> None:
    target = tmp_path / "orders.jsonl"
    arguments = {"window_start": "2024-06-01", "window_end": "2024-06-02", "destination": str(target)}
    if on_empty == "write":
        assert run(**arguments)["rows"] == 0
        assert target.read_bytes() == b""
    else:
        expected = AirflowSkipException if on_empty == "skip" else AirflowFailException
        with pytest.raises(expected, match="no orders"):
            run(**arguments, on_empty=on_empty)
        assert not target.exists()


def test_a_task_that_has_published_anything_is_not_skipped_and_fails_with_what_it_has_published(
    kapture: Emulator, tmp_path: Path
) -> None:
    empty = {"window_start": "2024-05-11", "window_end": "2024-05-12", "file_format": "jsonl"}
    # Days that are looked back on.
    looking_back = {**empty, "lookback": 1, "destination": f"{tmp_path}/back/"}
    assert run(**looking_back, on_empty="skip")["rows"] == 100
    with pytest.raises(AirflowSkipException):
        run(**looking_back, on_empty="skip")
    with pytest.raises(AirflowFailException, match=r"no orders.*has published '.*create_date=2024-05-10"):
        run(**looking_back, on_empty="fail")
    # Orders that are gone.
    for old in ("create_date=2024-05-11/orders_20240510T183000Z_20240511T183000Z.jsonl", "old.jsonl"):
        path = tmp_path / old
        path.parent.mkdir(exist_ok=True)
        path.write_text("older")
        destination = f"{tmp_path}/" if "/" in old else str(path)
        assert [file["rows"] for file in run(**empty, destination=destination, on_empty="skip")["files"]] == [0]
        assert path.read_text() == ""


def test_lookback_pulls_days_before_the_window_into_their_own_objects(kapture: Emulator, tmp_path: Path) -> None:
    receipt = run(window_start="2024-05-10", lookback=2, destination=f"{tmp_path}/")
    assert [file["window_start"][:10] for file in receipt["files"]] == ["2024-05-08", "2024-05-09", "2024-05-10"]
    assert receipt["window_start"].startswith("2024-05-10")


@pytest.mark.parametrize("run_type", ["backfill", SimpleNamespace(value="backfill")])
def test_a_backfill_does_not_look_back(kapture: Emulator, tmp_path: Path, run_type: Any) -> None:
    context: Any = {"dag_run": SimpleNamespace(run_type=run_type)}
    pull = KapturePullOrdersOperator(
        task_id="pull", window_start="2024-05-10", window_end="2024-05-11", lookback=2, destination=f"{tmp_path}/"
    )
    assert [file["window_start"][:10] for file in pull.execute(context)["files"]] == ["2024-05-10"]


def test_a_window_that_ends_in_the_future_is_not_complete(kapture: Emulator, tmp_path: Path) -> None:
    end = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    receipt = run(window_start=end - dt.timedelta(hours=2), window_end=end, destination=str(tmp_path / "orders.jsonl"))
    assert receipt["complete"] is False


def test_openlineage_is_told_of_what_was_pulled(kapture: Emulator, tmp_path: Path) -> None:
    pull = KapturePullOrdersOperator(task_id="pull", destination=f"{tmp_path}/", **WINDOW)
    assert pull.get_openlineage_facets_on_complete(None).outputs == []
    pull.execute({})
    facets = pull.get_openlineage_facets_on_complete(None)
    assert [output.outputFacets["outputStatistics"].rowCount for output in facets.outputs] == [100, 100, 100]


@pytest.mark.parametrize(
    "arguments",
    [
        {"lookback": 1, "destination": "orders.jsonl"},
        {"lookback": 1},
        {"lookback": -1, "destination": "/tmp/"},
        {"lookback": "2", "destination": "/tmp/"},
        {"lookback": 1, "destination": "/tmp/", "window_start": "2024-05-08T01:00"},
    ],
)
def test_lookback_needs_days(kapture: Emulator, arguments: dict[str, Any]) -> None:
    with pytest.raises(AirflowFailException, match="lookback"):
        run(**arguments)
    assert kapture.stats()["requests"] == 0


def test_a_day_that_came_out_empty_replaces_the_older_file(kapture: Emulator, tmp_path: Path) -> None:
    for on_empty in ("write", "skip"):
        old = tmp_path / "create_date=2024-05-11" / "orders_20240510T183000Z_20240511T183000Z.jsonl"
        old.parent.mkdir(exist_ok=True)
        old.write_text("older")
        run(window_end="2024-05-12", destination=f"{tmp_path}/", file_format="jsonl", on_empty=on_empty)
        assert old.read_text() == ""
