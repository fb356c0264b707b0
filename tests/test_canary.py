"""The canary sings where something leaks; and what nothing else in the run shows does not leak."""

from __future__ import annotations

import json
import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred
from canary import EMAIL, PASSWORD, PHONE, SECRETS, TOKEN, Canary, _left_in, leaks, texts_of
from connected import connected

from airflow_provider_kapture.client import Account, KaptureClient
from airflow_provider_kapture.client.api.request import build_query
from airflow_provider_kapture.client.errors import KaptureError, KaptureRefusedError
from airflow_provider_kapture.emulator import Book, Emulator, Switches
from airflow_provider_kapture.hooks.kapture import KaptureHook, account_from_connection
from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator
from airflow_provider_kapture.sensors.kapture import KaptureOrdersSensor
from airflow_provider_kapture.triggers.kapture import KaptureOrdersEventTrigger, KaptureOrdersTrigger

WINDOW = {"window_start": "2024-05-08", "window_end": "2024-05-10"}


@pytest.fixture
def kapture(monkeypatch: pytest.MonkeyPatch):
    with connected(monkeypatch, 60, retry_budget=0.01) as running:
        yield running


def test_the_emulator_has_the_password_and_the_customer(kapture: Emulator) -> None:
    assert PASSWORD in kapture.connection_json()
    assert any(EMAIL in str(order) and PHONE in str(order) for order in kapture.orders)


@pytest.mark.leaks
def test_a_leak_is_seen(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> None:
    canary = request.config.pluginmanager.get_plugin("canary")
    assert isinstance(canary, Canary)
    logging.getLogger("any").warning("told: %s", PASSWORD)
    caplog.clear()
    error = KaptureError("sound")
    error.__cause__ = ValueError(f"of {EMAIL}")
    error.add_note(f"for {TOKEN}")
    assert canary.errors == [error]
    assert canary.found == [f"{PASSWORD!r} in a log record of any"]
    assert set(leaks(" ".join(texts_of(error)))) == {EMAIL, TOKEN}


@pytest.mark.leaks
def test_a_leak_in_airflows_logs_and_database_is_seen(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "dag_id=any" / "attempt=1.log"
    log.parent.mkdir(parents=True)
    log.write_text(f"told: {TOKEN}")
    with closing(sqlite3.connect(tmp_path / "airflow.db")) as database:
        database.execute("CREATE TABLE task_instance (note TEXT)")
        database.execute("INSERT INTO task_instance VALUES (?)", [f"told: {PASSWORD}"])
        database.commit()
    assert set(_left_in(tmp_path)) == {f"{TOKEN!r} in {log}", f"{PASSWORD!r} in the table task_instance"}


def test_nothing_shows_the_password_or_a_customer(kapture: Emulator) -> None:
    personal = {"phone": PHONE, "email": EMAIL}
    hook = KaptureHook()
    account = hook.get_account()
    shown = [
        account,
        account.dialect,
        Account.from_connection("acme", "u", PASSWORD, {"cm_id": 1, "default_body": personal}),
        build_query("create", personal),
        hook,
        KaptureClient(account),
        KapturePullOrdersOperator(task_id="pull", **WINDOW),
        KaptureOrdersSensor(task_id="wait", **WINDOW),
        KaptureOrdersTrigger(kapture_conn_id="kapture_default", **WINDOW).serialize(),
        KaptureOrdersEventTrigger().serialize(),
    ]
    assert [leaks(repr(each) + str(each)) for each in shown] == [[]] * len(shown)


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 429, 500])
def test_a_vendors_message_tells_of_no_one(kapture: Emulator, mocker, status: int) -> None:
    vendor_message = f"No access for {EMAIL}, {PHONE}; key {PASSWORD} or Basic {TOKEN}"
    kapture.set(verbatim=json.dumps({"status": "failed", "message": vendor_message}))
    if status != 200:
        kapture.set(verbatim=None, status_every=1, status=status)
        mocker.patch("airflow_provider_kapture.emulator.responses._MESSAGES", {status: vendor_message})
    with pytest.raises(KaptureError) as caught:
        KaptureHook().count_orders("2024-05-08", "2024-05-10")
    assert "No access for" in str(caught.value) or status == 401
    worked, message = KaptureHook().test_connection()
    assert not worked
    assert leaks(message + repr(caught.value) + repr(vars(caught.value))) == []


def test_a_redirect_tells_of_no_one() -> None:
    switches = Switches(redirect=f"https://{PASSWORD}:x@elsewhere.example/?email={EMAIL}&key={TOKEN}")
    with Emulator(Book(orders=1), switches) as kapture:
        connection = json.loads(kapture.connection_json())
        extra = connection["extra"]
        account = Account.from_connection(connection["host"], connection["login"], connection["password"], extra)
        with (
            KaptureClient(account) as client,
            pytest.raises(KaptureRefusedError, match=r"elsewhere\.example") as caught,
        ):
            client.count_orders("2024-05-08", "2024-05-10")
    assert leaks(str(caught.value)) == []


