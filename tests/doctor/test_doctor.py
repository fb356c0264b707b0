import datetime as dt
import json
import re

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from airflow_provider_kapture.cli import main
from airflow_provider_kapture.client import Account, KaptureClient
from airflow_provider_kapture.client.errors import KaptureDialectError
from airflow_provider_kapture.doctor.run import MAX_REQUESTS, diagnose
from airflow_provider_kapture.emulator import Book, Emulator, Switches

DAY = dt.date(2024, 5, 9)
BOOK = Book(orders=600, days=3, start=dt.date(2024, 5, 8))


def make_account(kapture, extra=None, **changed):
    connection = json.loads(kapture.connection_json()) | changed
    return Account.from_connection(
        connection["host"], connection["login"], connection["password"], extra or connection["extra"]
    )


def answers_of(report):
    return {each.question: each.answer for each in report.findings}


def no_wait(_seconds):
    """The emulator is ready at once."""


def examine(kapture, day=DAY, **changed):
    report = diagnose(make_account(kapture, **changed), day, no_wait)
    assert kapture.stats()["requests"] <= MAX_REQUESTS
    return report


def pulled(kapture, recommended, start, end):
    with KaptureClient(make_account(kapture, dict(recommended))) as client:
        return sorted(int(order["id"]) for order in client.iter_orders(start, end))


WELL_BEHAVED = st.fixed_dictionaries(
    {
        "method": st.sampled_from(["POST", "GET", "both"]),
        "envelope": st.sampled_from(["success", "boolean", "status"]),
        "failure_keys": st.sampled_from(["lower", "capital"]),
        "order": st.sampled_from(["newest", "oldest"]),
        "timezone": st.sampled_from([None, "UTC", "Asia/Dubai", "Europe/Berlin", "America/New_York"]),
        "date_format": st.sampled_from(["%Y-%m-%d", "%d-%m-%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y%m%d"]),
        "end_date": st.sampled_from(["inclusive", "exclusive"]),
        "max_days": st.sampled_from([None, 1, 2, 5, 30]),
        "window_is_filter": st.booleans(),
        "empty": st.sampled_from(["array", "message"]),
        "page_cap": st.sampled_from([None, 25, 100]),
        "indent": st.booleans(),
        "gzip": st.booleans(),
        "numbers_as_strings": st.booleans(),
        "unknown_fields": st.booleans(),
    }
)


