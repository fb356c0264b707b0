"""The control plane, the context manager and the command."""

import contextlib
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys

import pytest

from airflow_provider_kapture.client.orders import PATH
from airflow_provider_kapture.emulator import Book, Emulator

DAYS = ["2024-05-08", "2024-05-09", "2024-05-10"]


def test_count(kapture, send):
    assert send("GET", f"count?start={DAYS[0]}&end={DAYS[1]}") == (200, {"orders": 60})
    assert kapture.count(DAYS[0], DAYS[-1]) == 90


@pytest.mark.parametrize("query", ["", "?start=2024-05-08", "?start=x&end=y"])
def test_a_count_that_can_not_be_understood(send, query):
    status, answer = send("GET", f"count{query}")
    assert status == 400
    assert answer["error"]


def test_stats_count_orders_requests_alone(send, pull):
    pull(limit="5", offset="20")
    pull(path="/elsewhere")
    _status, stats = send("GET", "stats")
    assert stats == {
        "requests": 2,
        "statuses": {"200": 1, "404": 1},
        "in_flight": 0,
        "max_in_flight": 1,
        "offsets": [20],
    }


def test_switches_of_a_running_server(kapture, send, pull):
    assert send("POST", "switches", {"page_cap": 2})[0] == 200
    assert len(pull().ids) == 2
    status, answer = send("POST", "switches", {"page_cpa": 2})
    assert status == 400
    assert "did you mean 'page_cap'" in answer["error"]
    assert send("POST", "reset")[0] == 200
    assert kapture.switches.page_cap is None


@pytest.mark.parametrize("body", [["a"], "a", 1])
def test_switches_must_be_an_object(send, body):
    assert send("POST", "switches", body)[0] == 400


def test_orders_appear(kapture, send, pull):
    before = set(pull(createStartDate=DAYS[0], createEndDate=DAYS[-1]).ids)
    assert send("POST", "orders", {"count": 2, "day": DAYS[1]})[0] == 200
    _status, answer = send("POST", "orders")
    assert set(answer["ids"]) < set(pull(createStartDate=DAYS[-1], createEndDate=DAYS[-1]).ids)
    assert len(pull(createStartDate=DAYS[1], createEndDate=DAYS[1]).ids) == 32
    assert before < set(pull(createStartDate=DAYS[0], createEndDate=DAYS[-1]).ids)
    kapture.reset()
    assert set(kapture.ids()) == before


def test_orders_appear_at_an_instant(kapture, pull):
    instant = 1_715_150_000_123
    added = kapture.add_orders(3, day=DAYS[0], create_ms=instant)
    assert sorted(kapture.ids(instant, instant + 1)) == sorted(added)
    assert {order["createDate"] for order in pull().orders if order["id"] in added} == {instant}


def test_mutations_update_delete_and_insert_orders_the_same_way_each_time(kapture, pull):
    before = {each["id"]: each for each in kapture.orders}
    found = []
    for _ in range(2):
        pull(createStartDate=DAYS[0], createEndDate=DAYS[-1])
        kapture.mutate(20)
        after = {each["id"]: each for each in kapture.orders}
        changed = sorted(name for name in before.keys() & after.keys() if before[name] != after[name])
        assert before.keys() - after.keys()
        assert after.keys() - before.keys()
        assert changed
        assert all(after[name]["lastModificationTime"] > before[name]["lastModificationTime"] for name in changed)
        assert set(pull(createStartDate=DAYS[0], createEndDate=DAYS[-1]).ids) == set(after)
        found.append((sorted(after), changed, [after[name]["deliveryStatus"] for name in changed]))
        kapture.reset()
    assert found[0] == found[1]


def test_orders_on_a_day_that_is_none(kapture):
    with pytest.raises(ValueError, match="isoformat"):
        kapture.add_orders(1, day="yesterday")


def test_truth(kapture):
    assert [order["id"] for order in kapture.orders] == kapture.ids()
    instants = [order["createDate"] for order in kapture.orders]
    assert kapture.ids(instants[10], instants[40]) == [
        order["id"] for order in kapture.orders if instants[10] <= order["createDate"] < instants[40]
    ]
    assert [json.loads(record) for record in kapture.records()] == kapture.orders


