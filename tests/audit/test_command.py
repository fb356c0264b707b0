"""``kapture audit``: output, exit statuses, and errors, on folders that pulls have written."""

import datetime as dt
import gzip
import json
import os
import shutil
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from connected import connected
from lakes import DAY, year

from airflow_provider_kapture import cli
from airflow_provider_kapture.audit import audit
from airflow_provider_kapture.emulator import Book, Emulator
from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator

FIRST = dt.date(2024, 5, 8)


@pytest.fixture(scope="module")
def pulled(tmp_path_factory):
    """An emulator, and a folder with its three days of orders, each pulled by a run of its own."""
    folder = f"{tmp_path_factory.mktemp('pulled')}/orders/"
    with pytest.MonkeyPatch.context() as environment, connected(environment, 60) as running:
        for number in range(3):
            pull(folder, FIRST + number * DAY)
        yield running, folder


@pytest.fixture
def kapture(pulled):
    pulled[0].reset()
    return pulled[0]


@pytest.fixture
def lake(pulled, tmp_path):
    shutil.copytree(pulled[1], tmp_path / "orders")
    return f"{tmp_path}/orders/"


def pull(folder, day, **options):
    edges = {"window_start": day.isoformat(), "window_end": (day + DAY).isoformat()}
    return KapturePullOrdersOperator(task_id="pull", destination=folder, **edges, **options).execute({})


def run(capsys, *arguments):
    status = cli.main(["audit", *map(str, arguments)])
    shown = capsys.readouterr()
    return status, shown.out, shown.err


def object_of(folder, day):
    [found] = (Path(folder) / f"create_date={day}").iterdir()
    return found


def test_a_folder_without_faults(lake, capsys):
    status, shown, _ = run(capsys, lake)
    assert status == 0
    assert "3 days with 60 orders in 3 objects; 3 days are complete" in shown
    assert shown.isascii()
    assert "No findings." in shown


def test_the_json_has_the_documented_keys(lake, capsys):
    object_of(lake, FIRST + DAY).unlink()
    status, shown, _ = run(capsys, lake, "--json")
    assert status == 1
    found = json.loads(shown)
    assert set(found) == {"destination", "days", "findings"}
    assert found["destination"] == lake
    assert [set(each) for each in found["days"]] == [{"date", "rows", "pulled_at", "complete", "uris"}] * 3
    assert [each["date"] for each in found["days"]] == ["2024-05-08", "2024-05-09", "2024-05-10"]
    assert found["days"][0]["uris"] == [str(object_of(lake, FIRST))]
    [finding] = found["findings"]
    assert set(finding) == {"kind", "date", "uri", "message"}
    assert (finding["kind"], finding["date"]) == ("missing", "2024-05-09")
    assert finding["uri"].startswith(lake)


@pytest.mark.parametrize("spelling", ["{}", "file://{}", "file://{}/", "{}//"])
def test_the_folder_may_be_spelt_otherwise(lake, spelling, capsys):
    status, shown, _ = run(capsys, spelling.format(lake.rstrip("/")), "--json")
    assert status == 0
    assert len(json.loads(shown)["days"]) == 3


def test_a_folder_that_was_moved_is_as_it_was(lake, tmp_path, capsys):
    Path(lake).rename(tmp_path / "moved")
    status, shown, _ = run(capsys, tmp_path / "moved", "--json")
    assert status == 0
    assert json.loads(shown)["days"][0]["uris"][0].startswith(str(tmp_path / "moved"))


def test_verify_reads_the_objects(lake, capsys):
    changed = object_of(lake, FIRST)
    content = bytearray(changed.read_bytes())
    content[-1] ^= 1
    changed.write_bytes(content)
    assert run(capsys, lake)[0] == 0
    status, shown, progress = run(capsys, lake, "--verify")
    assert status == 1
    assert "altered      The object is not as it was published: its SHA-256 is another one" in shown
    assert "kapture audit: reading object 1 of 3\n" in progress


