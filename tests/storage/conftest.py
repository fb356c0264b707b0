import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import boto3
import pytest

from airflow_provider_kapture.emulator import Book, Emulator


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
def s3_conn_id(monkeypatch, s3):
    """An Airflow connection to it."""
    extra = {"endpoint_url": s3.meta.endpoint_url, "region_name": "us-east-1"}
    store = {"conn_type": "aws", "login": "user", "password": "made-up", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_STORE", json.dumps(store))
    return "store"


@pytest.fixture
def kapture(monkeypatch):
    """Three days of orders."""
    with Emulator(Book(orders=300, days=3)) as running:
        for name, value in running.connection_uri_env().items():
            monkeypatch.setenv(name, value)
        yield running
