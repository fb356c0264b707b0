import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import boto3
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_kapture.emulator import Book, Emulator
from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator

# botocore's own, of datetime; and those of every provider's hooks, which Airflow imports for the first file system.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def s3():
    """A real S3 server process with one bucket."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            origin = f"http://127.0.0.1:{port}"
            keys = {"aws_access_key_id": "user", "aws_secret_access_key": "made-up", "region_name": "us-east-1"}
            client = boto3.client("s3", endpoint_url=origin, **keys)
            wait_for(origin, server)
            client.create_bucket(Bucket="orders")
            yield client
            client.close()
        finally:
            server.terminate()


def wait_for(origin, server):
    while server.poll() is None:
        try:
            urllib.request.urlopen(f"{origin}/moto-api/", timeout=5).close()
        except (urllib.error.URLError, ConnectionError):
            continue
        return
    pytest.fail("the S3 server did not start")


@pytest.fixture
def kapture(monkeypatch, s3):
    extra = {"endpoint_url": s3.meta.endpoint_url, "region_name": "us-east-1"}
    store = {"conn_type": "aws", "login": "user", "password": "made-up", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_STORE", json.dumps(store))
    with Emulator(Book(orders=300, days=3)) as running:
        for name, value in running.connection_uri_env().items():
            monkeypatch.setenv(name, value)
        yield running


def pull(destination):
    operator = KapturePullOrdersOperator(
        task_id="pull", window_start="2024-05-08", window_end="2024-05-11", destination=destination
    )
    return operator.execute({})


def test_objects_are_where_and_what_the_receipt_says(kapture, s3):
    receipt = pull("s3://store@orders/raw/")
    stored = s3.list_objects_v2(Bucket="orders", Prefix="raw/")["Contents"]
    assert {f"s3://store@orders/{each['Key']}": each["Size"] for each in stored} == {
        each["uri"]: each["bytes"] for each in receipt["files"]
    }
    assert receipt["rows"] == 300


def test_a_rerun_gives_the_same_object(kapture, s3):
    pull("s3://store@orders/one.jsonl")
    before = s3.get_object(Bucket="orders", Key="one.jsonl")["Body"].read()
    pull("s3://store@orders/one.jsonl")
    assert s3.get_object(Bucket="orders", Key="one.jsonl")["Body"].read() == before
    assert sorted(before.splitlines()) == sorted(kapture.records())


@pytest.mark.parametrize(
    ("destination", "message"),
    [("s3://store@nowhere/raw/", "'nowhere'"), ("foo://orders/raw/", "destination"), ("gs://orders/", r"\[gcs\]")],
)
def test_what_cannot_be_written_to_is_named_before_the_first_request(kapture, destination, message):
    with pytest.raises(AirflowFailException, match=message):
        pull(destination)
    assert kapture.stats()["requests"] == 0
