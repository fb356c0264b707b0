"""Arguments as Airflow renders them, to text and to native values: what was given has a value, or the task fails."""

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import airflow
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, ObjectStoragePath, task
from dag_runs import Outcome, run_dag

from airflow_provider_kapture.emulator import Book, Emulator
from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator
from airflow_provider_kapture.sensors.kapture import KaptureOrdersSensor

# Airflow's own, of its own test client and database layers
pytestmark = [pytest.mark.filterwarnings("ignore")]
if airflow.__version__.startswith("3.0"):
    pytestmark.append(pytest.mark.leaks)  # Airflow 3.0 prints each XCom, and orders are among these

DAY = {"window_start": "2024-05-08", "window_end": "2024-05-09"}
NOTHING = ("{{ params.nothing }}", " {{ dag_run.conf.get('left_out', '') }} ")
PARAMS = {"nothing": None, "blank": "", "customer": 191000001, "empty": {}}
PULL, SENSOR = KapturePullOrdersOperator, KaptureOrdersSensor
# Airflow 3.0 to 3.2 do not tell a callback the error of a task that is not retried.
HIDES_ERRORS = airflow.__version__.startswith(("3.0", "3.1", "3.2"))
# Airflow 3.0 and 3.1 resolve a pathlib.Path against the context, which fails.
TAKES_PATHS = not airflow.__version__.startswith(("3.0", "3.1"))
FOLDER = Path(tempfile.gettempdir()) / "kapture-never-made"


def filled(value: Any, template: str) -> Any:
    if isinstance(value, dict):
        return {key: filled(each, template) for key, each in value.items()}
    return [filled(each, template) for each in value] if isinstance(value, list) else value.replace("{}", template)


# What renders to nothing, with native rendering and without: an operator, its arguments, words of the error.
LOST: list[tuple[Any, dict[str, Any], tuple[str, ...]]] = [
    *(
        (operator, {name: template}, (f"`{name}` rendered to",))
        for operator in (PULL, SENSOR)
        for name in operator.template_fields
        if name in {"window_start", "window_end", "filters", "extra_body", "destination", "changes", "kapture_conn_id"}
        for template in NOTHING
    ),
    *((PULL, {"window_start": template, "window_end": template}, ("`window_start` rendered",)) for template in NOTHING),
    *(
        (operator, filled(argument, template), (*argument, *argument[next(iter(argument))]))
        for operator, argument in (
            (PULL, {"filters": {"customerIds": "{}"}}),
            (PULL, {"filters": {"customerIds": ["191000001", "{}"]}}),
            (PULL, {"extra_body": {"region": "{}"}}),
            (PULL, {"extra_body": {"region": {"name": ["{}"]}}}),
            (SENSOR, {"filters": {"customerIds": "{}"}}),
        )
        for template in NOTHING
    ),
    (PULL, {"filters": {"customerIds": f"191000001,{NOTHING[0]}"}}, ("'customerIds'",)),
    (PULL, {"kapture_conn_id": "not_there"}, ("'not_there'", "`kapture_conn_id`")),
    (SENSOR, {"kapture_conn_id": "not_there"}, ("'not_there'", "`kapture_conn_id`")),
    (partial(SENSOR, deferrable=True), {"kapture_conn_id": "not_there"}, ("'not_there'", "`kapture_conn_id`")),
    *(
        (PULL, {"destination": given, "file_format": file_format}, ("destination", "'/'", "as text"))
        for given in (ObjectStoragePath(f"file://{FOLDER}/a/"), *([FOLDER / "a"] if TAKES_PATHS else []))
        for file_format in (None, "parquet")
    ),
    *(
        (PULL, {"destination": f"{FOLDER}/{end}", "file_format": "csv"}, ("destination", "line break"))
        # Jinja drops a single line break at the end of a template.
        for end in ("a\nb.csv", "{{ 'a' }}\tb.csv", "a.csv\n\n", "a\x00.csv", "a\u2028.csv", "day/\n\n", "a.csv ")
    ),
]
# What is wrong with native rendering only.
LOST_NATIVE: list[tuple[Any, dict[str, Any], tuple[str, ...]]] = [
    *(
        (PULL, {name: "{{ not_there }}"}, (f"`{name}` rendered to None",))
        for name in ("window_start", "filters", "extra_body", "destination", "kapture_conn_id")
    ),
    (PULL, {"filters": {"name": "{{ not_there }}"}}, ("`filters['name']`",)),
    (SENSOR, {"filters": {"name": "{{ not_there }}"}}, ("`filters['name']`",)),
    (PULL, {"filters": {"phone": "{{ '+919876543201' }}"}}, ("'phone'", "`render_template_as_native_obj`")),
    (PULL, {"kapture_conn_id": "{{ params.customer }}"}, ("`kapture_conn_id` is 191000001", "int")),
    (PULL, {"destination": "{{ params.customer }}"}, ("`destination` is 191000001", "int")),
]


