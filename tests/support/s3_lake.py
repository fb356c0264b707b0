"""An S3 server with one bucket, ``lake``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
import requests

REGION = "eu-central-1"


@dataclass(frozen=True)
class Lake:
    """A running server.

    :ivar client: a boto3 client of it
    :ivar connection: the JSON of the Airflow connection that leads to it
    """

    client: Any
    connection: str


@contextmanager
def s3_lake() -> Iterator[Lake]:
    """Run a server in a thread of this process."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        origin = "http://{}:{}".format(*server.get_host_and_port())
        # A server has what former ones of this process had.
        requests.post(f"{origin}/moto-api/reset", timeout=60).raise_for_status()
        keys = {"aws_access_key_id": "user", "aws_secret_access_key": "made-up", "region_name": REGION}
        client = boto3.client("s3", endpoint_url=origin, **keys)
        client.create_bucket(Bucket="lake", CreateBucketConfiguration={"LocationConstraint": REGION})
        extra = {"endpoint_url": origin, "region_name": REGION}
        connection = {"conn_type": "aws", "login": "user", "password": "made-up", "extra": extra}
        yield Lake(client, json.dumps(connection))
    finally:
        server.stop()
