"""The canary sings where something leaks; and what nothing else in the run shows does not leak."""

from __future__ import annotations

import json
import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from canary import EMAIL, PASSWORD, PHONE, TOKEN, Canary, _left_in, leaks, texts_of

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
    with Emulator(Book(orders=60, days=3)) as running:
        for name, value in running.connection_uri_env(retry_budget=0.01).items():
            monkeypatch.setenv(name, value)
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
