"""The command: what it prints, what it never prints, and its exit status."""

from __future__ import annotations

import datetime as dt
import io
import json
import subprocess
import sys
from zoneinfo import ZoneInfo

import pytest
from doctor_runs import on_screen, retry_soon
from reading_runs import account_of

from airflow_provider_kapture.cli import main
from airflow_provider_kapture.client import Account
from airflow_provider_kapture.doctor.render import WIDTH
from airflow_provider_kapture.doctor.run import MAX_REQUESTS, diagnose
from airflow_provider_kapture.emulator import Book, Emulator, Switches
from airflow_provider_kapture.emulator.presets import PRESETS

DAY = dt.date(2024, 5, 9)
BOOK = Book(orders=150, days=3, start=dt.date(2024, 5, 8))
KEY = "k" * 40 + "0123456789"


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    retry_soon(monkeypatch.setattr)


def examine(kapture, day=None, **changed):
    fields = json.loads(kapture.connection_json())
    fields["extra"] |= changed.pop("extra", {})
    account = account_of(fields | changed)
    report = diagnose(account, day)
    assert kapture.stats()["requests"] <= MAX_REQUESTS
    return report, account


def answers_of(report):
    return {each.question: each.answer for each in report.findings}


# -- credentials --


@pytest.mark.parametrize(
    ("auth", "login", "password"),
    [("key", "somebody", KEY), ("key", KEY, ""), ("key", "", KEY), ("basic", "", f"kapture:{KEY}")],
    ids=["beside a login", "as login", "as password", "both in one field"],
)
def test_a_key_is_found_wherever_it_was_entered(auth, login, password):
    with Emulator(BOOK, Switches(auth=auth), password=KEY) as kapture:
        report, _ = examine(kapture, login=login, password=password)
        assert report.trusted
        assert report.recommended.get("auth") == ("key" if login == "somebody" else None)
        assert KEY not in json.dumps(report.as_json())


def test_a_key_that_looks_like_a_token_is_found():
    key = "a2V5a2V5a2V5a2V5"
    with Emulator(BOOK, Switches(auth="key"), password=key) as kapture:
        report, _ = examine(kapture, login="", password=key)
        assert report.trusted
        assert report.recommended["auth"] == "key"
        assert answers_of(report)["credentials"] == "accepted as key"


# -- what the connection has --


SOUND = {
    "timezone": "Asia/Kolkata",
    "date_format": "%Y-%m-%d",
    "page_size": 40,
    "max_days_per_request": 2,
    "requests_per_second": 100.0,
    "default_body": {"viewId": "7"},
    "empty_messages": ["Nothing here"],
    "headers": {"x-api-type": "order-secret"},
    "control_day": "2024-05-09",
}


def test_settings_that_work_stay():
    with Emulator(BOOK) as kapture:
        report, account = examine(kapture, extra=SOUND)
        assert report.trusted
        assert report.changes == ()
        kept = {name: value for name, value in SOUND.items() if name != "headers"}
        assert {name: report.recommended[name] for name in kept} == kept
        assert report.recommended["headers"] == {"x-api-type": "***"}
        assert "order-secret" not in json.dumps(report.as_json()) + on_screen(report, account, "shop")


WRONG = {
    "http_method": "GET",
    "date_format": "%d/%m/%Y",
    "end_date": "exclusive",
    "timezone": "America/New_York",
    "paging": "none",
    "body_format": "list",
    "rows_at": "data",
    "max_days_per_request": 9,
}


@pytest.mark.parametrize("name", WRONG)
def test_a_setting_that_is_wrong_is_replaced(name):
    with Emulator(BOOK, Switches(method="POST", max_days=3, lenient_dates=True)) as kapture:
        report, account = examine(kapture, extra={name: WRONG[name]})
        assert report.trusted
        assert name in report.changes
        right = Account.from_connection("acme", "a", "b", report.recommended)
        assert getattr(right.dialect, name) != getattr(account.dialect, name)


def test_without_an_order_nothing_is_recommended_but_what_the_connection_has():
    with Emulator(Book(orders=0), Switches(method="GET", body="list", auth="key"), password=KEY) as kapture:
        report, _ = examine(kapture, login="somebody", extra={"page_size": 50})
        assert not report.trusted
        assert report.recommended == {"cm_id": kapture.cm_id, "page_size": 50}
        assert answers_of(report)["credentials"] == "accepted as key"


