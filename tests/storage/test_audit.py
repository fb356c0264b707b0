"""The audit of folders in object stores."""

import hashlib
import json

import pytest
from airflow.providers.common.compat.sdk import task
from dag_runs import run_dag
from lakes import year

from airflow_provider_kapture.audit import audit
from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.operators.audit import KaptureAuditOperator
from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator
from airflow_provider_kapture.storage.destinations.stores.choose import open_store

# Airflow's own, where its providers are imported.
pytestmark = pytest.mark.filterwarnings("ignore")


def pull(folder, **options):
    edges = {"window_start": "2024-05-08", "window_end": "2024-05-11"}
    return KapturePullOrdersOperator(task_id="pull", destination=folder, **edges, **options).execute({})


def kinds(folder, **options):
    return [(each.kind, str(each.date)) for each in audit(folder, **options).findings]


def test_a_pull_and_its_faults(store, kapture):
    folder = f"{store.url}/audit/{store.url.partition(':')[0]}/"
    receipt = pull(folder)
    report = audit(folder.rstrip("/"), verify=True)
    assert report.findings == ()
    assert [(str(each.date), each.rows, each.complete) for each in report.days] == [
        (file["window_start"][:10], 100, True) for file in receipt["files"]
    ]
    assert [uri for each in report.days for uri in each.uris] == [each["uri"] for each in receipt["files"]]
    objects = open_store(folder)
    names = [each["uri"].removeprefix(folder) for each in receipt["files"]]
    content = bytearray(objects.read(names[0]))
    content[-1] ^= 1
    objects.write(names[0], bytes(content))
    objects.delete(names[1])
    objects.write("create_date=2024-05-10/copy.csv", b"1")
    # The store tells another etag of the first, whose size is the same.
    assert kinds(folder) == [("altered", "2024-05-08"), ("missing", "2024-05-09"), ("unknown", "2024-05-10")]


def test_what_an_unfinished_run_has_written_is_not_altered(s3, s3_store, kapture, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_STORE", json.dumps(s3_store.connections["store"]))
    folder = f"{s3_store.url}/audit-unfinished/"
    receipt = pull(folder)
    objects = open_store(folder)
    name = receipt["files"][0]["uri"].removeprefix(folder)
    # A run of the day after that, with lookback, has replaced it and was killed before it wrote so.
    window = {"window_start": "2024-05-11T00:00:00+05:30", "window_end": "2024-05-12T00:00:00+05:30"}
    about = {key: receipt[key] for key in ("account", "cm_id", "query_hash", "date_field")}
    running = {**about, **window, "in_progress": True, "pull_id": "p9", "days": {}, "previous": None, "run_key": None}
    objects.write("_receipts/create_date/20240510T183000Z_20240511T183000Z.json", json.dumps(running).encode())
    assert kinds(folder) == []
    key = objects._key(name)
    s3.put_object(Bucket="orders", Key=key, Body=b"newer", Metadata={"kapture_pull_id": "p8"})
    assert kinds(folder) == [("altered", "2024-05-08")]
    s3.put_object(Bucket="orders", Key=key, Body=b"newer", Metadata={"kapture_pull_id": "p9"})
    assert kinds(folder) == []


@pytest.fixture
def s3_year(s3, s3_store, monkeypatch):
    """A year of receipts and objects, as of 365 runs with a lookback of two days."""
    monkeypatch.setenv("AIRFLOW_CONN_STORE", json.dumps(s3_store.connections["store"]))
    lake = year(lookback=2)
    for name, each in lake.objects.items():
        s3.put_object(Bucket="orders", Key=f"year/{name}", Body=b"x" * each.size)
    for name, receipt in lake.receipts.items():
        for file in receipt["files"]:
            file["etag"] = hashlib.md5(b"x" * file["bytes"]).hexdigest()
        s3.put_object(Bucket="orders", Key=f"year/{name}", Body=json.dumps(receipt).encode())
    s3.put_object(Bucket="orders", Key="year/_kapture.json", Body=json.dumps(lake.owner).encode())
    return lake


@pytest.mark.slow
def test_a_year_takes_one_listing_and_its_receipts(s3_year, monkeypatch):
    import aiobotocore.client

    calls = []
    call = aiobotocore.client.AioBaseClient._make_api_call

    async def counted(self, operation, arguments):
        calls.append(operation)
        return await call(self, operation, arguments)

    monkeypatch.setattr(aiobotocore.client.AioBaseClient, "_make_api_call", counted)
    report = audit("s3://store@orders/year/")
    assert report.findings == ()
    assert (len(report.days), sum(each.complete for each in report.days)) == (365, 365)
    assert calls.count("ListObjectsV2") == 1
    assert calls.count("GetObject") == 365 + 1
    assert len(calls) == 367


@pytest.mark.parametrize(
    ("destination", "message"),
    [
        ("s3://nowhere@orders/lake/", "cannot be read (AirflowNotFoundException"),
        ("s3://store@no-such-bucket/lake/", "There is no bucket 'no-such-bucket'"),
        ("s3://store@orders/nothing-here/", "which contains nothing"),
    ],
)
def test_a_folder_that_is_not_there(destination, message, s3_store, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_STORE", json.dumps(s3_store.connections["store"]))
    with pytest.raises(KaptureSettingsError, match=message.replace("(", r"\(")):
        audit(destination)


@pytest.mark.slow
def test_the_task_links_to_the_page_which_a_browser_shows(airflow_db, s3, s3_store, kapture, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_STORE", json.dumps(s3_store.connections["store"]))
    folder = f"{s3_store.url}/audit-link/"
    pull(folder)
    links = []

    def build():
        operator = KaptureAuditOperator(task_id="audit", destination=folder)

        @task
        def look(report, **context):
            links.append((report["page"], context["ti"].xcom_pull(task_ids="audit", key="audit_page")))

        look(operator.output)

    assert run_dag(build)["look"].states == ["success"]
    [(page, url)] = links
    assert page == f"{folder}_audit.html"
    assert url == f"{s3_store.line.origin}/orders/audit-link/_audit.html"
    shown = s3.get_object(Bucket="orders", Key="audit-link/_audit.html")
    assert shown["ContentType"] == "text/html; charset=utf-8"
    assert "300 orders" in shown["Body"].read().decode()
