"""Once a week, the folder of the daily orders is audited, and the days that differ are pulled again.

The destination is that of `kapture_orders_daily`: the Airflow Variable `kapture_orders`. The report is beside the data,
in `_audit.html`.
"""

# [START howto_orders_audit]
from datetime import date, timedelta
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_kapture.operators.audit import KaptureAuditOperator
from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator

FOLDER = "{{ var.value.get('kapture_orders', 'file:///tmp/kapture-orders') }}/daily/"
# What pulling a day again puts right; the other kinds need a person.
KINDS = {"different", "gap", "missing", "altered", "incomplete"}

with DAG(
    "kapture_orders_audit",
    description="A weekly audit of the daily orders, and a pull of the days that differ",
    doc_md=__doc__,
    tags=["kapture", "example"],
    schedule="0 6 * * 1",
    start_date=pendulum.datetime(2024, 5, 1, tz="Asia/Kolkata"),
    catchup=False,
) as dag:
    audit = KaptureAuditOperator(
        task_id="audit",
        destination=FOLDER,
        kapture_conn_id="kapture_default",
        days=31,
        on_findings="warn",
    )

    @task
    def days_that_differ(report: Any) -> list[dict[str, str]]:
        """Return the window of each day that is to be pulled again."""
        found = {each["date"] for each in report["findings"] if each["kind"] in KINDS}
        days = sorted(date.fromisoformat(each) for each in found if each is not None)
        return [{"window_start": f"{day}", "window_end": f"{day + timedelta(days=1)}"} for day in days]

    KapturePullOrdersOperator.partial(
        task_id="pull_again",
        destination=FOLDER,
        file_format="parquet",
        max_active_tis_per_dag=2,
        map_index_template="{{ task.window_start }}",
    ).expand_kwargs(days_that_differ(audit.output))
# [END howto_orders_audit]
