"""Triggers never block the event loop of the triggerer: in a process of its own, where nothing is imported yet."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from certificates import self_signed
from hostile import Hostile

WINDOW = {"window_start": "2024-05-08T00:00:00+05:30", "window_end": "2024-05-09T00:00:00+05:30"}
ORDER = {"id": 1, "createDate": 1715150000000}
PROGRAM = """
import asyncio, json, sys
from blockbuster import blockbuster_ctx
from airflow_provider_kapture.hooks.kapture import KaptureHook
from airflow_provider_kapture.privacy import encrypt_filters
from airflow_provider_kapture.triggers.kapture import KaptureOrdersEventTrigger, KaptureOrdersTrigger

kind, count, window = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
sealed = encrypt_filters(KaptureHook().get_account(), {"phone": "+91 98450 12345"})


async def wait(number):
    filters = sealed if number % 2 else None
    trigger = KaptureOrdersTrigger(kapture_conn_id="kapture_default", sealed_filters=filters, poll_interval=1, **window)
    return [event.payload["orders"] async for event in trigger.run()]


async def watch(number):
    poll = await KaptureOrdersEventTrigger(poll_interval=1)._watched().poll(None, 3600)
    return [len(poll.orders)]


async def main():
    return await asyncio.gather(*((wait if kind == "wait" else watch)(number) for number in range(count)))


with blockbuster_ctx():
    found = asyncio.run(main())
print(json.dumps(found))
"""


def response(orders: list[dict[str, int]]) -> bytes:
    body = json.dumps({"success": "true", "order_details": orders}).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


@pytest.mark.slow
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("count", [1, 200])
@pytest.mark.parametrize("kind", ["wait", "watch"])
def test_no_trigger_makes_a_blocking_call_in_the_event_loop(tmp_path: Path, kind: str, count: int, tls: bool) -> None:
    certificate = self_signed(tmp_path)
    orders = [ORDER] if kind == "wait" else []
    # The first response is empty: at least one trigger polls again.
    with Hostile(response([]), then=response(orders), tls=certificate if tls else None) as kapture:
        extra = {"cm_id": 1, "verify": str(certificate)}
        connection = {
            "conn_type": "kapture",
            "host": kapture.origin,
            "login": "u",
            "password": "secret",
            "extra": extra,
        }
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, kind, str(count), json.dumps(WINDOW)],
            env={**os.environ, "AIRFLOW_CONN_KAPTURE_DEFAULT": json.dumps(connection)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [[len(orders)]] * count
