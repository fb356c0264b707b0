"""The window of a run, from its moments as each Airflow hands them over: `dag.test()`."""

import datetime as dt
import inspect
import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import airflow
import pendulum
import pytest

from airflow_provider_kapture.emulator import Book, Emulator

# Airflow's own, of its test client and database layers.
pytestmark = pytest.mark.filterwarnings("ignore")

VERSION = tuple(map(int, airflow.__version__.split(".")[:2]))
DAGS = Path(__file__).parent / "dags"
ZONE = ZoneInfo("America/New_York")
# The day before has 25 hours.
MOMENT = dt.datetime(2024, 11, 4, 18, 30, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
since_3 = pytest.mark.skipif(VERSION < (3, 0), reason="each run of Airflow 2 has a logical date")
since_3_2 = pytest.mark.skipif(VERSION < (3, 2), reason="partitions are of Airflow 3.2")


@pytest.fixture
def kapture(airflow_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    monkeypatch.setattr("airflow.settings.DAGS_FOLDER", str(DAGS))
    monkeypatch.setenv("AIRFLOW_VAR_KAPTURE_ORDERS", tmp_path.as_uri())
    with Emulator(Book(orders=60, days=3, start=dt.date(2024, 11, 2), timezone=ZONE.key)) as running:
        for name, value in running.connection_uri_env(timezone=ZONE.key).items():
            monkeypatch.setenv(name, value)
        yield running


class Run:
    """A run of one of the DAGs, and what its task left."""

    def __init__(self, name: str, moment: dt.datetime | None = None, **more: Any) -> None:
        dag = runpy.run_path(str(DAGS / "windows_in_runs.py"))["DAGS"][name]
        self.error: BaseException | None = None
        [self.task] = dag.tasks
        self.task.on_failure_callback = [self._failed]
        named = "logical_date" if "logical_date" in inspect.signature(dag.test).parameters else "execution_date"
        self.run = dag.test(**{named: moment}, **more)

    def _failed(self, context: Any) -> None:
        self.error = context.get("exception")

    @property
    def window(self) -> tuple[dt.datetime, dt.datetime]:
        assert self.run.state == "success", self.error
        [task] = self.run.get_task_instances()
        key = "receipt" if self.task.task_id == "pull" else "return_value"
        got = task.xcom_pull(task_ids=self.task.task_id, key=key)
        return dt.datetime.fromisoformat(got["window_start"]), dt.datetime.fromisoformat(got["window_end"])


IST_3 = dt.datetime(2024, 11, 3, 21, 30, tzinfo=dt.UTC)  # 03:00 in India
START, END = (dt.datetime(2024, 11, day, tzinfo=ZONE) for day in (2, 4))


@pytest.mark.parametrize(
    ("name", "start", "end"),
    [
        ("timedelta", MOMENT - DAY, MOMENT),
        ("timedelta_hourly", MOMENT.replace(minute=0) - DAY, MOMENT.replace(minute=0)),
        ("sensor", MOMENT - DAY, MOMENT),
        ("sensor_template", MOMENT - DAY, MOMENT),
        ("sensor_template_native", MOMENT - DAY, MOMENT),
        ("iso_window", MOMENT - DAY, MOMENT),
        ("macro_window", MOMENT - DAY, MOMENT),
        ("macro_window_native", MOMENT - DAY, MOMENT),
        ("day_template", dt.datetime(2024, 11, 3, tzinfo=ZONE), END),
        ("day", dt.datetime(2024, 11, 3, tzinfo=ZONE), END),
        ("interval", IST_3 - DAY, IST_3),
        ("interval_templates", IST_3 - DAY, IST_3),
        ("interval_native", IST_3 - DAY, IST_3),
        ("period", dt.datetime(2024, 11, 3, 3, tzinfo=dt.UTC), dt.datetime(2024, 11, 4, 3, tzinfo=dt.UTC)),
        ("delta", MOMENT - DAY, MOMENT),
        ("ds", END, END + DAY),
        ("ds_native", END, MOMENT + DAY),
        ("ts", MOMENT, MOMENT + DAY),
        ("params", START, END),
        ("params_native", START, END),
    ],
)
def test_the_window_of_a_run(kapture: Emulator, name: str, start: dt.datetime, end: dt.datetime) -> None:
    moment = MOMENT.replace(minute=0) if name == "timedelta_hourly" else MOMENT
    assert Run(name, moment).window == (start, end)


@since_3
@pytest.mark.parametrize(
    ("name", "start", "end"),
    [
        ("timedelta", MOMENT - DAY, MOMENT),
        ("day", dt.datetime(2024, 11, 3, tzinfo=ZONE), END),
        ("run_after", MOMENT - DAY, MOMENT),
        ("period", dt.datetime(2024, 11, 3, 3, tzinfo=dt.UTC), dt.datetime(2024, 11, 4, 3, tzinfo=dt.UTC)),
    ],
)
def test_the_window_of_a_run_without_a_logical_date(
    kapture: Emulator, name: str, start: dt.datetime, end: dt.datetime
) -> None:
    assert Run(name, None, run_after=MOMENT).window == (start, end)


@since_3
@pytest.mark.parametrize("name", ["ds", "ds_native"])
def test_a_template_that_needs_a_logical_date_is_named_with_what_to_do(kapture: Emulator, name: str) -> None:
    run = Run(name, None, run_after=MOMENT)
    assert run.run.state == "failed"
    assert kapture.stats()["requests"] == 0
    if VERSION >= (3, 3):  # before, the callback is not given what failed while rendering
        assert re.search(
            r"^`window_start` cannot be rendered: .* no logical date.*'ds.*dag_run.run_after", str(run.error)
        )


@since_3_2
@pytest.mark.parametrize(
    ("name", "start", "end"),
    [
        ("partition", dt.datetime(2024, 11, 3, tzinfo=ZONE), END),
        ("partition_window", MOMENT - DAY, MOMENT),
    ],
)
def test_the_window_of_a_partitioned_run(
    kapture: Emulator, monkeypatch: pytest.MonkeyPatch, name: str, start: dt.datetime, end: dt.datetime
) -> None:
    from airflow.models import dagrun

    create = dagrun.get_or_create_dagrun

    def partitioned(*, dag: Any, session: Any, **more: Any) -> Any:
        made = create(dag=dag, session=session, **more)
        # As the scheduler makes it, which `dag.test()` does not: this Airflow's own date and key.
        tick = dag.timetable._align_to_prev(pendulum.instance(MOMENT))
        made.partition_date, made.partition_key = dag.timetable._get_partition_info(tick)
        session.commit()
        return made

    monkeypatch.setattr(dagrun, "get_or_create_dagrun", partitioned)
    assert Run(name, None, run_after=MOMENT).window == (start, end)


def test_a_clear_pulls_what_the_window_argument_says_now(kapture: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Run("edited_window", MOMENT).window == (MOMENT - DAY, MOMENT)
    monkeypatch.setenv("KAPTURE_TEST_WINDOW", "day")
    assert Run("edited_window", MOMENT).window == (dt.datetime(2024, 11, 3, tzinfo=ZONE), END)