# -- control day --


def test_a_control_day_is_named_with_its_end_where_orders_of_any_date_are_refused():
    start = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=12)
    limits = {"dates_required": True, "recent_days": 90, "future_dates": False}
    with Emulator(Book(orders=150, days=3, start=start), Switches(**limits)) as kapture:
        report, _ = examine(kapture)
        assert report.trusted
        day = dt.date.fromisoformat(report.recommended["control_day"])
        assert kapture.count(day, day)
        [evidence] = [each.evidence for each in report.findings if each.question == "control day"]
        assert f"expires on {day + dt.timedelta(days=90)}" in evidence


def test_a_control_day_without_orders_is_replaced():
    with Emulator(BOOK, Switches(dates_required=True)) as kapture:
        report, _ = examine(kapture, DAY, extra={"control_day": "2023-01-01"})
        assert report.trusted
        assert report.recommended["control_day"].startswith("2024-05-")


# -- the latest days --


LATEST = {
    "legacy": PRESETS["legacy"],
    "unpaged": PRESETS["unpaged"],
    "24 hours, exclusive": {
        "max_days": 1,
        "end_date": "exclusive",
        "date_format": "%m/%d/%Y",
        "lenient_dates": True,
        "empty": "404",
    },
    "24 hours, with a time": {
        "max_days": 1,
        "date_format": "%d/%m/%Y %H:%M:%S",
        "bad_date": "failed",
        "empty": "sentence",
    },
    "a month's name, or nothing": {"date_format": "%d-%b-%Y", "bad_date": "empty"},
    "24 hours, or nothing": {"max_days": 1, "bad_range": "empty", "bad_date": "empty", "date_format": "%d-%m-%Y"},
}


@pytest.mark.parametrize("name", LATEST)
def test_a_day_is_found_among_the_latest_where_orders_of_any_date_are_refused(name):
    switches = Switches(**{**LATEST[name], "dates_required": True})
    start = dt.datetime.now(ZoneInfo("Asia/Kolkata")).date() - dt.timedelta(days=3)
    with Emulator(Book(orders=120, days=3, start=start), switches, password=KEY) as kapture:
        report, _ = examine(kapture)
        assert report.trusted
        assert report.recommended["date_format"] == switches.date_format
        assert report.recommended["end_date"] == switches.end_date
        assert dt.date.fromisoformat(report.recommended["control_day"]) >= start


# -- empty days --


def test_days_that_are_refused_are_not_taken_for_empty_ones():
    with Emulator(BOOK, Switches(recent_days=90, bad_range="failed", future_dates=False)) as kapture:
        report, _ = examine(kapture, DAY)
        assert "empty_answers" not in report.recommended


def test_two_messages_that_are_not_alike_are_not_taken_for_empty_days():
    words = "Nothing in {start}, said server"
    with Emulator(BOOK, Switches(empty="message", empty_message=words)) as kapture:
        report, _ = examine(kapture, DAY)
        assert report.recommended["empty_answers"] == [{"message": "Nothing in #-#-#, said server", "status": "failed"}]


@pytest.mark.parametrize("words", ["API Request is Expired", "Server error", "Mandatory field missing", "Try again"])
def test_words_of_failure_are_not_taken_for_empty_days(words):
    with Emulator(BOOK, Switches(empty="message", empty_message=words)) as kapture:
        report, _ = examine(kapture, DAY)
        assert not report.trusted
        assert "empty_answers" not in report.recommended


# -- the screen --


SCREENS = {
    "default": {},
    "legacy": PRESETS["legacy"],
    "unpaged": PRESETS["unpaged"],
    "offset ignored": {"offset_ignored": True},
    "wrong method": {"method": "GET", "date_format": "%d-%b-%Y", "end_date": "exclusive", "empty": "404"},
    "no orders": {"dates_required": True, "date_format": "day %j of %Y"},
}


@pytest.mark.parametrize("name", SCREENS)
def test_the_report_fits_a_screen(name):
    with Emulator(BOOK, Switches(**SCREENS[name]), password=KEY) as kapture:
        report, account = examine(kapture, DAY)
        for conn_id in ("shop", None):
            told = on_screen(report, account, conn_id)
            assert len(told.splitlines()) <= 42
            assert max(map(len, told.splitlines())) <= WIDTH
            assert KEY not in told
            assert all(each.question in told for each in report.findings)


