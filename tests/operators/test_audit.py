"""The operator that audits a folder."""

import datetime as dt
import json
import shutil
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from connected import connected
from dag_runs import run_dag
from lakes import year

from airflow_provider_kapture.client.errors import KaptureBusyError
from airflow_provider_kapture.operators.audit import AuditPageLink, KaptureAuditOperator
from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator
from airflow_provider_kapture.storage.destinations.urls import browser_url

SINCE_2024 = (dt.datetime.now(dt.UTC).date() - dt.date(2024, 5, 1)).days


@pytest.fixture(scope="module")
def pulled(tmp_path_factory):
    """An emulator, and a folder with its three days of orders."""
    folder = tmp_path_factory.mktemp("pulled") / "orders"
    with pytest.MonkeyPatch.context() as environment, connected(environment, 60, retry_budget=1) as running:
        edges = {"window_start": "2024-05-08", "window_end": "2024-05-11"}
        KapturePullOrdersOperator(task_id="pull", destination=f"{folder}/", **edges).execute({})
        yield running, folder


@pytest.fixture
def kapture(pulled):
    pulled[0].reset()
    return pulled[0]


@pytest.fixture
def folder(pulled, tmp_path):
    return Path(shutil.copytree(pulled[1], tmp_path / "orders"))


def execute(folder, **arguments):
    return KaptureAuditOperator(task_id="audit", destination=f"{folder}/", **arguments).execute({})


def damage(folder):
    next((folder / "create_date=2024-05-09").iterdir()).unlink()


def test_it_returns_the_report_and_writes_it_beside_the_data(folder):
    found = execute(folder)
    assert set(found) == {"destination", "days", "findings", "totals", "page"}
    assert (found["destination"], found["findings"], found["page"]) == (f"{folder}/", [], f"{folder}/_audit.html")
    assert found["totals"] == {"days": 3, "complete_days": 3, "rows": 60, "objects": 3, "findings": {}}
    assert [each["rows"] for each in found["days"]] == [20, 20, 20]
    written = json.loads((folder / "_audit.json").read_text(encoding="utf-8"))
    assert written == {key: found[key] for key in ("destination", "days", "findings")}
    assert "Audit of" in (folder / "_audit.html").read_text(encoding="utf-8")
    # Its own files are no findings.
    assert execute(folder)["findings"] == []


def test_findings_fail_the_task_without_a_retry_or_are_warned_of(folder):
    damage(folder)
    with pytest.raises(AirflowFailException, match=r"has 1 findings \(1 missing\); see .*/_audit.html"):
        execute(folder)
    assert '"missing"' in (folder / "_audit.json").read_text(encoding="utf-8")
    found = execute(folder, on_findings="warn")
    assert [(each["kind"], each["date"]) for each in found["findings"]] == [("missing", "2024-05-09")]
    assert found["totals"]["findings"] == {"missing": 1}


def test_it_counts_again_at_kapture(folder, kapture):
    kapture.add_orders(1, day="2024-05-10")
    assert execute(folder, kapture_conn_id="kapture_default", days=3)["findings"] == []
    found = execute(folder, kapture_conn_id="kapture_default", days=SINCE_2024, on_findings="warn")
    assert [(each["kind"], each["date"]) for each in found["findings"]] == [("different", "2024-05-10")]


@pytest.mark.parametrize(("days", "has_days"), [(400, True), (401, False)])
def test_more_than_400_days_are_in_the_file_only(days, has_days, tmp_path):
    year(days=days).write(tmp_path)
    found = execute(tmp_path)
    assert ("days" in found, found["totals"]["days"]) == (has_days, days)
    assert len(json.loads((tmp_path / "_audit.json").read_text(encoding="utf-8"))["days"]) == days


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"on_findings": "ignore"}, "`on_findings` is 'ignore': it must be one of fail, warn"),
        ({"days": 0}, "`days` is 0"),
        ({"days": "31"}, "`days` is '31'"),
        ({"kapture_conn_id": " "}, "`kapture_conn_id` rendered to ' '"),
        ({"kapture_conn_id": "nowhere"}, "Airflow has no connection 'nowhere'"),
        ({"destination": "None"}, "`destination` rendered to 'None'"),
        ({"destination": "/not/there/"}, "There are no receipts in '/not/there/'"),
        ({"kapture_conn_id": "kapture_default", "filters": {"statusStr": "AP"}}, "another query"),
    ],
)
def test_errors_of_arguments_fail_without_a_retry(arguments, message, folder, kapture):
    with pytest.raises(AirflowFailException, match=message.replace(" (", r" \(")):
        KaptureAuditOperator(task_id="audit", **{"destination": f"{folder}/", **arguments}).execute({})
    assert not (folder / "_audit.json").exists()


def test_what_a_retry_may_resolve_is_retried(folder, kapture):
    kapture.set(status_every=1, status=503)
    with pytest.raises(KaptureBusyError):
        execute(folder, kapture_conn_id="kapture_default", days=SINCE_2024)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_templates_are_rendered_and_a_local_page_has_no_link(airflow_db, folder, kapture, monkeypatch):
    monkeypatch.setenv("AIRFLOW_VAR_FOLDER", f"{folder}/")
    found = run_dag(
        lambda: KaptureAuditOperator(
            task_id="audit",
            destination="{{ var.value.folder }}",
            kapture_conn_id="{{ 'kapture_default' }}",
            filters={"statusStr": "{{ 'AP' }}"},
        )
    )["audit"]
    [error] = found.errors
    assert "another query" in str(error)
    assert found.tries == [1]
    assert browser_url(f"file://{folder}/_audit.html") is None
    assert AuditPageLink().name == "Audit page"