def test_a_receipt_cut_short_and_one_that_was_edited(lake, capsys):
    cut, edited, _ = sorted((Path(lake) / "_receipts/create_date").iterdir())
    cut.write_bytes(cut.read_bytes()[:100])
    edited.write_text(edited.read_text().replace('"rows": ', '"rows": 1', 1))
    status, shown, _ = run(capsys, lake, "--json")
    assert status == 1
    kinds = [(each["kind"], each["date"], each["uri"]) for each in json.loads(shown)["findings"]]
    assert kinds == [("bad_receipt", "2024-05-08", str(cut)), ("bad_receipt", "2024-05-09", str(edited))]


def test_an_object_in_another_format_overlaps(lake, capsys):
    plain = object_of(lake, FIRST)
    plain.with_name(plain.name.removesuffix(".gz")).write_bytes(gzip.decompress(plain.read_bytes()))
    status, shown, _ = run(capsys, lake, "--json")
    assert status == 1
    assert [(each["kind"], each["date"]) for each in json.loads(shown)["findings"]] == [
        ("overlap", "2024-05-08"),
        ("unknown", "2024-05-08"),
    ]


def test_a_folder_without_receipts_says_what_is_there(tmp_path, capsys):
    (tmp_path / "create_date=2024-05-08").mkdir()
    (tmp_path / "create_date=2024-05-08" / "orders.csv").touch()
    status, shown, error = run(capsys, tmp_path)
    assert (status, shown) == (2, "")
    assert error.startswith(
        f"kapture audit: There are no receipts in '{tmp_path}/', which contains create_date=2024-05-08/orders.csv. Name"
    )
    assert "which contains nothing" in run(capsys, tmp_path / "not there")[2]


def test_of_many_names_those_of_the_folders_are_shown(tmp_path, capsys):
    for number in range(30):
        (tmp_path / f"d{number % 3}").mkdir(exist_ok=True)
        (tmp_path / f"d{number % 3}" / str(number)).touch()
    assert "which contains d0/, d1/, d2/. Name" in run(capsys, tmp_path)[2]


def test_the_page_is_one_file_that_needs_nothing_else(lake, tmp_path, capsys):
    object_of(lake, FIRST + DAY).unlink()
    (Path(lake) / "create_date=2024-05-08" / "<b>.csv").touch()
    page = tmp_path / "audit.html"
    assert run(capsys, lake, "--html", page)[0] == 1
    text = page.read_text(encoding="utf-8")
    assert all(each not in text for each in ("<script", "http:", "https:", "<link", "<img", "@import", "url("))
    assert "&lt;b&gt;.csv" in text
    assert "<b>.csv" not in text
    assert "2024-05-08: 20 orders; complete; pulled at" in text
    assert "May 2024 <span>60 orders</span>" in text
    assert text.count("<tr><td>2024-05</td>") == 1


def test_kapture_counts_again_what_the_folder_covers(lake, kapture, capsys):
    _, shown, _ = run(capsys, lake, "--conn", "kapture_default", "--json")
    # Its days are years ago.
    assert json.loads(shown)["findings"] == []
    assert kapture.stats()["requests"] == 0
    kapture.add_orders(4, day=FIRST)
    kapture.add_orders(1, day=FIRST + 2 * DAY)
    since = (dt.datetime.now(dt.UTC).date() - FIRST).days + 1
    status, shown, progress = run(capsys, lake, "--conn", "kapture_default", "--days", since)
    assert status == 1
    command = "airflow backfill create --dag-id DAG_ID --from-date {} --to-date {} --reprocess-behavior completed"
    if not is_airflow_3():
        command = 'airflow dags trigger DAG_ID --conf \'{{"window_start": "{}", "window_end": "{}"}}\''
    for day, count in ((FIRST, 24), (FIRST + 2 * DAY, 21)):
        message = f"Kapture has {count} orders of {day}, the folder 20; pull it again: {command.format(day, day + DAY)}"
        assert message in shown
    assert "2 findings" in shown
    assert "kapture audit: counting 2024-05-08, day 1 of 3\n" in progress
    pull(lake, FIRST)
    pull(lake, FIRST + 2 * DAY)
    assert run(capsys, lake, "--conn", "kapture_default", "--days", since)[0] == 0