def test_a_connection_that_is_wrong_is_told_without_its_password(mocker) -> None:
    wrong = mocker.Mock(host=f"https://u:{PASSWORD}@acme", login="u", password=PASSWORD, port=None, schema=None)
    wrong.extra_dejson = {"cm_id": 1}
    with pytest.raises(KaptureError) as caught:
        account_from_connection(wrong)
    assert leaks(" ".join(texts_of(caught.value))) == []


HEADER = "canary-header-5e1f"
ISSUED = {
    "login and password": {},
    "an issued key": {"auth": "key"},
    "a finished token": {"auth": "token"},
    "a finished token of login and password": {"auth": "token_of_login"},
}


@pytest.fixture(params=ISSUED.values(), ids=ISSUED)
def with_headers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch):
    """An account of each form of credentials that wants more headers."""
    headers = {"x-secret": HEADER, "x-api-key": "{token}", "x-password": "p-{password}"}
    with Emulator(
        Book(orders=60, days=3), Switches(required_headers=f"x-secret: {HEADER}", **request.param)
    ) as running:
        for name, value in running.connection_uri_env(headers=headers, retry_budget=0.01).items():
            monkeypatch.setenv(name, value)
        yield running


def test_header_values_and_keys_are_shown_nowhere(with_headers: Emulator, caplog, capfd) -> None:
    caplog.set_level(logging.DEBUG)
    hook = KaptureHook()
    account = hook.get_account()
    operator = KapturePullOrdersOperator(task_id="pull", filters={"phone": PHONE}, **WINDOW)
    sensor = KaptureOrdersSensor(task_id="wait", min_orders=61, deferrable=True, **WINDOW)
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute({})
    assert hook.count_orders("2024-05-08", "2024-05-11") == 60
    assert hook.test_connection()[0]
    trigger = deferred.value.trigger
    rendered = [getattr(each, name) for each in (operator, sensor) for name in type(each).template_fields]
    shown = [account, account.dialect, account.credentials, hook, hook.get_conn(), operator, sensor]
    shown += [trigger, trigger.serialize(), rendered, with_headers.stats(), with_headers.requests_seen]
    said = " ".join(f"{each!r} {each}" for each in shown) + caplog.text + "".join(capfd.readouterr())
    assert leaks(said, (*SECRETS, HEADER, account.credentials.token)) == []


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 429, 500])
def test_a_message_that_repeats_headers_and_keys_does_not_show_them(
    with_headers: Emulator, mocker, status: int
) -> None:
    account = KaptureHook().get_account()
    token = account.credentials.token
    echoed = f"No: {HEADER}; {token}; p-{account.credentials.password}; Basic {token}; {PASSWORD}"
    with_headers.set(status_every=1, status=status)
    mocker.patch("airflow_provider_kapture.emulator.responses._MESSAGES", {status: echoed})
    with pytest.raises(KaptureError) as caught:
        KaptureHook().count_orders("2024-05-08", "2024-05-10")
    worked, message = KaptureHook().test_connection()
    assert not worked
    assert "No: ***" in message or status == 401
    assert leaks(message + " ".join(texts_of(caught.value)), (*SECRETS, HEADER, token)) == []


def test_airflow_masks_every_form_of_a_secret_and_no_login(with_headers: Emulator, mocker) -> None:
    masked = mocker.patch("airflow_provider_kapture.hooks.kapture.mask_secret")
    account = KaptureHook().get_account()
    found = {call.args[0] for call in masked.call_args_list}
    assert {HEADER, account.credentials.token, PASSWORD} <= found
    assert f"p-{account.credentials.password}" in found
    assert with_headers.user not in found


@pytest.mark.parametrize(
    "extra",
    [
        {"headers": {"x-secret": f"{HEADER}\r\n"}},
        {"headers": {"x-secret": HEADER, "Cookie": HEADER}},
        {"headers": {"x-secret": [HEADER]}},
        {"headers": f'{{"x-secret": "{HEADER}"'},
        {"headers": {"x-secret": HEADER}, "auth": PASSWORD},
        {"headers": {"x-secret": HEADER}, "page_size": 1},
        {"headers": {"x-secret": HEADER}, "paging": "offset"},
        {"headers": {"x-secret": HEADER}, "heders": {"x-secret": HEADER}},
    ],
    ids=["line break", "refused name", "a list", "half a JSON", "auth", "another setting", "paging", "another name"],
)
def test_settings_that_are_wrong_are_told_without_their_secrets(extra: dict[str, object]) -> None:
    for login, password in (("u", PASSWORD), (None, PASSWORD), (PASSWORD, None), (None, TOKEN)):
        with pytest.raises(KaptureError) as caught:
            Account.from_connection("acme", login, password, {"cm_id": 1, **extra})
        assert leaks(" ".join(texts_of(caught.value)), (*SECRETS, HEADER)) == []


@pytest.mark.parametrize("spoilt", ["{}\n", "{} {}", "Basic {}\t", "\ufeff{}", "{}\u00a0{}"])
def test_a_secret_that_is_spoilt_is_told_without_it(spoilt: str) -> None:
    for secret in (PASSWORD, TOKEN):
        for auth in (None, "token", "key"):
            with pytest.raises(KaptureError) as caught:
                Account.from_connection("acme", None, spoilt.format(secret, secret), {"cm_id": 1, "auth": auth})
            assert leaks(" ".join(texts_of(caught.value)), SECRETS) == []