@pytest.fixture(scope="module")
def kapture(airflow_db: None) -> Iterator[Emulator]:
    with Emulator(Book(orders=30, days=1)) as running, pytest.MonkeyPatch.context() as patch:
        for name, value in running.connection_uri_env(retry_budget=1).items():
            patch.setenv(name, value)
        yield running


def run_cases(cases: list[tuple[Any, dict[str, Any], tuple[str, ...]]], **dag_arguments: Any) -> list[Outcome]:
    """One run with a task for each case."""

    def build() -> None:
        for number, (operator, arguments, _) in enumerate(cases):
            operator(task_id=f"case_{number}", **{**DAY, **arguments})

    outcomes = run_dag(build, params=PARAMS, **dag_arguments)
    return [outcomes[f"case_{number}"] for number, _ in enumerate(cases)]


def check_failed_at_once(outcome: Outcome, words: tuple[str, ...]) -> None:
    """The task failed for good, for a reason that names what was wrong."""
    assert (outcome.states, outcome.tries) == (["failed"], [1]), words
    assert outcome.errors or HIDES_ERRORS
    for error in outcome.errors:
        assert isinstance(error, AirflowFailException)
        assert all(word in str(error) for word in words), (words, error)


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.slow
def test_what_was_given_and_renders_to_nothing_is_an_error(kapture: Emulator, *, native: bool) -> None:
    kapture.reset()
    cases = [*LOST, *(LOST_NATIVE if native else [])]
    outcomes = run_cases(cases, render_template_as_native_obj=native)
    for (_, _, words), outcome in zip(cases, outcomes, strict=True):
        check_failed_at_once(outcome, words)
    assert kapture.stats()["requests"] == 0
    assert not FOLDER.exists()


@pytest.mark.slow
def test_an_upstream_task_leaves_an_argument_out_with_an_empty_mapping_and_with_nothing_else(kapture: Emulator) -> None:
    wrong: list[tuple[str, Any]] = [
        *((name, value) for name in ("filters", "extra_body") for value in (None, "", "None", [], "{}")),
        *(("filters", {"customerIds": value}) for value in ("", None, "None", [], [None])),
    ]
    right: list[tuple[str, Any]] = [("filters", {}), ("extra_body", {}), ("extra_body", {"region": ""})]

    def build() -> None:
        for number, (name, value) in enumerate([*wrong, *right]):
            upstream = task(task_id=f"up_{number}")(lambda value=value: value)()
            KapturePullOrdersOperator(task_id=f"case_{number}", **DAY, **{name: upstream})

    outcomes = run_dag(build)
    for number, (name, _) in enumerate(wrong):
        check_failed_at_once(outcomes[f"case_{number}"], (name[1:-1],))
    for number, _ in enumerate(right, len(wrong)):
        assert [each["rows"] for each in outcomes[f"case_{number}"].receipts] == [30]


@pytest.mark.parametrize("native", [False, True])
def test_what_has_a_value_once_rendered_is_taken(kapture: Emulator, tmp_path: Path, *, native: bool) -> None:
    customer = kapture.orders[0]["customerId"]
    of_customer = sum(order["customerId"] == customer for order in kapture.orders)
    assert 0 < of_customer < 30
    templates = ("{}", "{}.0", " {} ", "{{ '{}.0' | float }}", "{{ [{}, 7.0] | join(',') }}")
    cases: list[tuple[Any, dict[str, Any], tuple[str, ...]]] = [
        *((PULL, {"filters": {"customerIds": each.replace("{}", str(customer))}}, ()) for each in templates),
        (PULL, {"extra_body": {"region": ""}}, ()),
        (PULL, {"destination": ObjectStoragePath(f"{tmp_path.as_uri()}/upath.csv")}, ()),
        (PULL, {"destination": tmp_path / "path.csv" if TAKES_PATHS else f"{tmp_path}/path.csv"}, ()),
        (PULL, {"filters": None, "extra_body": None, "destination": None}, ()),
    ]
    if native:
        cases.append((PULL, {"filters": "{{ params.empty }}"}, ()))
    outcomes = run_cases(cases, render_template_as_native_obj=native)
    expected = [of_customer if number < len(templates) else 30 for number, _ in enumerate(cases)]
    assert [outcome.receipts[0]["rows"] for outcome in outcomes] == expected
    assert sorted(path.name for path in tmp_path.iterdir()) == ["path.csv", "upath.csv"]


def test_nothing_is_pushed_where_do_xcom_push_is_false(kapture: Emulator, tmp_path: Path) -> None:
    cases: list[tuple[Any, dict[str, Any], tuple[str, ...]]] = [
        (PULL, {"do_xcom_push": push, **({"destination": f"{tmp_path}/{push}.csv"} if to_file else {})}, ())
        for to_file in (False, True)
        for push in (False, True)
    ]
    outcomes = run_cases([*cases, (SENSOR, {"do_xcom_push": False}, ())])
    assert {outcome.states[0] for outcome in outcomes} == {"success"}
    pushed = [[each is not None for each in (*outcome.values, *outcome.receipts)] for outcome in outcomes]
    assert pushed == [[False, False], [True, True], [False, False], [True, True], [False, False]]