def is_airflow_3():
    from airflow import __version__

    return int(__version__.split(".")[0]) >= 3


def test_today_and_days_with_gaps_are_not_counted(monkeypatch, tmp_path):
    with Emulator(Book.until_now(40, 4, "Asia/Kolkata")) as running:
        for name, value in running.connection_uri_env().items():
            monkeypatch.setenv(name, value)
        start = running.book.start
        pull(f"{tmp_path}/", start)
        half = {"window_start": f"{start + DAY}T00:00", "window_end": f"{start + DAY}T12:00"}
        KapturePullOrdersOperator(task_id="pull", destination=f"{tmp_path}/", **half).execute({})
        pull(f"{tmp_path}/", start + 2 * DAY)
        pull(f"{tmp_path}/", start + 3 * DAY)
        for number in range(3):
            running.add_orders(1, day=start + number * DAY)
        report = audit(str(tmp_path), kapture_conn_id="kapture_default")
        assert [(each.kind, each.date) for each in report.findings if each.kind != "gap"] == [
            ("different", start),
            ("different", start + 2 * DAY),
        ]
        assert not report.days[-1].complete
        last = audit(str(tmp_path), kapture_conn_id="kapture_default", days=1)
        assert [each.date for each in last.findings if each.kind == "different"] == [start + 2 * DAY]


def test_the_folder_of_another_account_is_not_compared(lake, kapture, monkeypatch, capsys):
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", kapture.connection_json(cm_id=9, timezone="Asia/Tokyo"))
    status, _, error = run(capsys, lake, "--conn", "other")
    assert status == 2
    assert f"it has `cm_id` {kapture.cm_id}, this pull's is 9; `timezone` 'Asia/Kolkata', this pull's is" in error
    assert kapture.stats()["requests"] == 0


def test_a_folder_of_a_query_needs_its_filters(kapture, tmp_path, capsys):
    pull(f"{tmp_path}/", FIRST, filters={"statusStr": "AP"}, extra_body={"viewId": "3"})
    days = ["--conn", "kapture_default", "--days", "9999"]
    right = ["--filters", '{"statusStr": "AP"}', "--extra-body", '{"viewId": "3"}']
    assert run(capsys, tmp_path, *days, *right)[0] == 0
    for given in ([], right[:2], ["--filters", '{"statusStr": "PE"}', *right[2:]]):
        status, _, error = run(capsys, tmp_path, *days, *given)
        assert status == 2
        assert "it has another query" in error
    assert run(capsys, tmp_path)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--conn", "nowhere"], "Airflow has no connection 'nowhere'"),
        (["--conn", "kapture_default", "--days", "0"], "`days` is 0: it must be a whole number of days, 1 or more"),
        (["--filters", "[]"], "--filters must be a JSON object"),
        (["--extra-body", "{"], "--extra-body must be a JSON object"),
        (["--filters", '{"city": "Pune"}'], "need a connection"),
    ],
)
def test_errors_of_arguments(arguments, message, lake, kapture, capsys):
    status, shown, error = run(capsys, lake, *arguments)
    assert (status, shown) == (2, "")
    assert message in error


@pytest.mark.parametrize("destination", ["gs:/lake", "wasb://lake@acme", " /lake/", "s3://lake/\n"])
def test_errors_of_destinations(destination, capsys):
    status, _, error = run(capsys, destination)
    assert status == 2
    assert "`destination`" in error


def test_without_the_owner_the_query_is_not_known(lake, capsys):
    (Path(lake) / "_kapture.json").unlink()
    assert run(capsys, lake)[0] == 0
    status, _, error = run(capsys, lake, "--conn", "kapture_default")
    assert status == 2
    assert "`filters`" not in error
    assert "_kapture.json' is missing or spoilt" in error


def test_kapture_that_does_not_respond_is_no_finding(lake, kapture, capsys):
    kapture.set(status_every=1, status=401)
    status, shown, error = run(capsys, lake, "--conn", "kapture_default", "--days", "9999")
    assert (status, shown) == (1, "")
    assert "kapture audit: Kapture does not accept the credentials" in error


