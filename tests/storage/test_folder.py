"""What else lies in a destination: the owner of a folder, objects that overlap, and pulls at the same time."""

import hashlib
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, ObjectStoragePath
from attempts import attempt, execute_in_this_thread

from airflow_provider_kapture.client import Account, KaptureClient
from airflow_provider_kapture.client.api.request import build_query
from airflow_provider_kapture.client.pull.stats import PullStats
from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator
from airflow_provider_kapture.storage.destinations.stores.local import LocalStore
from airflow_provider_kapture.storage.file_pull import FilePull
from airflow_provider_kapture.storage.folder import Owner, find_overlaps, hash_query, query_text
from airflow_provider_kapture.storage.options import FileOptions
from airflow_provider_kapture.storage.publication import Publisher

# Those of the stores' clients.
pytestmark = pytest.mark.filterwarnings("ignore")

DAYS = {"window_start": "2024-05-08", "window_end": "2024-05-11"}
HOURS = {"window_start": "2024-05-08T10:00", "window_end": "2024-05-08T11:00"}
DAY_NAME = "create_date=2024-05-08/orders_20240507T183000Z_20240508T183000Z.jsonl"
HOUR_NAME = "create_date=2024-05-08/orders_20240508T043000Z_20240508T053000Z.jsonl"


@pytest.fixture(params=["local", "s3"])
def folder(request, tmp_path, monkeypatch):
    """An empty folder, on local disk and in S3."""
    if request.param == "local":
        return f"{tmp_path}/orders/"
    store = request.getfixturevalue("s3_store")
    monkeypatch.setenv("AIRFLOW_CONN_STORE", json.dumps(store.connections["store"]))
    return f"{store.url}/{tmp_path.name}/"


def pull(destination, **arguments):
    return KapturePullOrdersOperator(
        task_id="pull", **{**DAYS, "destination": destination, "file_format": "jsonl", **arguments}
    ).execute({})


def names(folder):
    found = (str(path).partition(folder.rstrip("/"))[2].lstrip("/") for path in ObjectStoragePath(folder).rglob("*"))
    return sorted(name for name in found if name.startswith("create_date=") and "." in name)


