"""What the Test button says: each failure told apart, and nothing that is secret."""

import base64
import datetime as dt
import json
import re
import socket
from dataclasses import replace

import pytest

from airflow_provider_kapture.client import Account, KaptureClient
from airflow_provider_kapture.client.api.failures import Response
from airflow_provider_kapture.client.config.table import SETTINGS
from airflow_provider_kapture.emulator import Book, Emulator, Switches
from airflow_provider_kapture.hooks.kapture import KaptureHook, _test

PASSWORD = "s3cret-of-the-test"


@pytest.fixture(scope="module")
def running_kapture():
    with Emulator(Book(orders=9, days=1), password=PASSWORD) as running:
        yield running


@pytest.fixture
def kapture(running_kapture):
    running_kapture.reset()
    return running_kapture


@pytest.fixture
def press(kapture, monkeypatch):
    """Test a connection that is the emulator's but for what is named; whether it worked, and the message."""

    def press(read_timeout=5, **changed):
        connection = json.loads(kapture.connection_json(read_timeout=read_timeout))
        monkeypatch.setenv("AIRFLOW_CONN_KAPTURE_DEFAULT", json.dumps(connection | changed))
        worked, message = KaptureHook().test_connection()
        token = base64.b64encode(f"{kapture.user}:{PASSWORD}".encode()).decode()
        for secret in (PASSWORD, token, "another-password"):
            assert secret not in message
        return worked, message

    return press


def closed_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


ANSWERS = {
    "forbidden": ({"status_every": 1, "status": 403}, "403 Forbidden"),
    "not found": ({"status_every": 1, "status": 404}, "404"),
    "method not allowed": ({"method": "GET"}, "405"),
    "busy": ({"status_every": 1, "status": 503}, "returned 503"),
    "redirected": ({"redirect": "https://elsewhere.example/login"}, "a redirect to elsewhere.example"),
    "a page for people": ({"verbatim": "<html>Sign in</html>"}, "HTML"),
    "another JSON": ({"verbatim": '{"orders": []}'}, "reports no success"),
    "refused as such": ({"status_every": 1, "status": 400}, "refused the request with 400"),
    "too slow": ({"latency": 30}, "did not respond in time"),
}


@pytest.mark.parametrize(("switches", "expected"), ANSWERS.values(), ids=ANSWERS)
def test_each_answer_is_told_apart(kapture, press, switches, expected):
    kapture.set(**switches)
    worked, message = press(read_timeout=0.2 if "latency" in switches else 5)
    assert not worked
    assert expected in message
    # The port may be any number.
    message = message.replace(str(kapture.port), "")
    assert not [other for _, other in ANSWERS.values() if other != expected and other in message]


@pytest.mark.parametrize("status", [401, 200])
def test_wrong_credentials(kapture, press, status):
    kapture.set(bad_auth=status)
    worked, message = press(password="another-password")
    assert not worked
    assert "does not accept the credentials" in message


def test_what_never_reached_kapture(kapture, press):
    messages = [
        press(host="no-such-name.invalid")[1],
        press(host=f"http://127.0.0.1:{closed_port()}")[1],
        press(host=f"https://127.0.0.1:{kapture.port}")[1],
    ]
    for message, expected in zip(messages, ("cannot be resolved", "refused the connection", "TLS"), strict=True):
        assert expected in message
    assert kapture.stats()["requests"] == 0


def test_success_requests_ten_orders_of_any_date(kapture, press):
    worked, message = press()
    assert worked
    assert re.fullmatch(
        r"Logged in as kapture; Kapture listed an order created [\d,]+ days ago; "
        r"to check dates and paging: kapture doctor CONN_ID",
        message,
    )
    [seen] = kapture.requests_seen
    assert seen.body["limit"] == "10"
    assert seen.body["createStartDate"] == seen.body["createEndDate"] == ""


@pytest.mark.parametrize("auth", ["key", "token"])
def test_success_names_the_kind_of_credentials_but_not_a_secret(kapture, press, auth):
    kapture.set(auth=auth)
    worked, message = press(login="", extra={"cm_id": kapture.cm_id, "auth": auth})
    assert worked, message
    assert message.startswith(f"Logged in with a {auth}; ")


AGES = {
    dt.timedelta(seconds=-3600): "which is in the future",
    dt.timedelta(seconds=1): "second",
    dt.timedelta(seconds=150): "2 minutes ago",
    dt.timedelta(minutes=90): "1 hour ago",
    dt.timedelta(hours=50): "2 days ago",
}


@pytest.mark.parametrize("age", AGES, ids=str)
def test_the_age_of_the_latest_order(age):
    now = dt.datetime.now(dt.UTC)
    order = {"id": 1, "createDate": int((now - age).timestamp() * 1000)}
    with Emulator(Book(orders=0), Switches(verbatim=json.dumps({"success": "true", "order_details": [order]}))) as own:
        connection = json.loads(own.connection_json())
        account = Account.from_connection(
            connection["host"], connection["login"], connection["password"], connection["extra"], connection.get("port")
        )
        with KaptureClient(account) as client:
            assert AGES[age] in _test(client)