@pytest.fixture
def kapture(monkeypatch):
    with Emulator(BOOK, Switches(**{**PRESETS["legacy"], "max_days": None}), password=KEY) as running:
        monkeypatch.setenv("KAPTURE_PASSWORD", KEY)
        yield running


def test_an_account_is_examined_without_a_connection(kapture, capsys):
    options = ["--host", kapture.origin, "--cm-id", str(kapture.cm_id)]
    assert main(["doctor", *options]) == 0
    out, err = capsys.readouterr()
    assert "airflow connections add" in out
    assert '"password": "***"' in out
    assert KEY not in out + err
    command = out.partition("--conn-json ")[2].partition("\n\n")[0]
    # An Airflow that tests a stored connection compares its port.
    connection = json.loads(command.strip().strip("'"))
    assert ("port" in connection) is connection["host"].startswith("https")
    assert f"of at most {MAX_REQUESTS}" in err


def test_a_login_that_is_the_secret_is_not_shown(kapture):
    report, account = examine(kapture, login=KEY, password="")
    assert '"login": "***"' in on_screen(report, account)


def test_the_report_alone_is_on_standard_output(kapture, capsys):
    assert main(["doctor", "--host", kapture.origin, "--cm-id", str(kapture.cm_id), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert set(report) == {"trusted", "findings", "recommended"}
    assert Account.from_connection("acme", "", KEY, report["recommended"]).dialect.date_format == "%d-%m-%Y"


@pytest.mark.parametrize("options", ["--host acme", "--cm-id 7", "--host a/b --cm-id 7", "--host a --cm-id 0"])
def test_options_that_will_not_do_end_with_2(options, monkeypatch, capsys):
    monkeypatch.setenv("KAPTURE_PASSWORD", KEY)
    assert main(["doctor", *options.split()]) == 2
    assert capsys.readouterr().err.startswith("kapture doctor: ")


def test_each_finding_is_told_as_soon_as_it_is_found():
    with Emulator(BOOK) as kapture:
        told: dict[str, int] = {}
        fields = json.loads(kapture.connection_json())

        def tell(finding):
            told.setdefault(finding.question, kapture.stats()["requests"])

        report = diagnose(account_of(fields), DAY, tell=tell)
        assert list(told)[:4] == ["name", "connection", "TLS", "credentials"]
        assert told["credentials"] == 1
        assert told["pace"] == kapture.stats()["requests"]
        assert set(told) == {each.question for each in report.findings}


@pytest.mark.parametrize(
    ("login", "sent"),
    [("kapture", "the login and password, sent as basic and as token and as key"), ("", "the password, sent as key")],
)
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_wrong_credentials_end_it_and_nothing_is_recommended(login, sent, form, monkeypatch, capsys):
    monkeypatch.setenv("KAPTURE_PASSWORD", "not-the-password")
    with Emulator(BOOK, password=KEY) as kapture:
        options = ["--host", kapture.origin, "--cm-id", str(kapture.cm_id), *(["--login", login] if login else [])]
        assert main(["doctor", *options, *form]) == 1
        assert kapture.stats()["requests"] <= 3
    out = " ".join(capsys.readouterr().out.split())
    assert sent in out
    assert "not-the-password" not in out
    if form:
        report = json.loads(out)
        assert (report["trusted"], report["recommended"]) == (False, {})
    else:
        assert "Recommended" not in out


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_progress_line_of_a_terminal_is_gone_where_a_finding_is_written(kapture, monkeypatch, capsys):
    # One terminal shows both.
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr("sys.stdout", terminal)
    assert main(["doctor", "--host", kapture.origin, "--cm-id", str(kapture.cm_id)]) == 0
    shown = [line.rpartition("\r")[2] for line in terminal.getvalue().split("\n")]
    assert "\r" in terminal.getvalue()
    assert f"of at most {MAX_REQUESTS}" in terminal.getvalue()
    assert not [line for line in shown if "of at most" in line]


WITHOUT_AIRFLOW = """
import sys
from airflow_provider_kapture.cli import main
status = main(sys.argv[1:])
print(status, [name for name in sys.modules if name == "airflow" or name.startswith("airflow.")])
"""


def test_airflow_is_not_imported_where_a_host_is_given(kapture):
    options = ["doctor", "--host", kapture.origin, "--cm-id", str(kapture.cm_id)]
    run = subprocess.run([sys.executable, "-c", WITHOUT_AIRFLOW, *options], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "0 []"
