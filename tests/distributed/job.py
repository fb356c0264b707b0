"""The month of orders as a job of the cluster, and what must hold once it is done."""

import datetime as dt
import gzip
import hashlib
import json
import subprocess
import sys
from collections import Counter
from dataclasses import asdict
from functools import cached_property
from pathlib import Path

from cluster import BUCKET

DAG = "kapture_month"


class Job:
    """One run of the DAG.

    :param book: what Kapture has
    :param prefix: where in the bucket the objects go
    """

    def __init__(self, cluster, book, prefix):
        self.cluster = cluster
        self.book = book
        self.prefix = prefix

    def begin(self):
        """Start the run."""
        call = self.cluster.call
        self.cluster.processes.wait_for(f"the DAG {DAG} is there", self._is_there, 120)
        call("PATCH", f"dags/{DAG}", {"is_paused": False})
        destination = f"s3://store@{BUCKET}/{self.prefix}"
        conf = {"first": str(self.book.start), "days": self.book.days, "destination": destination}
        self.run_id = call("POST", f"dags/{DAG}/dagRuns", {"logical_date": None, "conf": conf})["dag_run_id"]

    def _is_there(self):
        found = self.cluster.call("GET", "dags", dag_id_pattern=DAG)["dags"]
        return bool(found)

    @property
    def _run(self):
        return f"dags/{DAG}/dagRuns/{self.run_id}"

    def state(self):
        return self.cluster.call("GET", self._run)["state"]

    def has_ended(self):
        return self.state() in {"success", "failed"}

    def tasks(self, task_id="pull_orders"):
        """The task instances of a task."""
        found = self.cluster.call("GET", f"{self._run}/taskInstances", task_id=task_id, limit=200)
        return found["task_instances"]

    def running_in(self, pids):
        """The map indexes of the pulls that Airflow takes to run in one of these processes."""
        return [each["map_index"] for each in self.tasks() if each["state"] == "running" and each["pid"] in pids]

    def pulled(self):
        """How many days are done."""
        return sum(each["state"] == "success" for each in self.tasks())

    def is_sensor_deferred(self):
        return [each["state"] for each in self.tasks("next_month_has_begun")] == ["deferred"]

    def begin_next_month(self):
        """The order that the sensor waits for."""
        day = self.book.start + dt.timedelta(days=self.book.days)
        self.cluster.kapture("POST", "orders", {"count": 1, "day": str(day)})

    @cached_property
    def receipts(self):
        """What each pull says that it did, once the run has ended."""
        path = f"{self._run}/taskInstances/pull_orders/xcomEntries/receipt"
        return [self.cluster.call("GET", path, map_index=number)["value"] for number in range(self.book.days)]

    def stored(self):
        """Every object of the bucket below the prefix."""
        pages = self.cluster.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=self.prefix)
        return {
            each["Key"]: self.cluster.s3.get_object(Bucket=BUCKET, Key=each["Key"])["Body"].read()
            for page in pages
            for each in page.get("Contents", [])
        }

    def _sent(self):
        """Kapture's orders, by a process of its own: in this one they may be those of the canary's customer."""
        book = json.dumps({**asdict(self.book), "start": str(self.book.start)})
        command = [sys.executable, str(Path(__file__).with_name("kapture_server.py")), book]
        return subprocess.run(command, check=True, capture_output=True).stdout.splitlines()

    def check(self):
        """Every order is in one object, once, to the letter; each receipt says what lies there; nothing else does.

        :return: the objects with orders
        """
        stored = self.stored()
        beside = {key for key in stored if key.removeprefix(self.prefix).lstrip("/").startswith("_")}
        objects = {key: content for key, content in stored.items() if key not in beside}
        listed, orders = [], []
        for receipt in self.receipts:
            [file] = receipt["files"]
            key = file["uri"].partition(f"@{BUCKET}/")[2]
            content = objects[key]
            assert (file["bytes"], file["sha256"]) == (len(content), hashlib.sha256(content).hexdigest()), key
            lines = gzip.decompress(content).splitlines()
            assert file["rows"] == receipt["rows"] == len(lines), key
            listed.append(key)
            orders += lines
            written = receipt["receipt_uri"].partition(f"@{BUCKET}/")[2]
            assert json.loads(stored[written]) == receipt, written
            beside.remove(written)
        assert sorted(listed) == sorted(objects)
        assert [key.rpartition("/")[2] for key in beside] == ["_kapture.json"]
        found, expected = Counter(orders), Counter(self._sent())
        surplus, missing = list((found - expected).elements()), list((expected - found).elements())
        assert not surplus + missing, (
            f"too many: {surplus[:5]}; missing: {missing[:5]}; {len(surplus + missing)} in all"
        )
        return objects