def test_an_account_that_ignores_limit_is_reached(kapture, press):
    kapture.set(limit_ignored=True)
    kapture.add_orders(20)
    worked, message = press()
    assert worked
    assert "`paging`" in message


def test_an_account_that_wants_dates_is_reached(kapture, press):
    kapture.set(max_days=1)
    worked, message = press()
    assert worked, message


REACHED = {
    "orders": ({}, {}, 1, "listed an order created "),
    "orders by GET": ({"method": "GET"}, {"http_method": "GET"}, 1, "listed an order"),
    "orders in a list": ({"body": "list"}, {"body_format": "list"}, 1, "listed an order"),
    "orders elsewhere": ({"rows_at": "response.orders"}, {"rows_at": "response.orders"}, 1, "listed an order"),
    "a filter is wanted": ({"window_is_filter": False}, {}, 1, "listed an order"),
    "pages from 1": ({"paging": "pages_from_1"}, {"paging": "pages_from_1"}, 1, "listed an order"),
    "limit is ignored": ({"limit_ignored": True}, {}, 1, "`paging`"),
    "limit and offset are ignored": ({"paging": "none"}, {}, 1, "`paging`"),
    "dates are wanted": ({"dates_required": True}, {}, 3, "today's orders"),
    "dates are wanted, as a failure": ({"dates_required": True, "bad_range": "failed"}, {}, 3, "today's orders"),
    "dates are wanted, as no orders": ({"dates_required": True, "bad_range": "empty"}, {}, 2, "listed no order"),
    "dates that have no instant": ({"create_date": "words"}, {}, 1, "not epoch milliseconds"),
}


@pytest.mark.parametrize("row", REACHED.values(), ids=REACHED)
def test_an_account_that_can_be_reached_says_so_and_names_the_doctor(kapture, press, row):
    switches, extra, requests, expected = row
    kapture.add_orders(20)
    kapture.set(**switches)
    worked, message = press(extra={"cm_id": kapture.cm_id, "timezone": "Asia/Kolkata", **extra})
    assert worked, message
    assert expected in message
    assert "kapture doctor CONN_ID" in message
    assert kapture.stats()["requests"] == requests


def test_a_response_of_more_than_a_few_orders_is_not_read_to_its_end(kapture, press):
    kapture.set(limit_ignored=True)
    kapture.add_orders(2_000)
    worked, message = press()
    assert worked
    assert "`paging`" in message
    assert kapture.stats()["requests"] == 1


@pytest.mark.parametrize(
    "first", [{"success": "true", "order_details": []}, {"status": "failed", "message": "No page 0"}]
)
def test_orders_from_offset_1_on_name_the_setting(kapture, press, monkeypatch, first):
    send = KaptureClient.send

    def answered(client, body, *options):
        own = Response(200, {}, json.dumps(first).encode())
        return own if json.loads(body)["offset"] == "0" else send(client, body, *options)

    monkeypatch.setattr(KaptureClient, "send", answered)
    worked, message = press()
    assert worked
    assert "'pages_from_1'" in message


WRONG_KEYS = {
    **{f"{status}": {"bad_auth": status} for status in (401, 403, 200)},
    "200 in other words": {"bad_auth": 200, "bad_auth_message": "AuthKeyInvalid"},
    "200 plain": {"bad_auth": 200, "bad_auth_body": "plain"},
    "a login page": {"bad_auth_body": "login_page"},
    "a redirect": {"bad_auth_body": "redirect"},
}


@pytest.mark.parametrize("switches", WRONG_KEYS.values(), ids=WRONG_KEYS)
def test_a_wrong_key_costs_one_request_and_names_the_fields(kapture, press, switches):
    kapture.set(**switches)
    worked, message = press(password="another-password")
    assert not worked
    assert "login and password" in message
    assert kapture.stats()["requests"] == 1


@pytest.mark.parametrize("extra", [{"control_day": "2999-01-01"}, {"headers": {"Cookie": "x"}}, {"auth": "bearer"}])
def test_a_setting_that_is_wrong_is_named_before_the_first_request(kapture, press, extra):
    worked, message = press(extra={"cm_id": kapture.cm_id, **extra})
    assert not worked
    assert f"`{next(iter(extra))}`" in message
    assert kapture.stats()["requests"] == 0


UNUSABLE = {
    "no host": ({"host": ""}, "host"),
    "a password in the host": ({"host": f"https://user:{PASSWORD}@acme.kapturecrm.com"}, "host"),
    "no credentials": ({"login": None, "password": ""}, "password"),
    "no password for basic": ({"password": "", "extra": {"cm_id": 1, "auth": "basic"}}, "password"),
    "two ports": ({"host": "http://127.0.0.1:1", "port": 2}, "port"),
    "no account id": ({"extra": {"timezone": "UTC"}}, "cm_id"),
    "a misspelt key": ({"extra": {"cm_id": 1, "time_zone": "UTC"}}, "timezone"),
    "a wrong value": ({"extra": {"cm_id": 1, "page_size": "1"}}, "page_size"),
    # Before 3.0, Airflow itself does not read such a connection.
    "an extra that is a list": ({"extra": "[1]"}, "onnection"),
}


