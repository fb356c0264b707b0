"""The days that a backfill pulls, by the table in docs/backfills.md, as the Airflow at hand makes its runs."""

import datetime as dt
import re
from pathlib import Path
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import airflow
import pendulum
import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_kapture.windows import resolve_window

PAGE = (Path(__file__).parents[1] / "docs/backfills.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^ *\| `([^`]+)`, (\S+) \| ([^|]+) \| ([^|]+) \|$", PAGE, re.MULTILINE)
ZONE = ZoneInfo("Asia/Kolkata")
FIRST, LAST = dt.date(2024, 5, 8), dt.date(2024, 5, 12)  # what the table calls A and B


def days_of(cell: str) -> tuple[dt.date, dt.date]:
    """Return the first and the last day that a cell such as `*A* to *B* - 1` names."""
    found = re.findall(r"\*([AB])\*(?: ([+-]) (\d+))?", cell)
    first, last = (
        {"A": FIRST, "B": LAST}[name] + dt.timedelta(days=int(f"{sign}{number}" if number else 0))
        for name, sign, number in found
    )
    return first, last


def days_pulled(schedule: str, timezone: str) -> list[dt.date]:
    start = pendulum.datetime(2024, 1, 1, tz=timezone)
    dag = DAG("backfilled_days", schedule=schedule, start_date=start, catchup=False)
    edges = (pendulum.datetime(each.year, each.month, each.day, tz="UTC") for each in (FIRST, LAST))
    found = []
    for info in iterate(dag, *edges):
        interval = info.data_interval
        context = {
            "dag": dag,
            "dag_run": SimpleNamespace(run_after=info.run_after, start_date=pendulum.now("UTC")),
            "data_interval_start": interval.start if interval else None,
            "data_interval_end": interval.end if interval else None,
            "logical_date": info.logical_date,
        }
        window, _ = resolve_window(context, ZONE, window="day")
        found += [date for date, _ in window.days()]
    return found


def iterate(dag, earliest, latest):
    """The runs that a backfill of these logical dates makes."""
    if hasattr(dag, "iter_dagrun_infos_between"):
        return dag.iter_dagrun_infos_between(earliest, latest)
    from airflow.serialization import serialized_objects

    # From 3.2 on, and on 3.0 and 3.1.
    names = ("DagSerialization", "SerializedDAG")
    serialization = next(getattr(serialized_objects, name) for name in names if hasattr(serialized_objects, name))
    return serialization.from_dict(serialization.to_dict(dag)).iter_dagrun_infos_between(earliest, latest)


def test_the_table_has_rows():
    assert len(ROWS) >= 3


@pytest.mark.parametrize(("schedule", "timezone", "on_3", "on_2"), ROWS, ids=[f"{row[0]} {row[1]}" for row in ROWS])
def test_a_backfill_pulls_the_days_that_the_table_names(schedule, timezone, on_3, on_2):
    first, last = days_of(on_2 if airflow.__version__.startswith("2.") else on_3)
    expected = [first + dt.timedelta(days=number) for number in range((last - first).days + 1)]
    assert days_pulled(schedule, timezone) == expected