def put(folder, name, text="kept"):
    path = ObjectStoragePath(folder + name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


# -- objects that overlap --


def test_hours_then_the_day_fails_before_the_first_request_or_replaces_them(kapture, folder):
    pull(folder, **HOURS)
    assert names(folder) == [HOUR_NAME]
    kapture.reset()
    with pytest.raises(AirflowFailException, match=f"{HOUR_NAME}.*`on_overlap`"):
        pull(folder)
    assert kapture.stats()["requests"] == 0
    pull(folder, on_overlap="replace")
    assert len(names(folder)) == 3
    assert HOUR_NAME not in names(folder)


@pytest.mark.parametrize("on_overlap", ["fail", "replace"])
def test_the_day_then_an_hour_fails_either_way(kapture, folder, on_overlap):
    pull(folder)
    before = names(folder)
    kapture.reset()
    with pytest.raises(AirflowFailException, match=DAY_NAME):
        pull(folder, on_overlap=on_overlap, **HOURS)
    assert kapture.stats()["requests"] == 0
    assert names(folder) == before


def test_a_first_day_that_is_a_part_overlaps_the_whole_one(kapture, folder):
    pull(folder)
    with pytest.raises(AirflowFailException, match=DAY_NAME):
        pull(folder, window_start="2024-05-08T06:00", on_overlap="replace")


def test_another_format_fails_or_replaces(kapture, folder):
    pull(folder)
    with pytest.raises(AirflowFailException, match=DAY_NAME):
        pull(folder, file_format="csv")
    pull(folder, file_format="csv", on_overlap="replace")
    assert len(names(folder)) == 3
    assert all(name.endswith(".csv") for name in names(folder))


def test_files_of_others_are_neither_counted_nor_touched(kapture, folder):
    others = [
        "create_date=2024-05-08/orders.jsonl",
        "create_date=2024-05-08/orders_20240508_20240509.jsonl",
        "create_date=2024-05-08/copy_of_orders_20240508T043000Z_20240508T053000Z.jsonl",
        "create_date=2024-05-08/orders_20240508T043000Z_20240508T053000Z.jsonl.bak~",
        "create_date=2024-05-08/changes_20240508T043000Z_20240508T053000Z.jsonl",
    ]
    for name in others:
        put(folder, name)
    pull(folder, on_overlap="replace")
    assert set(others) < set(names(folder))
    assert len(names(folder)) == len(others) + 3


def test_adjacent_windows_do_not_overlap(kapture, folder):
    pull(folder, **HOURS)
    pull(folder, window_start="2024-05-08T11:00", window_end="2024-05-08T12:00:00.001")
    pull(folder, window_start="2024-05-08T12:00:00.001", window_end="2024-05-08T13:00")
    assert len(names(folder)) == 3


def test_an_empty_day_replaces_the_hours_that_it_covers(kapture, folder):
    hour = "create_date=2024-05-12/orders_20240512T043000Z_20240512T053000Z.jsonl"
    put(folder, hour)
    empty = {"window_start": "2024-05-12", "window_end": "2024-05-13"}
    pull(folder, on_overlap="replace", on_empty="write", **empty)
    assert hour not in names(folder)


def test_without_permission_to_list_a_warning_says_that_overlaps_are_not_checked(
    kapture, tmp_path, monkeypatch, caplog
):
    def refuse(*_):
        raise PermissionError("no listing")

    monkeypatch.setattr(LocalStore, "list_names", refuse)
    pull(f"{tmp_path}/")
    assert [each.levelname for each in caplog.records if "Cannot list" in each.message] == ["WARNING"]


def test_a_retry_removes_what_a_killed_try_has_left_of_days_that_are_done(kapture, tmp_path, monkeypatch):
    put(f"{tmp_path}/", HOUR_NAME)
    with monkeypatch.context() as patch:
        patch.setattr(Publisher, "_remove_covered", killed)
        with pytest.raises(KeyboardInterrupt):
            KapturePullOrdersOperator(
                task_id="pull", destination=f"{tmp_path}/", file_format="jsonl", on_overlap="replace", **DAYS
            ).execute(attempt())
    assert names(f"{tmp_path}/") == [DAY_NAME, HOUR_NAME]
    kapture.reset()
    KapturePullOrdersOperator(
        task_id="pull", destination=f"{tmp_path}/", file_format="jsonl", on_overlap="replace", **DAYS
    ).execute(attempt())
    assert HOUR_NAME not in names(f"{tmp_path}/")
    assert "2024-05-08" not in {each.body["createStartDate"] for each in kapture.requests_seen}


def killed(*_):
    raise KeyboardInterrupt


# -- the owner of a folder --

OTHERS = {
    "filters": ({"filters": {"city": "Pune"}}, {}, "another query"),
    "extra_body": ({"extra_body": {"mine": 1}}, {}, "another query"),
    "default_body": ({}, {"default_body": {"viewId": "3"}}, "another query"),
    "account": ({}, {"cm_id": 7}, "`cm_id` .*, this pull's is 7"),
}


def connect(kapture, monkeypatch, **extra):
    for name, value in kapture.connection_uri_env(**extra).items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("target", ["", "one.jsonl"])
@pytest.mark.parametrize("other", OTHERS)
def test_a_destination_of_another_query_fails_before_the_first_request(kapture, folder, monkeypatch, target, other):
    arguments, extra, message = OTHERS[other]
    if target and not folder.startswith("s3"):
        pytest.skip("a local file has no metadata")
    pull(folder + target)
    kapture.reset()
    connect(kapture, monkeypatch, **extra)
    with pytest.raises(AirflowFailException, match=message):
        pull(folder + target, **arguments)
    assert kapture.stats()["requests"] == 0


@pytest.mark.parametrize(
    "arguments",
    [
        {"filters": {}},
        {"filters": {"notAssignToIdsStr": "-1"}},
        {"extra_body": {"unused": ""}},
    ],
)
def test_what_is_empty_or_neutral_is_no_other_query(kapture, folder, arguments):
    pull(folder)
    pull(folder, **arguments)


def test_an_owner_that_is_deleted_is_replaced(kapture, tmp_path):
    pull(f"{tmp_path}/")
    (tmp_path / "_kapture.json").unlink()
    pull(f"{tmp_path}/", filters={"city": "Pune"})


def test_the_owner_names_the_account_and_no_customer(kapture, tmp_path):
    pull(f"{tmp_path}/", filters={"name": "canary-customer"})
    text = (tmp_path / "_kapture.json").read_text()
    assert json.loads(text).keys() == {"account", "cm_id", "timezone", "salt", "query_hash"}
    assert "canary-customer" not in text


@pytest.mark.parametrize("spoilt", ["", "{", "[]", "{}", '{"account": 1}'])
def test_a_spoilt_owner_is_an_error(kapture, tmp_path, spoilt):
    (tmp_path / "_kapture.json").write_text(spoilt)
    with pytest.raises(AirflowFailException, match="cannot be read as the owner of the folder"):
        pull(f"{tmp_path}/")
    assert kapture.stats()["requests"] == 0


def test_a_first_pull_that_fails_takes_its_owner_back(kapture, folder, monkeypatch):
    kapture.set(status_every=1, status=400)
    with pytest.raises(AirflowFailException):
        pull(folder)
    assert not ObjectStoragePath(folder + "_kapture.json").exists()
    kapture.set(status_every=None)
    connect(kapture, monkeypatch, default_body={"viewId": "3"})
    pull(folder)


def test_the_owner_is_put_back_if_the_pull_that_made_it_has_failed_meanwhile(kapture, tmp_path, monkeypatch):
    pull(f"{tmp_path}/")
    publish = Publisher._remove_covered

    def remove(self, target):
        (tmp_path / "_kapture.json").unlink(missing_ok=True)
        publish(self, target)

    monkeypatch.setattr(Publisher, "_remove_covered", remove)
    pull(f"{tmp_path}/")
    assert (tmp_path / "_kapture.json").exists()


def test_of_two_queries_that_start_at_the_same_moment_one_wins(kapture, folder):
    barrier = threading.Barrier(4)

    def start(city):
        barrier.wait()
        try:
            return pull(folder, filters={"city": city})
        except AirflowFailException as error:
            return error

    with ThreadPoolExecutor(4, initializer=execute_in_this_thread) as pool:
        outcomes = list(pool.map(start, ("Pune", "Mumbai", "Delhi", "Chennai")))
    errors = [each for each in outcomes if isinstance(each, Exception)]
    assert len(errors) == 3
    assert all("another query" in str(each) for each in errors)


def account(kapture):
    connection = json.loads(kapture.connection_json())
    return Account.from_connection(connection["host"], connection["login"], connection["password"], connection["extra"])


def test_the_hash_of_a_query_can_be_computed_again(kapture, tmp_path):
    receipt = pull(f"{tmp_path}/", filters={"city": "Pune"})
    record = json.loads((tmp_path / "_kapture.json").read_text())
    text = query_text(account(kapture), {"city": "Pune"}, None)
    assert record["query_hash"] == hash_query(text, record["salt"])
    assert receipt


@pytest.mark.parametrize("name", ["filters", "extra_body", "default_body"])
@pytest.mark.parametrize("given", [{}, {"city": ""}, {"city": None}, {"city": "Pune"}])
def test_only_the_hash_of_a_query_with_values_is_slow(kapture, monkeypatch, name, given):
    costs = []

    def scrypt(text, *, n, **others):
        costs.append(n)
        return original(text, n=n, **others)

    original = hashlib.scrypt
    monkeypatch.setattr(hashlib, "scrypt", scrypt)
    default_body = {"viewId": "2"} | (given if name == "default_body" else {})
    of = account(kapture)
    of = replace(of, dialect=replace(of.dialect, default_body=default_body))
    query = {"filters": None, "extra_body": None} | ({name: given} if name != "default_body" else {})
    hash_query(query_text(of, **query), f"{name} {given}")
    assert costs == [2**14 if given == {"city": "Pune"} else 2]


@pytest.mark.parametrize(
    ("date_field", "name"),
    [
        ("create", "create_date"),
        ("booking", "booking_date"),
        ("nextFollowup", "next_followup_date"),
        ("expectedClosure", "expected_closure_date"),
    ],
)
def test_each_date_field_has_names_and_receipts_of_its_own(kapture, tmp_path, date_field, name):
    pull(f"{tmp_path}/")
    pull(f"{tmp_path}/", date_field=date_field)
    for day in ("2024-05-08", "2024-05-09", "2024-05-10"):
        assert len(list(tmp_path.glob(f"{name}={day}/orders_*.jsonl"))) == 1
    assert len(list(tmp_path.glob(f"_receipts/{name}/20240507T183000Z_20240510T183000Z.json"))) == 1
    assert (tmp_path / DAY_NAME).exists()


# -- two pulls of one window at the same time --


def file_pull(client, destination, stats, watch):
    owner = Owner.from_account(client.account, None, None)
    return FilePull(client, build_query("create"), stats, FileOptions(destination, "jsonl"), owner, watch)


def pull_while(kapture, destination, meanwhile, stats):
    """Pull a day; another pull of it, by ``meanwhile``, comes between its reading and its publishing."""
    with KaptureClient(account(kapture)) as client:
        window = client.window("2024-05-08", "2024-05-09")
        with file_pull(client, destination, stats, meanwhile) as files:
            return files.run(window, 0, {})


def meanwhile(kapture, destination, often):
    """Another pull, which reads an order more; so many times."""
    left = [often]

    def watch():
        if left[0]:
            left[0] -= 1
            kapture.add_orders(1, day="2024-05-08")
            pull_while(kapture, destination, lambda: None, PullStats())

    return watch


@pytest.mark.parametrize("target", ["", "one.jsonl"])
@pytest.mark.parametrize("before", [False, True])
def test_an_object_that_was_replaced_meanwhile_is_pulled_again(kapture, folder, target, before, caplog):
    if before:
        pull_while(kapture, folder + target, lambda: None, PullStats())
    stats = PullStats()
    [file] = pull_while(kapture, folder + target, meanwhile(kapture, folder + target, 1), stats)
    text = ObjectStoragePath(file["uri"]).read_bytes()
    assert len(text.splitlines()) == file["rows"] == stats.rows == kapture.count("2024-05-08", "2024-05-08")
    assert [each.levelname for each in caplog.records if "Another pull has replaced" in each.msg] == ["WARNING"]


@pytest.mark.slow
def test_an_object_that_is_replaced_twice_meanwhile_is_an_error_and_keeps_the_newest_orders(kapture, folder):
    with pytest.raises(OSError, match=r"replaced by another pull .* twice"):
        pull_while(kapture, folder, meanwhile(kapture, folder, 1_000), PullStats())
    rows = len(ObjectStoragePath(folder + DAY_NAME).read_bytes().splitlines())
    assert rows == kapture.count("2024-05-08", "2024-05-08")


class StoppedError(Exception):
    """What ends a pull in a test."""


def run_two_days(kapture, destination, day, act):
    """Pull two days up to their receipt; what ``act`` does comes just before the first or the second is published."""
    stats = PullStats()

    def watch():
        # Once: what is pulled again is left alone.
        if acts and stats.days == day:
            acts.pop()()

    acts = [act]
    with KaptureClient(account(kapture)) as client:
        window = client.window("2024-05-08", "2024-05-10")
        with file_pull(client, destination, stats, watch) as files:
            entries = files.run(window, 0, {})
            files.finish({"files": entries})


TWO_DAYS = {"window_start": "2024-05-08", "window_end": "2024-05-10"}


def receipt_in(folder):
    name = "_receipts/create_date/20240507T183000Z_20240509T183000Z.json"
    return json.loads(ObjectStoragePath(folder + name).read_bytes())


@pytest.mark.parametrize("day", [1, 2])
@pytest.mark.parametrize("is_new", [False, True])
def test_no_receipt_names_an_object_that_another_pull_has_replaced(kapture, folder, day, is_new):
    receipts = []

    def pull_meanwhile():
        if is_new:
            kapture.add_orders(1, day="2024-05-08")
        receipts.append(pull(folder, **TWO_DAYS))

    if day == 2 and is_new:
        with pytest.raises(OSError, match=r"another pull of the same window has replaced .*2024-05-08"):
            run_two_days(kapture, folder, day, pull_meanwhile)
        assert receipt_in(folder) == receipts[0]
        return
    run_two_days(kapture, folder, day, pull_meanwhile)
    for file in receipt_in(folder)["files"]:
        assert hashlib.sha256(ObjectStoragePath(file["uri"]).read_bytes()).hexdigest() == file["sha256"]


@pytest.mark.parametrize("day", [1, 2])
def test_a_pull_that_fails_leaves_the_receipt_of_another_one_alone(kapture, folder, day):
    receipts = []

    def pull_and_stop():
        receipts.append(pull(folder, **TWO_DAYS))
        raise StoppedError

    with pytest.raises(StoppedError):
        run_two_days(kapture, folder, day, pull_and_stop)
    assert receipt_in(folder) == receipts[0]


# -- names --


@pytest.mark.parametrize(
    ("name", "covered", "partial"),
    [
        ("orders_20240507T183000Z_20240508T183000Z.csv", True, False),
        ("orders_20240507T183000Z_20240507T183000001Z.csv", True, False),
        ("orders_20240508T182959999Z_20240508T183000Z.csv", True, False),
        ("orders_20240507T183000Z_20240508T183000001Z.csv", False, True),
        ("orders_20240508T180000Z_20240508T190000Z.csv", False, True),
        ("orders_20240508T183000Z_20240509T183000Z.csv", False, False),
        ("orders_20240506T183000Z_20240507T183000Z.csv", False, False),
    ],
)
def test_which_windows_overlap(kapture, name, covered, partial):
    with KaptureClient(account(kapture)) as client:
        window = client.window("2024-05-08", "2024-05-09")
    found = find_overlaps(DAY_NAME, window, [f"create_date=2024-05-08/{name}", DAY_NAME])
    assert (bool(found.covered), bool(found.partial)) == (covered, partial)
