import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import pytest
from connected import connected


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextlib.contextmanager
def serving(*command, port, **environment):
    """A server process, from when it takes connections."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=os.environ | environment, **quiet) as server:
        try:
            while server.poll() is None:
                with contextlib.suppress(ConnectionError), socket.create_connection(("127.0.0.1", port)):
                    break
                time.sleep(0.05)  # it is another program: nothing else tells
            assert server.poll() is None, f"{command} did not start"
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


class Line:
    """What stands between a connection and its server: it can be made to break in the middle of what is sent.

    :ivar breaks_after: bytes that a client may send; none: as many as it likes
    """

    def __init__(self, origin):
        self.breaks_after = None
        self._to = (urlsplit(origin).hostname, urlsplit(origin).port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.origin = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        # Closing alone does not end an accept that waits.
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(self._to)
                for source, target, sent in ((client, server, True), (server, client, False)):
                    threading.Thread(target=self._pass_on, args=(source, target, sent), daemon=True).start()

    def _pass_on(self, source, target, sent):
        passed = 0
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 14):
                passed += len(data)
                if sent and self.breaks_after is not None and passed > self.breaks_after:
                    break
                target.sendall(data)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        source.close()


@dataclass
class Store:
    """An object store with one bucket, and the Airflow connection to it.

    :ivar url: the bucket's
    :ivar wrong: a connection with wrong credentials, where the emulator looks at them
    :ivar takes_halves: whether the emulator, unlike the store, takes a request that was cut short for a whole one
    """

    url: str
    line: Line
    connections: dict[str, dict]
    wrong: str | None = None
    takes_halves: bool = False


@pytest.fixture(scope="session")
def s3():
    """A client of a real S3 server process with one bucket."""
    port = free_port()
    command = (sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port))
    # So that tests need no large objects to upload one in parts.
    with serving(*command, port=port, S3_UPLOAD_PART_MIN_SIZE="1024") as origin:
        keys = {"aws_access_key_id": "user", "aws_secret_access_key": "made-up", "region_name": "us-east-1"}
        client = boto3.client("s3", endpoint_url=origin, **keys)
        client.create_bucket(Bucket="orders")
        yield client
        client.close()


@pytest.fixture(scope="session")
def s3_store(s3):
    with contextlib.closing(Line(s3.meta.endpoint_url)) as line:
        extra = {"endpoint_url": line.origin, "region_name": "us-east-1"}
        connection = {"conn_type": "aws", "login": "user", "password": "made-up", "extra": extra}
        yield Store("s3://store@orders", line, {"store": connection})


@pytest.fixture(scope="session")
def gs_store():
    port = free_port()
    command = (str(Path(sys.executable).with_name("gcp-storage-emulator")), "start", "--in-memory", "--host=127.0.0.1")
    with (
        serving(*command, f"--port={port}", "--default-bucket=orders", port=port) as origin,
        contextlib.closing(Line(origin)) as line,
    ):
        extra = {"gcs.endpoint": line.origin, "is_anonymous": True, "project": "orders"}
        connection = {"conn_type": "google_cloud_platform", "extra": extra}
        yield Store("gs://gstore@orders", line, {"gstore": connection}, takes_halves=True)


# Azurite's only account.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@pytest.fixture(scope="session")
def abfs_store(request):
    from azure.storage.blob import BlobServiceClient

    azurite = request.config.rootpath / ".venvs/azurite/node_modules/azurite/dist/src/blob/main.js"
    assert azurite.exists(), "`make test-clouds` installs it"
    port = free_port()
    options = ("--inMemoryPersistence", "--disableTelemetry", "--skipApiVersionCheck", "--silent")
    with (
        serving("node", str(azurite), *options, "--blobPort", str(port), port=port) as origin,
        contextlib.closing(Line(origin)) as line,
    ):

        def connection(key):
            parts = {
                "DefaultEndpointsProtocol": "http",
                "AccountName": ACCOUNT,
                "AccountKey": key,
                "BlobEndpoint": f"{line.origin}/{ACCOUNT}",
            }
            text = ";".join(f"{name}={value}" for name, value in parts.items())
            return {"conn_type": "wasb", "extra": {"connection_string": text}}

        right = connection(KEY)
        with BlobServiceClient.from_connection_string(right["extra"]["connection_string"]) as client:
            client.create_container("orders")
        connections = {"astore": right, "awrong": connection("bWFkZS11cA==")}
        yield Store("abfs://astore@orders", line, connections, wrong="awrong")


@pytest.fixture(
    params=["s3", pytest.param("gs", marks=pytest.mark.clouds), pytest.param("abfs", marks=pytest.mark.clouds)]
)
def store(request, monkeypatch):
    """Each object store, through its Airflow connection."""
    # gcsfs asks a service that no emulator has what kind of bucket it is.
    monkeypatch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    found = request.getfixturevalue(f"{request.param}_store")
    for name, connection in found.connections.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(connection))
    yield found
    found.line.breaks_after = None


@pytest.fixture
def kapture(monkeypatch):
    """Three days of orders."""
    with connected(monkeypatch, 300) as running:
        yield running
