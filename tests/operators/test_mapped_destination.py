"""Mapped tasks that would write over each other's files, in real runs."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, task, task_group
from dag_runs import Outcome, run_dag

from airflow_provider_kapture.emulator import Book, Emulator
from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator
from airflow_provider_kapture.sensors.kapture import KaptureOrdersSensor

# Airflow's own, of its own test client and database layers
pytestmark = pytest.mark.filterwarnings("ignore")

DAY = {"window_start": "2024-05-08", "window_end": "2024-05-09"}
DAYS = [DAY, {"window_start": "2024-05-09", "window_end": "2024-05-10"}]
FILTERS = [{"bookingStatus": "AP"}, {"bookingStatus": "CN"}]
OTHER = {"kapture_conn_id": ["kapture_default", "kapture_other"], "filters": FILTERS, "extra_body": [{"a": 1}, {}]}

Case = Callable[[str, str], Any]  # makes the tasks of an id, for a folder


@pytest.fixture(scope="module")
def kapture(airflow_db: None) -> Iterator[Emulator]:
    with Emulator(Book(orders=30, days=2)) as running, pytest.MonkeyPatch.context() as patch:
        for name, value in running.connection_uri_env(retry_budget=1).items():
            patch.setenv(name, value)
            patch.setenv("AIRFLOW_CONN_KAPTURE_OTHER", value)
        yield running


def expand(partial: dict[str, Any], **mapped: Any) -> Case:
    return lambda name, folder: KapturePullOrdersOperator.partial(
        task_id=name, **{each: placed(value, folder) for each, value in partial.items()}
    ).expand(**{each: placed(value, folder) for each, value in mapped.items()})


def expand_kwargs(partial: dict[str, Any], rows: list[dict[str, Any]], *, upstream: bool = False) -> Case:
    def build(name: str, folder: str) -> None:
        given = placed(rows, folder)
        KapturePullOrdersOperator.partial(task_id=name, **placed(partial, folder)).expand_kwargs(
            task(task_id=f"up_{name}")(lambda: given)() if upstream else given
        )

    return build


def expand_upstream(partial: dict[str, Any], name: str, values: list[Any]) -> Case:
    def build(task_id: str, folder: str) -> None:
        given = placed(values, folder)
        upstream = task(task_id=f"up_{task_id}")(lambda: given)()
        KapturePullOrdersOperator.partial(task_id=task_id, **placed(partial, folder)).expand(**{name: upstream})

    return build


def group(arguments: Callable[[Any], dict[str, Any]], values: list[Any]) -> Case:
    """A mapped task group: its tasks are told from the operator's own by the group's id before their name."""

    def build(name: str, folder: str) -> None:
        @task_group(group_id=f"group_{name}")
        def of_one(value: Any) -> None:
            KapturePullOrdersOperator(task_id=name, **placed(arguments(value), folder))

        of_one.expand(value=values)

    return build


def placed(value: Any, folder: str) -> Any:
    if isinstance(value, dict):
        return {name: placed(each, folder) for name, each in value.items()}
    if isinstance(value, list):
        return [placed(each, folder) for each in value]
    return value.replace("FOLDER", folder) if isinstance(value, str) else value


WRONG: dict[str, Case] = {
    **{
        f"{name}_{kind}": expand({**DAY, "destination": f"FOLDER/{end}"}, **{name: values})
        for name, values in OTHER.items()
        for kind, end in (("folder", ""), ("file", "a.csv"))
    },
    "templated_folder": expand({**DAY, "destination": "FOLDER/{{ ds }}/"}, filters=FILTERS),
    "date_field": expand({**DAY, "destination": "FOLDER/a.csv"}, date_field=["create", "booking"]),
    "windows_into_a_file": expand_kwargs({"destination": "FOLDER/a.csv"}, DAYS),
    "named_like_a_task": expand_kwargs({"destination": "FOLDER/{{ params.get('title', 'x') }}/task.csv"}, DAYS),
    "same_folder": expand(DAY, destination=["FOLDER/", "FOLDER/"]),
    "same_file": expand(DAY, destination=["FOLDER/a.csv", "FOLDER/a.csv"]),
    "upstream_same_folder": expand_upstream(DAY, "destination", ["FOLDER/", "FOLDER/"]),
    "upstream_filters": expand_upstream({**DAY, "destination": "FOLDER/"}, "filters", FILTERS),
    "crossed": expand({**DAY, "filters": FILTERS[0]}, extra_body=[{"a": 1}, {"a": 2}], destination=["FOLDER/"]),
    "rows_filters": expand_kwargs({**DAY, "destination": "FOLDER/"}, [{"filters": each} for each in FILTERS]),
    "rows_upstream": expand_kwargs(
        {**DAY, "destination": "FOLDER/"}, [{"filters": each} for each in FILTERS], upstream=True
    ),
    "rows_some": expand_kwargs({**DAY, "destination": "FOLDER/"}, [{}, {"filters": FILTERS[0]}]),
    "rows_same": expand_kwargs(DAY, [{"filters": each, "destination": "FOLDER/"} for each in FILTERS], upstream=True),
    "group_filters": group(lambda value: {**DAY, "destination": "FOLDER/", "filters": value}, FILTERS),
    "group_inside": group(
        lambda value: {**DAY, "destination": "FOLDER/", "filters": {"bookingStatus": value}}, ["AP", "CN"]
    ),
    "group_file": group(
        lambda value: {"window_start": value, "window_end": "2024-05-10", "destination": "FOLDER/a.csv"},
        ["2024-05-08", "2024-05-09"],
    ),
}
# Given, and without a value in one of the mapped tasks.
NOTHING: dict[str, Case] = {
    "none": expand(DAY, filters=[None, None]),
    "upstream_none": expand_upstream(DAY, "filters", [None, None]),
    "rows_none": expand_kwargs(DAY, [{"filters": None}, {"filters": None}]),
    "rows_upstream_none": expand_kwargs(DAY, [{"destination": None}, {"destination": None}], upstream=True),
    "group_none": group(lambda value: {**DAY, "filters": value}, [None, None]),
}
RIGHT: dict[str, Case] = {
    "xcom": expand(DAY, filters=FILTERS),
    "days": expand_kwargs({"destination": "FOLDER/"}, DAYS),
    "days_upstream": expand_kwargs({"destination": "FOLDER/"}, DAYS, upstream=True),
    "index_folder": expand({**DAY, "destination": "FOLDER/{{ ti.map_index }}/"}, filters=FILTERS),
    "index_file": expand({**DAY, "destination": "FOLDER/{{ ti.map_index }}.csv"}, extra_body=OTHER["extra_body"]),
    "of_task": expand(
        {**DAY, "destination": "FOLDER/{{ task.kapture_conn_id }}/"}, kapture_conn_id=OTHER["kapture_conn_id"]
    ),
    "own": expand_kwargs(DAY, [{"filters": FILTERS[0], "destination": "FOLDER/0/"}, {"destination": "FOLDER/1/"}]),
    "own_same_template": expand_kwargs(
        DAY, [{"filters": each, "destination": "FOLDER/{{ ti.map_index }}/"} for each in FILTERS]
    ),
    "by_window": expand_kwargs({"destination": "FOLDER/{{ task.window_start }}.csv"}, DAYS),
    "by_block": expand_kwargs({"destination": "FOLDER/{% if ti.map_index %}a{% endif %}b.csv"}, DAYS),
    "rendered_folder": expand_kwargs({"destination": "{{ 'FOLDER/' }}"}, DAYS),
    "folders": expand(DAY, destination=["FOLDER/a/", "FOLDER/b/"]),
    "windows_in_one_folder": expand_kwargs({}, [{**day, "destination": "FOLDER/"} for day in DAYS]),
    "group_windows": group(
        lambda value: {"window_start": value, "window_end": "2024-05-10", "destination": "FOLDER/"},
        ["2024-05-08", "2024-05-09"],
    ),
    "group_index": group(lambda value: {**DAY, "destination": "FOLDER/{{ ti.map_index }}/", "filters": value}, FILTERS),
    "nothing_left_out": expand(DAY, filters=[{}, FILTERS[0]]),
}


def run_cases(cases: dict[str, Case], folder: Path) -> dict[str, Outcome]:
    def build() -> None:
        for name, case in cases.items():
            case(name, f"{folder}/{name}")

    # In one pass: the group's id stands before a task's.
    return {task_id.rpartition(".")[2]: outcome for task_id, outcome in run_dag(build).items()}


def check_both_failed_at_once(outcome: Outcome, word: str) -> None:
    assert (outcome.states, outcome.tries) == (["failed", "failed"], [1, 1])
    for error in outcome.errors:
        assert isinstance(error, AirflowFailException)
        assert word in str(error)


@pytest.mark.slow
def test_mapped_tasks_that_would_write_over_each_other_all_fail(kapture: Emulator, tmp_path: Path) -> None:
    kapture.reset()
    outcomes = run_cases(WRONG, tmp_path)
    for name in WRONG:
        check_both_failed_at_once(outcomes[name], "destination")
    assert kapture.stats()["requests"] == 0
    assert not list(tmp_path.iterdir())


def test_what_is_mapped_over_and_has_no_value_is_an_error(kapture: Emulator, tmp_path: Path) -> None:
    kapture.reset()
    outcomes = run_cases(NOTHING, tmp_path)
    for name in NOTHING:
        check_both_failed_at_once(outcomes[name], "rendered to None")
    assert kapture.stats()["requests"] == 0


@pytest.mark.slow
def test_mapped_tasks_with_destinations_of_their_own_pull(kapture: Emulator, tmp_path: Path) -> None:
    outcomes = run_cases(RIGHT, tmp_path)
    assert {name: outcomes[name].states for name in RIGHT} == {name: ["success", "success"] for name in RIGHT}


def test_a_mapped_sensor_whose_filters_have_no_value_fails(kapture: Emulator) -> None:
    kapture.reset()
    outcomes = run_dag(
        lambda: KaptureOrdersSensor.partial(task_id="wait", **DAY).expand(filters=[None, {"customerIds": ""}])
    )
    check_both_failed_at_once(outcomes["wait"], "ilter")
    assert kapture.stats()["requests"] == 0