@pytest.mark.parametrize("is_terminal", [False, True])
@pytest.mark.parametrize("no_color", ["", "1"])
def test_colours_are_for_terminals(lake, is_terminal, no_color, monkeypatch, capsys):
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setattr("sys.stdout.isatty", lambda: is_terminal)
    shown = run(capsys, lake)[1]
    assert ("\x1b[" in shown) == (is_terminal and not no_color)


def test_a_year_fits_in_80_columns(tmp_path, capsys):
    lake = year("Asia/Kathmandu", days=800, first=dt.date(2023, 1, 1))
    lake.write(tmp_path)
    os.utime(tmp_path / lake.receipt_of(dt.date(2023, 1, 1)))
    status, shown, _ = run(capsys, tmp_path)
    assert status == 0
    calendar = shown.partition("\n\n")[2].partition("\n\nday ")[0].splitlines()
    assert max(map(len, calendar)) <= 80
    assert max(map(len, shown.splitlines()[1:])) <= 80
    assert [line[:4] for line in calendar if line[:1] == "2"] == ["2023", "2024", "2025"]
    year_2024 = calendar[[line[:4] for line in calendar].index("2024") :][1:8]
    days_2024 = sum(line[5:].count(symbol) for line in year_2024 for symbol in "01234")
    assert days_2024 == 366
    assert calendar[0].split()[1:] == [f"{dt.date(2023, month, 1):%b}" for month in range(1, 13)]


@pytest.mark.slow
def test_ten_thousand_days_in_every_form(tmp_path, capsys):
    lake = year("Australia/Adelaide", days=10_000, first=dt.date(1999, 1, 1))
    lake.write(tmp_path)
    status, shown, _ = run(capsys, tmp_path, "--html", tmp_path / "_audit.html", "--json")
    assert status == 0
    assert len(json.loads(shown)["days"]) == 10_000
    assert run(capsys, tmp_path)[0] == 0


def test_an_unfinished_run_counts_from_its_last_write(tmp_path, capsys):
    lake = year(days=5)
    name = lake.receipt_of(dt.date(2024, 1, 3))
    lake.make_unfinished(name, dt.datetime.now(dt.UTC))
    lake.write(tmp_path)
    assert run(capsys, tmp_path)[0] == 0
    before = (dt.datetime.now(dt.UTC) - dt.timedelta(hours=25)).timestamp()
    os.utime(tmp_path / name, (before, before))
    status, shown, _ = run(capsys, tmp_path)
    assert status == 1
    window = "[2024-01-03T00:00+05:30, 2024-01-04T00:00+05:30)"
    assert f"incomplete   The run of {window} has not finished for 25 hours; clear its task" in shown


def test_a_pull_that_failed_is_no_finding_at_first(kapture, tmp_path, capsys):
    blocked = tmp_path / "create_date=2024-05-10"
    blocked.touch()
    edges = {"window_start": "2024-05-08", "window_end": "2024-05-11"}
    operator = KapturePullOrdersOperator(task_id="pull", destination=f"{tmp_path}/", **edges)
    with pytest.raises(AirflowFailException, match="2024-05-10"):
        operator.execute({})
    blocked.unlink()
    capsys.readouterr()
    status, shown, _ = run(capsys, tmp_path, "--json")
    days = json.loads(shown)["days"]
    assert [(each["date"], each["rows"], each["complete"]) for each in days] == [
        ("2024-05-08", 20, True),
        ("2024-05-09", 20, True),
        ("2024-05-10", 0, False),
    ]
    assert status == 0
    operator.execute({})
    capsys.readouterr()
    assert all(each["complete"] for each in json.loads(run(capsys, tmp_path, "--json")[1])["days"])


def test_two_date_fields_have_a_calendar_each(kapture, tmp_path, capsys):
    pull(f"{tmp_path}/", FIRST)
    pull(f"{tmp_path}/", FIRST, date_field="booking")
    page = tmp_path / "_page.html"
    status, shown, _ = run(capsys, tmp_path, "--conn", "kapture_default", "--days", "9999", "--html", page)
    assert status == 0
    assert "By the date field booking" in shown
    assert "Orders by day, date field booking" in page.read_text(encoding="utf-8")
