"""Objects whose orders did not change stay as they are, and which days count as changed."""

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest
from attempts import attempt
from mutations import update

from airflow_provider_kapture.emulator import Book, Emulator
from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator
from airflow_provider_kapture.storage import options
from airflow_provider_kapture.storage.checkpoint import Checkpoint
from airflow_provider_kapture.storage.destinations.stores.local import LocalStore
from airflow_provider_kapture.storage.destinations.stores.s3 import S3Store
from airflow_provider_kapture.storage.encoders import compression

# Those of the stores' clients.
pytestmark = pytest.mark.filterwarnings("ignore")

WINDOW = {"window_start": "2024-05-08", "window_end": "2024-05-12"}
DAYS = ["2024-05-08", "2024-05-09", "2024-05-10", "2024-05-11"]


class Local:
    """Files on local disk; a version is a file with its time."""

    def __init__(self, folder):
        self.destination = f"{folder}/"

    def versions(self):
        found = [path for path in Path(self.destination).glob("create_date=*/*") if path.is_file()]
        return {path.parent.name[-10:]: (path.stat().st_ino, path.stat().st_mtime_ns) for path in found}


class Bucket:
    """Objects in a bucket that keeps versions."""

    def __init__(self, client, name):
        self.client = client
        self.prefix = f"{name}/"
        self.destination = f"s3://store@versions/{name}/"

    def versions(self):
        found = self.client.list_object_versions(Bucket="versions", Prefix=f"{self.prefix}create_date=")
        latest = [each for each in found.get("Versions", ()) if each["IsLatest"]]
        return {each["Key"].split("create_date=")[1][:10]: each["VersionId"] for each in latest}


@pytest.fixture(scope="module")
def bucket(s3):
    s3.create_bucket(Bucket="versions")
    s3.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    return s3


@pytest.fixture(params=["local", "s3"])
def lake(request, tmp_path, monkeypatch):
    if request.param == "local":
        return Local(tmp_path)
    store = request.getfixturevalue("s3_store")
    monkeypatch.setenv("AIRFLOW_CONN_STORE", json.dumps(store.connections["store"]))
    return Bucket(request.getfixturevalue("bucket"), tmp_path.name)


@pytest.fixture
def kapture(monkeypatch):
    with Emulator(Book(orders=80, days=4)) as running:
        for name, value in running.connection_uri_env().items():
            monkeypatch.setenv(name, value)
        yield running


def pull(lake, context=None, **arguments):
    arguments = {**WINDOW, "destination": lake.destination, "file_format": "jsonl.gz", **arguments}
    return KapturePullOrdersOperator(task_id="pull", **arguments).execute(context or {})


def changed(receipt):
    found = [file["window_start"][:10] for file in receipt["files"] if file["changed"]]
    assert found == receipt["changed_days"]
    return found


class KilledError(BaseException):
    """In place of a signal."""


def pull_killed_before_day(monkeypatch, number, *arguments):
    """Kill a pull when it puts the so-manieth day in place, without a chance to save what it has done."""
    with monkeypatch.context() as patch:
        for store in (LocalStore, S3Store):
            before = store.upload

            def upload(self, spool, size, name, *more, before=before):
                if DAYS[number - 1] in name:
                    raise KilledError
                return before(self, spool, size, name, *more)

            patch.setattr(store, "upload", upload)
        patch.setattr(Checkpoint, "stop", lambda self: None)
        with pytest.raises(KilledError):
            pull(*arguments)


def test_a_rerun_leaves_the_days_whose_orders_are_the_same(kapture, lake):
    first = pull(lake)
    before = lake.versions()
    assert changed(first) == DAYS
    again = pull(lake)
    assert changed(again) == []
    assert lake.versions() == before
    told = ("uri", "rows", "bytes", "sha256", "content_sha256", "etag", "version_id")
    assert [[file.get(name) for name in told] for file in again["files"]] == [
        [file.get(name) for name in told] for file in first["files"]
    ]
    update(kapture, kapture.ids()[25])
    assert changed(pull(lake)) == DAYS[1:2]
    after = lake.versions()
    assert [day for day in DAYS if after[day] != before[day]] == DAYS[1:2]


def in_another_sequence(kapture, monkeypatch):
    kapture.set(order="oldest")


def compressed_otherwise(kapture, monkeypatch):
    smaller = gzip.GzipFile
    monkeypatch.setattr(compression.gzip, "GzipFile", lambda **options: smaller(**{**options, "compresslevel": 9}))


def of_another_revision(kapture, monkeypatch):
    compressed_otherwise(kapture, monkeypatch)
    monkeypatch.setattr(options, "REVISION", options.REVISION + 1)


def with_another_column(kapture, monkeypatch):
    compressed_otherwise(kapture, monkeypatch)
    monkeypatch.setenv(
        "AIRFLOW_CONN_KAPTURE_DEFAULT",
        kapture.connection_uri_env(fields={"more": "string"})["AIRFLOW_CONN_KAPTURE_DEFAULT"],
    )


