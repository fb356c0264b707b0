"""DAGs of one pull or sensor each, for `tests/test_windows_in_runs.py`."""

import datetime as dt
import os
from typing import Any

from airflow.providers.common.compat.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator
from airflow_provider_kapture.sensors.kapture import KaptureOrdersSensor

# The window's length and end are what is tested: no order needs to be in it.
FOLDER = "{{ var.value.kapture_orders }}/"
DAY = dt.timedelta(days=1)
START = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
DAGS: dict[str, DAG] = {}
OF_DAG = ("params", "render_template_as_native_obj")


def define(name: str, schedule: Any = None, **arguments: Any) -> None:
    of_dag: dict[str, Any] = {each: arguments.pop(each) for each in OF_DAG if each in arguments}
    with DAG(f"windows_{name}", schedule=schedule, start_date=START, catchup=False, **of_dag) as DAGS[name]:
        KapturePullOrdersOperator(task_id="pull", destination=FOLDER, **arguments)


def define_sensor(name: str, *, native: bool = False, **arguments: Any) -> None:
    dag = DAG(f"windows_{name}", schedule=None, start_date=START, render_template_as_native_obj=native)
    with dag as DAGS[name]:
        KaptureOrdersSensor(task_id="wait", **arguments)


define_sensor("sensor", window=DAY)
define_sensor("sensor_template", window="{{ 'P1' + 'D' }}", min_orders="{{ 1 }}")
define_sensor("sensor_template_native", native=True, window="{{ 'P1' + 'D' }}", min_orders="{{ 1 }}")

define("timedelta", window=DAY)
define("timedelta_hourly", window=DAY, schedule="@hourly")
define("day", window="day")
define("iso_window", window="PT{{ params.hours }}H", params={"hours": 24})
define("macro_window", window="{{ macros.timedelta(days=1) }}")
define("macro_window_native", window="{{ macros.timedelta(days=1) }}", render_template_as_native_obj=True)
define("day_template", window="{{ 'day' }}")
define("interval", schedule=CronDataIntervalTimetable("0 3 * * *", "Asia/Kolkata"))
define(
    "interval_templates",
    schedule=CronDataIntervalTimetable("0 3 * * *", "Asia/Kolkata"),
    window_start="{{ data_interval_start }}",
    window_end="{{ data_interval_end }}",
)
define(
    "interval_native",
    schedule=CronDataIntervalTimetable("0 3 * * *", "Asia/Kolkata"),
    window_start="{{ data_interval_start }}",
    window_end="{{ data_interval_end }}",
    render_template_as_native_obj=True,
)
define("period", schedule="0 3 * * *")
define("delta", schedule=DAY)
define("ds", window_start="{{ ds }}", window_end="{{ macros.ds_add(ds, 1) }}")
define(
    "ds_native",
    window_start="{{ ds_nodash }}",
    window_end="{{ logical_date.add(days=1) }}",
    render_template_as_native_obj=True,
)
define("ts", window_start="{{ ts_nodash_with_tz }}", window_end="{{ logical_date + macros.timedelta(days=1) }}")
define(
    "run_after", window_start="{{ dag_run.run_after - macros.timedelta(days=1) }}", window_end="{{ dag_run.run_after }}"
)
for native in (False, True):
    define(
        f"params{'_native' if native else ''}",
        params={"start": "2024-11-02", "end": "2024-11-04"},
        window_start="{{ params.start }}",
        window_end="{{ params.end }}",
        render_template_as_native_obj=native,
    )
# The day covers the object that the other window has left of it.
define("edited_window", window="day" if os.environ.get("KAPTURE_TEST_WINDOW") else DAY, on_overlap="replace")
try:
    from airflow.timetables.trigger import CronPartitionTimetable
except ImportError:
    pass
else:
    define("partition", schedule=CronPartitionTimetable("0 3 * * *", timezone="America/New_York", run_offset=-1))
    define(
        "partition_window",
        window=DAY,
        schedule=CronPartitionTimetable("0 3 * * *", timezone="America/New_York", run_offset=-1),
    )