# Each example starts a server and pulls everything: shrinking would do so hundreds of times.
@pytest.mark.slow
@settings(max_examples=40, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(switches=WELL_BEHAVED)
def test_it_finds_the_truth_and_settings_that_pull_everything(switches):
    with Emulator(BOOK, Switches(**switches)) as kapture:
        report = examine(kapture)
        answers = answers_of(report)
        assert report.trusted
        assert switches["method"] in ("both", answers["method"])
        assert (
            answers["envelope"]
            == {
                "success": '"success": "true"',
                "boolean": '"success": true',
                "status": '"status": "success"',
            }[switches["envelope"]]
        )
        assert answers["date format"] == switches["date_format"]
        assert answers["end date"] == switches["end_date"]
        assert answers["order"] == f"{switches['order']} first"
        assert answers["offset"] == "honoured"
        assert ("suffices" in answers["filter"]) is switches["window_is_filter"]
        widest = switches["max_days"] or (32 if switches["end_date"] == "inclusive" else 31)
        assert re.search(r"\d+", answers["widest range"])[0] == str(widest)
        assert report.recommended["page_size"] == (switches["page_cap"] or 500)
        assert "empty_messages" not in report.recommended
        if switches["empty"] == "message":
            [answer] = report.recommended["empty_answers"]
            assert answer.get("message", answer.get("Message")) == "No orders found."
        else:
            assert "empty_answers" not in report.recommended
        assert pulled(kapture, report.recommended, "2024-05-06", "2024-05-13") == sorted(kapture.ids())


UNSOUND = st.sampled_from(
    [
        ({"offset_ignored": True}, "offset"),
        ({"shuffle": True}, "order"),
        ({"empty": "bare_object"}, "empty day"),
        ({"page_cap": 1}, "page cap"),
        ({"page_cap": 2, "repeat_edge": 1}, "page cap"),
        ({"verbatim": "<html>"}, "envelope"),
        ({"status_every": 1, "status": 503}, "connection"),
        ({"redirect": "https://elsewhere.example"}, "connection"),
        ({"status_every": 1, "status": 403}, "credentials"),
        ({"status_every": 1, "status": 404}, "method"),
        ({"date_format": "day %j of %Y"}, "date format"),
    ]
)


@settings(max_examples=40, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(switches=WELL_BEHAVED, fault=UNSOUND)
@pytest.mark.slow
def test_it_names_what_can_not_be_trusted(switches, fault):
    wrong, question = fault
    with Emulator(BOOK, Switches(**switches | wrong)) as kapture:
        report = examine(kapture)
        assert not report.trusted
        assert question in {each.question for each in report.findings if not each.is_good}


TROUBLE = st.one_of(
    *(
        st.fixed_dictionaries({name: st.integers(2, 7)})
        for name in ("html_every", "drop_every", "truncate_every", "status_every")
    ),
    st.fixed_dictionaries({"status_every": st.integers(2, 7), "status": st.sampled_from([429, 500, 503])}),
    st.fixed_dictionaries({"insert_per_answer": st.integers(1, 3), "insert_at": st.sampled_from(["top", "middle"])}),
    st.fixed_dictionaries({"delete_per_answer": st.integers(1, 3), "delete_at": st.sampled_from(["top", "end"])}),
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(switches=WELL_BEHAVED, trouble=TROUBLE)
def test_trouble_on_the_way_makes_no_untruth(switches, trouble):
    with Emulator(BOOK, Switches(**switches | trouble)) as kapture:
        report = examine(kapture)
        answers = answers_of(report)
        assert answers["date format"] in (switches["date_format"], "not known")
        assert answers["end date"] in (switches["end_date"], "not known")
        assert answers["order"] in (f"{switches['order']} first", "not known", "not stable")
        if report.trusted:
            kapture.set(**dict.fromkeys(("html_every", "drop_every", "truncate_every", "status_every")))
            kapture.set(insert_per_answer=0, delete_per_answer=0)
            slow = {each: value for each, value in report.recommended.items() if each != "requests_per_second"}
            try:
                assert pulled(kapture, slow, "2024-05-06", "2024-05-13") == sorted(kapture.ids())
            except KaptureDialectError:
                # Too few requests came through to tell the zone; it says so, and a pull that trusts it fails aloud.
                assert answers["time zone"].startswith("perhaps")


@settings(max_examples=8, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(switches=WELL_BEHAVED, status=st.sampled_from([200, 401]))
def test_wrong_credentials_are_told_from_everything_else(switches, status):
    with Emulator(BOOK, Switches(**switches | {"bad_auth": status})) as kapture:
        report = examine(kapture, password="not-the-password")
        assert not report.trusted
        assert answers_of(report)["credentials"] == "refused"
        assert answers_of(report)["connection"] == "reached"
        # Once by the other method, and once in each other form of credentials.
        assert kapture.stats()["requests"] <= 4
        assert "not-the-password" not in json.dumps(report.as_json())


def test_the_latest_orders_are_looked_for():
    start = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=8)
    for switches in ({}, {"max_days": 1}, {"max_days": 1, "end_date": "exclusive"}, {"max_days": 3}):
        with Emulator(Book(orders=60, days=3, start=start), Switches(**switches)) as kapture:
            report = examine(kapture, day=None)
            assert report.trusted
            assert answers_of(report)["orders"] == "found"


def test_no_orders_is_no_reason_to_trust():
    for switches in ({"dates_required": True}, {"dates_required": True, "max_days": 1}):
        with Emulator(BOOK, Switches(**switches)) as kapture:
            report = examine(kapture, day=None)
            assert not report.trusted
            assert answers_of(report)["orders"] == "none found"
            assert answers_of(report)["end date"] == "not known"
            assert "--day" in next(each.evidence for each in report.findings if each.question == "orders")
            assert set(report.recommended) == {"cm_id"}


def test_old_orders_are_found_without_a_day():
    with Emulator(BOOK) as kapture:
        report = examine(kapture, day=None)
        assert report.trusted
        assert "2024-05-" in next(each.evidence for each in report.findings if each.question == "orders")


@pytest.mark.parametrize(
    ("scheme", "question", "answer"),
    [("http", "connection", "refused"), ("https", "TLS", "failed"), (None, "name", "not resolved")],
)
def test_what_stands_before_kapture_is_named(scheme, question, answer):
    with Emulator(BOOK) as kapture:
        host = f"{scheme}://127.0.0.1:{kapture.port}" if scheme else "no-such-name.invalid"
        account = make_account(kapture, host=host)
        if scheme == "https":
            report = diagnose(account, DAY, no_wait)
    if scheme != "https":
        report = diagnose(account, DAY, no_wait)
    assert not report.trusted
    assert answers_of(report)[question] == answer
    wrong = [each.question for each in report.findings if not each.is_good]
    assert wrong[0] == question


def test_a_rate_that_is_too_much_is_measured():
    with Emulator(BOOK, Switches(status_every=6, status=429)) as kapture:
        report = examine(kapture)
        assert report.trusted
        assert 1 <= report.recommended["requests_per_second"] <= 5


@pytest.fixture
def kapture(monkeypatch):
    with Emulator(BOOK, Switches(method="GET", end_date="exclusive")) as running:
        for name, value in running.connection_uri_env("shop").items():
            monkeypatch.setenv(name, value)
        yield running


def test_the_command_tells_machines(kapture, capsys):
    assert main(["doctor", "shop", "--day", str(DAY), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["trusted"] is True
    assert report["recommended"]["http_method"] == "GET"
    assert {frozenset(each) for each in report["findings"]} == {frozenset({"question", "answer", "evidence"})}


def test_the_command_tells_people_and_nothing_of_the_orders(kapture, capsys, monkeypatch):
    monkeypatch.setenv("KAPTURE_PASSWORD", kapture.password)
    options = ["--host", kapture.origin, "--login", kapture.user, "--cm-id", str(kapture.cm_id)]
    assert main(["doctor", *options, "--day", str(DAY)]) == 0
    out = capsys.readouterr().out
    assert "it differs in http_method, end_date" in out
    assert kapture.password not in out
    for order in kapture.orders:
        assert str(order["id"]) not in out
        assert str(order["customerId"]) not in out


def test_the_command_says_no(kapture, capsys):
    kapture.set(offset_ignored=True)
    assert main(["doctor", "shop", "--day", str(DAY)]) == 1
    assert "can't be trusted: offset" in capsys.readouterr().out


def test_the_command_names_what_ended_it_and_no_more(kapture, capsys, monkeypatch):
    monkeypatch.setenv("KAPTURE_PASSWORD", "not-the-password")
    options = ["--host", kapture.origin, "--login", kapture.user, "--cm-id", str(kapture.cm_id)]
    assert main(["doctor", *options]) == 1
    out = capsys.readouterr().out
    assert "The credentials are wrong" in out
    assert "Recommended" not in out
    assert out.count("!!") == 1
    assert "not-the-password" not in out


@pytest.mark.filterwarnings("ignore")  # Airflow's own, of its database layers
def test_a_connection_that_is_not_there_is_said(airflow_db, capsys):
    assert main(["doctor", "nowhere"]) == 2
    assert "'nowhere'" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["--host", "acme"], ["shop", "--login", "me"]])
def test_what_to_examine_has_to_be_said(arguments, capsys):
    assert main(["doctor", *arguments]) == 2
    assert "--cm-id" in capsys.readouterr().err
