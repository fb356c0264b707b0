"""What a task makes of a window without orders: proven, not proven, or contradicted and published nowhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException
from connected import connected
from pytest_mock import MockerFixture

from airflow_provider_kapture.emulator import Emulator
from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator

EMPTY = {"window_start": "2024-06-08", "window_end": "2024-06-10"}
CONTRADICTED = {"date_format": "%d-%m-%Y", "lenient_dates": True}


@pytest.fixture
def kapture(monkeypatch: pytest.MonkeyPatch):
    with connected(monkeypatch, 60, retry_budget=1) as running:
        yield running


def run(destination: str | None, context: Any = None, **arguments: Any) -> Any:
    pull = KapturePullOrdersOperator(task_id="pull", destination=destination, **{**EMPTY, **arguments})
    return pull.execute(context or {})


DESTINATIONS: dict[str, Callable[[Path], str]] = {
    "one object": lambda folder: str(folder / "orders.jsonl"),
    "an object a day": lambda folder: f"{folder}/",
}
each_destination = pytest.mark.parametrize("destination", DESTINATIONS.values(), ids=DESTINATIONS)


@each_destination
def test_the_receipt_says_that_an_empty_window_is_proven(
    kapture: Emulator, tmp_path: Path, destination: Callable[[Path], str]
) -> None:
    receipt = run(destination(tmp_path))
    assert (receipt["rows"], receipt["empty_proof"], receipt["warnings"]) == (0, "control_day", [])


@each_destination
def test_the_receipt_says_that_an_empty_window_is_not_proven(
    kapture: Emulator, tmp_path: Path, destination: Callable[[Path], str]
) -> None:
    kapture.set(dates_required=True)
    receipt = run(destination(tmp_path))
    assert (receipt["rows"], receipt["empty_proof"]) == (0, "none")
    [warning] = receipt["warnings"]
    assert "`control_day`" in warning


def test_another_date_field_is_not_proven_and_no_warning(kapture: Emulator, tmp_path: Path) -> None:
    receipt = run(f"{tmp_path}/", date_field="booking")
    assert (receipt["rows"], receipt["empty_proof"], receipt["warnings"]) == (0, "none", [])


@each_destination
@pytest.mark.parametrize("window_start", ["2024-05-08", "2024-05-10"])
def test_a_receipt_of_orders_has_no_proof(
    kapture: Emulator, tmp_path: Path, destination: Callable[[Path], str], window_start: str
) -> None:
    receipt = run(destination(tmp_path), window_start=window_start, window_end="2024-05-12")
    assert receipt["rows"]
    assert "empty_proof" not in receipt


def test_the_receipt_in_xcom_has_the_proof(kapture: Emulator, mocker: MockerFixture) -> None:
    context = {"ti": mocker.Mock()}
    assert run(None, context) == []
    [receipt] = [call.kwargs["value"] for call in context["ti"].xcom_push.call_args_list]
    assert receipt["empty_proof"] == "control_day"


@pytest.mark.parametrize("destination", [*DESTINATIONS.values(), lambda _: None], ids=[*DESTINATIONS, "XCom"])
@pytest.mark.parametrize("on_empty", ["write", "skip", "fail"])
def test_a_window_that_cannot_be_empty_fails_for_good_and_publishes_nothing(
    kapture: Emulator, tmp_path: Path, destination: Callable[[Path], str | None], on_empty: str
) -> None:
    kapture.set(**CONTRADICTED)
    with pytest.raises(AirflowFailException, match="`kapture doctor kapture_default`"):
        run(destination(tmp_path), on_empty=on_empty)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and not path.name.startswith("_")]


def test_a_window_that_was_seen_wrongly_leaves_the_file_that_was_there(kapture: Emulator, tmp_path: Path) -> None:
    target = tmp_path / "orders.jsonl"
    target.write_text("as it was")
    kapture.set(**CONTRADICTED)
    with pytest.raises(AirflowFailException):
        run(str(target))
    assert target.read_text() == "as it was"


def test_an_empty_window_is_skipped_once_it_is_proven(kapture: Emulator, tmp_path: Path) -> None:
    with pytest.raises(AirflowSkipException):
        run(str(tmp_path / "orders.jsonl"), on_empty="skip")
    assert [each.body["createStartDate"] for each in kapture.requests_seen][-1] == "2024-05-10"


def test_neither_filters_nor_own_keys_are_part_of_the_proof(kapture: Emulator, tmp_path: Path) -> None:
    receipt = run(f"{tmp_path}/", filters={"attr1": "x"}, extra_body={"own": "y"})
    assert receipt["empty_proof"] == "control_day"
    *_, any_date, day = [each.body for each in kapture.requests_seen]
    for body in (any_date, day):
        assert "own" not in body
        assert body["attr1"] == ""