def test_requests_are_seen_as_they_came(kapture, pull):
    pull(headers={"X-Trace": "seven"})
    pull(method="GET", path="/elsewhere", raw=b"not json")
    first, second = kapture.requests_seen
    assert (first.method, first.path, first.headers["x-trace"]) == ("POST", PATH, "seven")
    assert first.body["cmId"] == kapture.cm_id
    assert (second.method, second.path, second.body, second.raw) == ("GET", "/elsewhere", None, b"not json")
    assert "Basic" not in repr(first)


def test_the_connection_is_airflows(kapture):
    ((name, value),) = kapture.connection_uri_env("my_kapture", page_size=9).items()
    assert name == "AIRFLOW_CONN_MY_KAPTURE"
    assert json.loads(value) == {
        "conn_type": "kapture",
        "host": kapture.origin,
        "login": "ünï",
        "password": 'pä:"ss 密',
        "extra": {"cm_id": 1_000_298, "timezone": "Asia/Kolkata", "page_size": 9},
    }


def test_leaving_closes_a_connection_that_waits_for_its_answer():
    with Emulator(Book(orders=1)) as kapture:
        kapture.set(latency=3_600)
        client = socket.create_connection(("127.0.0.1", kapture.port), timeout=30)
        client.sendall(b"GET / HTTP/1.1\r\nHost: kapture\r\n\r\n")
    with client, contextlib.suppress(ConnectionResetError):
        assert client.recv(1) == b""


def test_an_outage_ends_on_the_same_port():
    kapture = Emulator(Book(orders=4))
    with kapture:
        kapture.add_orders(1)
        origin = kapture.origin
    with pytest.raises(ConnectionRefusedError):
        kapture.count(DAYS[0], DAYS[-1])
    assert kapture.stats()["requests"] == 0
    with kapture:
        assert kapture.origin == origin
        assert kapture.count(DAYS[0], DAYS[-1]) == 5


def start(*arguments, **options):
    code = "import sys; from airflow_provider_kapture.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "emulator", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def give_up_within_a_request(port):
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: kapture\r\nContent-Length: 9\r\n\r\nhalf")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_says_how_to_connect_and_stops_on_a_signal(number):
    with start("--orders", "10", "--page-cap", "3", "--no-window-is-filter", "--password", "it's") as process:
        try:
            lines = list(iter(process.stdout.readline, "Stop with Ctrl-C.\n"))
            give_up_within_a_request(port=int(re.search(r":(\d+)", "".join(lines))[1]))
            process.send_signal(number)
            assert process.wait(30) == 0
            assert process.stderr.read() == ""
        finally:
            process.kill()
    output = "".join(lines)
    url = re.search(r"URL +(\S+)", output)[1]
    name, _, value = shlex.split(re.search(r"^export (.*)$", output, re.MULTILINE)[1])[0].partition("=")
    assert name == "AIRFLOW_CONN_KAPTURE_DEFAULT"
    connection = json.loads(value)
    assert (connection["host"], connection["password"]) == (url, "it's")
    assert connection["extra"] == {"cm_id": 1_000_298, "timezone": "Asia/Kolkata"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--orders", "-1"], "orders is -1"),
        (["--page-cap", "0"], "page_cap is 0"),
        (["--timezone", "Mars"], "timezone is 'Mars'"),
        (["--order", "sideways"], "invalid choice"),
    ],
)
def test_the_command_names_a_wrong_argument(arguments, message):
    with start(*arguments) as process:
        _out, error = process.communicate(timeout=30)
    assert process.returncode == 2
    assert message in error


def test_the_command_names_a_port_that_is_taken(kapture):
    with start("--port", str(kapture.port)) as process:
        _out, error = process.communicate(timeout=30)
    assert process.returncode == 2
    assert f"127.0.0.1:{kapture.port}" in error


def test_the_command_names_the_extra_that_is_missing(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name in ('starlette', 'uvicorn'):\n"
        "            raise ModuleNotFoundError(name=name)\n"
        "sys.meta_path.insert(0, Missing())\n"
    )
    with start(env=os.environ | {"PYTHONPATH": str(tmp_path)}) as process:
        _out, error = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "pip install 'airflow-provider-kapture[emulator]'" in error


def test_the_command_explains_every_option():
    with start("--help") as process:
        out, _error = process.communicate(timeout=30)
    assert process.returncode == 0
    for option in ("--orders", "--page-cap", "--dates-timezone", "--no-window-is-filter", "--retry-after"):
        assert option in out
