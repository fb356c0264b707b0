import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

# botocore's own, of datetime; and those of every provider's hooks, which Airflow imports for the first file system.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

KILLS = {"Local": 200, "S3": 60}


class Local:
    """The object as a file."""

    def __init__(self, folder):
        self.folder = self.spools = folder
        self.destination = str(folder / "orders.parquet")

    def read(self):
        return Path(self.destination).read_bytes()

    def others(self):
        return [each.name for each in self.folder.iterdir() if each.name != "orders.parquet"]


class S3:
    """The object in a bucket, spooled in a folder of its own."""

    def __init__(self, client, spools):
        self.client = client
        self.spools = spools
        # A folder of its own: the objects of another test are another account's.
        self.key = f"killed/{spools.name}/orders.parquet"
        self.destination = f"s3://store@orders/{self.key}"

    def read(self):
        return self.client.get_object(Bucket="orders", Key=self.key)["Body"].read()

    def others(self):
        found = [
            each["Key"]
            for each in self.client.list_objects_v2(Bucket="orders", Prefix=self.key.rpartition("/")[0])["Contents"]
        ]
        assert found == [self.key]
        return [each.name for each in self.spools.iterdir()]


@pytest.fixture(params=["local", "s3"])
def store(request, tmp_path, monkeypatch):
    if request.param == "local":
        return Local(tmp_path)
    monkeypatch.setenv("AIRFLOW__KAPTURE__SPOOL_DIR", str(tmp_path))
    found = request.getfixturevalue("s3_store")
    monkeypatch.setenv("AIRFLOW_CONN_STORE", json.dumps(found.connections["store"]))
    return S3(request.getfixturevalue("s3"), tmp_path)


class Publisher:
    """See publisher.py."""

    def __init__(self, destination):
        self.destination = destination
        self.process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("publisher.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with self.process:
            self.process.terminate()

    def ask(self, how):
        self.process.stdin.write(f"{how} {self.destination}\n")
        self.process.stdin.flush()
        return int(self.answer())

    def answer(self):
        line = self.process.stdout.readline()
        assert line, "the publisher ended"
        return line

    def run(self, what):
        """Run to the end; what the object holds then."""
        self.ask(what)
        assert int(self.answer()) == 0

    def killed_after(self, seconds, by):
        child = self.ask("ever")
        time.sleep(seconds)  # the moment of the kill is what is varied
        os.kill(child, by)
        return int(self.answer())

    def kills(self, store, number, by):
        """Kill so many pulls, each at a random moment; after each, the object is one of the two, whole."""
        whole = set()
        for each in ("first", "both"):
            self.run(each)
            whole.add(store.read())
        assert len(whole) == 2
        began = time.monotonic()
        self.run("both")
        length = time.monotonic() - began
        for _ in range(number):
            yield self.killed_after(random.uniform(0, length), by)
            assert store.read() in whole


@pytest.mark.timeout(600)
def test_sigkill_leaves_the_old_object_or_the_new_one_and_the_next_try_clears_the_rest(kapture, store):
    tally = Counter()
    kills = KILLS[type(store).__name__]
    with Publisher(store.destination) as publisher:
        for ended_by in publisher.kills(store, kills, signal.SIGKILL):
            assert ended_by == signal.SIGKILL
            left = store.others()
            assert all(each.startswith(".kapture-") and not each.endswith("parquet") for each in left)
            tally[len(left)] += 1
        publisher.run("both")
        assert not store.others()
    sys.stdout.write(f"{kills} kills; spools left: how often: {dict(tally)}\n")
    assert tally[1], "no kill met a file half written"


@pytest.mark.timeout(600)
def test_sigterm_leaves_the_old_object_or_the_new_one_and_nothing_else(kapture, store):
    with Publisher(store.destination) as publisher:
        for _ in publisher.kills(store, 20, signal.SIGTERM):
            assert not store.others()