@pytest.mark.parametrize(("changed", "expected"), UNUSABLE.values(), ids=UNUSABLE)
def test_what_can_not_be_asked_is_a_message_too(kapture, press, changed, expected):
    worked, message = press(**changed)
    assert not worked
    assert expected in message
    assert kapture.stats()["requests"] == 0


@pytest.mark.filterwarnings("ignore")  # Airflow's own, of its database layers
def test_a_connection_that_is_not_there(airflow_db, monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_KAPTURE_DEFAULT", raising=False)
    worked, message = KaptureHook("nowhere").test_connection()
    assert not worked
    assert "'nowhere'" in message


def test_a_connection_that_can_not_be_read(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_KAPTURE_DEFAULT", '{"conn_type": "kapture", "password": "' + PASSWORD)
    worked, message = KaptureHook().test_connection()
    assert not worked
    assert PASSWORD not in message


# -- values as the form stores them --


@pytest.fixture
def dialect(monkeypatch):
    """The settings that an extra means."""

    def dialect(extra):
        connection = {"conn_type": "kapture", "host": "acme", "login": "me", "password": "x", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_KAPTURE_DEFAULT", json.dumps(connection))
        return KaptureHook().get_account().dialect

    return dialect


OPTIONAL = [field for field in SETTINGS if not field.required and field.key != "rows_at"]
STORED = {
    "untouched": ({field.key: "" for field in OPTIONAL}, {}),
    "null": ({field.key: None for field in OPTIONAL}, {}),
    "the greatest, as numbers": ({"page_size": 10_000, "max_concurrency": 32}, None),
    "numbers, as text": (
        {"page_size": "2", "requests_per_second": "0.5", "retry_budget": " 9 "},
        {"page_size": 2, "requests_per_second": 0.5, "retry_budget": 9.0},
    ),
    "an empty object and an empty list": ({"default_body": {}, "empty_messages": []}, {"default_body": {}}),
    "JSON, as text": (
        {"default_body": '{"viewId": "7"}', "empty_messages": '["None.", "No."]'},
        {"default_body": {"viewId": "7"}, "empty_messages": ("None.", "No.")},
    ),
    "lines of a text field": ({"empty_messages": ["", "No orders. ", ""]}, {"empty_messages": ("No orders.",)}),
    "other letters": (
        {"http_method": "get", "end_date": "Exclusive", "verify": "False"},
        {"http_method": "GET", "end_date": "exclusive", "verify": False},
    ),
}


@pytest.mark.parametrize(("stored", "meant"), STORED.values(), ids=STORED)
def test_values_as_the_form_stores_them(dialect, stored, meant):
    found = dialect({"cm_id": "1000298"} | stored)
    assert found == replace(dialect({"cm_id": 1000298}), **(stored if meant is None else meant))


@pytest.mark.parametrize("field", OPTIONAL, ids=lambda field: field.key)
def test_the_example_in_the_form_can_be_stored(dialect, field):
    assert dialect({"cm_id": "1000298", field.key: field.placeholder})


@pytest.mark.parametrize(
    ("stored", "origin"),
    [
        ({"host": "acme"}, "https://acme.kapturecrm.com"),
        ({"host": "acme.kapturecrm.com", "port": 8443}, "https://acme.kapturecrm.com:8443"),
        ({"host": "https://kapture.acme.in/", "port": None, "schema": ""}, "https://kapture.acme.in"),
        ({"host": "kapture.acme.in", "schema": "https"}, "https://kapture.acme.in"),
        ({"host": "127.0.0.1", "schema": "http", "port": 8080}, "http://127.0.0.1:8080"),
        ({"host": " acme ", "port": 443}, "https://acme.kapturecrm.com"),
    ],
)
def test_where_a_connection_points(stored, origin, monkeypatch):
    connection = {"conn_type": "kapture", "login": "me", "password": "x", "extra": {"cm_id": 7}}
    monkeypatch.setenv("AIRFLOW_CONN_KAPTURE_DEFAULT", json.dumps(connection | stored))
    assert KaptureHook().get_account().origin == origin


def test_a_connection_as_a_uri(monkeypatch):
    uri = "kapture://reader:p%40ss@https%3A%2F%2Fkapture.acme.in/?cm_id=7&timezone=UTC&verify=false"
    monkeypatch.setenv("AIRFLOW_CONN_KAPTURE_DEFAULT", uri)
    account = KaptureHook().get_account()
    assert account.origin == "https://kapture.acme.in"
    assert (account.credentials.login, account.credentials.password) == ("reader", "p@ss")
    assert (account.dialect.cm_id, account.dialect.timezone, account.dialect.verify) == (7, "UTC", False)