@pytest.mark.parametrize(
    "case",
    [
        (in_another_sequence, "jsonl.gz", []),
        (in_another_sequence, "csv.gz", []),
        (compressed_otherwise, "jsonl.gz", []),
        (compressed_otherwise, "csv.gz", []),
        (of_another_revision, "jsonl.gz", DAYS),
        (with_another_column, "csv.gz", DAYS),
        (with_another_column, "jsonl.gz", []),
    ],
)
def test_what_differs_without_a_difference_in_the_orders(kapture, lake, request, case):
    change, file_format, days = case
    first = pull(lake, file_format=file_format)
    before = lake.versions()
    change(kapture, request.getfixturevalue("monkeypatch"))
    again = pull(lake, file_format=file_format)
    assert changed(again) == days
    assert (lake.versions() == before) is (not days)
    if not days:
        assert [file["sha256"] for file in again["files"]] == [file["sha256"] for file in first["files"]]


def test_other_upload_options_write_the_objects_again(kapture, tmp_path, monkeypatch, bucket, s3_store):
    monkeypatch.setenv("AIRFLOW_CONN_STORE", json.dumps(s3_store.connections["store"]))
    lake = Bucket(bucket, tmp_path.name)
    pull(lake)
    assert changed(pull(lake, upload_options={"Metadata": {"team": "sales"}})) == DAYS
    assert changed(pull(lake, upload_options={"Metadata": {"team": "sales"}})) == []


@pytest.mark.parametrize("context", [attempt(), attempt(max_tries=3), attempt(run_id="other"), {}])
def test_days_of_a_killed_pull_count_as_changed_until_a_finished_one_says_so(kapture, lake, monkeypatch, context):
    pull_killed_before_day(monkeypatch, 3, lake, attempt())
    before = lake.versions()
    assert sorted(before) == DAYS[:2]
    assert changed(pull(lake, context)) == DAYS
    assert {day: lake.versions()[day] for day in before} == before
    assert changed(pull(lake)) == []


def test_days_that_a_killed_pull_left_unchanged_do_not_count_as_changed(kapture, lake, monkeypatch):
    pull(lake)
    update(kapture, kapture.ids()[-1])
    pull_killed_before_day(monkeypatch, 4, lake, attempt())
    assert changed(pull(lake, attempt())) == DAYS[3:]


def test_the_receipt_of_another_window_may_say_so(kapture, lake, monkeypatch):
    pull_killed_before_day(monkeypatch, 3, lake, attempt())
    days = {"window_start": DAYS[1], "window_end": DAYS[2], "lookback": 1}
    assert changed(pull(lake, **days)) == DAYS[:2]
    assert changed(pull(lake, **days)) == []
    assert changed(pull(lake)) == DAYS[2:]


def test_orders_that_are_as_before_count_as_changed_if_something_else_was_reported_in_between(
    kapture, lake, monkeypatch
):
    pull(lake)
    update(kapture, kapture.ids()[0])
    day = {"window_start": DAYS[0], "window_end": DAYS[1]}
    assert changed(pull(lake, **day)) == DAYS[:1]
    kapture.reset()
    update(kapture, kapture.ids()[25])
    # It writes the first day as it was at first, which the former receipt of this window names.
    pull_killed_before_day(monkeypatch, 2, lake, attempt())
    assert changed(pull(lake)) == DAYS[:2]


@pytest.mark.parametrize("damage", ["altered", "gone"])
def test_an_object_that_is_not_what_was_published_is_written_again(kapture, tmp_path, damage):
    lake = Local(tmp_path)
    file = pull(lake)["files"][2]
    content = Path(file["uri"]).read_bytes()
    if damage == "gone":
        Path(file["uri"]).unlink()
    else:
        Path(file["uri"]).write_bytes(content[:-1] + b"?")
    assert changed(pull(lake)) == DAYS[2:3]
    assert Path(file["uri"]).read_bytes() == content


@pytest.mark.parametrize("target", ["one.jsonl", "one.parquet"])
def test_a_single_object_stays(kapture, lake, target):
    lake.destination += target
    first = pull(lake, attempt(), file_format=None)
    [file] = pull(lake, attempt(run_id="other"), file_format=None)["files"]
    assert file == {**first["files"][0], "changed": False}
    update(kapture, kapture.ids()[0])
    assert pull(lake, file_format=None)["files"][0]["changed"]


def test_a_rerun_costs_a_look_at_each_object_and_no_upload(kapture, tmp_path, monkeypatch, bucket, s3_store):
    monkeypatch.setenv("AIRFLOW_CONN_STORE", json.dumps(s3_store.connections["store"]))
    lake = Bucket(bucket, tmp_path.name)
    pull(lake)
    calls = Counter()
    call = S3Store._call

    def counted(self, method, name, **arguments):
        calls[method, name.startswith("create_date=")] += 1
        return call(self, method, name, **arguments)

    monkeypatch.setattr(S3Store, "_call", counted)
    assert changed(pull(lake)) == []
    assert {method: count for (method, is_data), count in calls.items() if is_data} == {"head_object": len(DAYS)}
    # The owner twice, the receipt.
    assert calls["get_object", False] == 3
