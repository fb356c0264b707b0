"""Each object store through its Airflow connection: S3 always, the others where `make test-clouds` has them."""

import asyncio
import hashlib
import importlib.util
import os

import aiohttp
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, ObjectStoragePath
from packaging.version import Version

from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator
from airflow_provider_kapture.storage.destinations.stores.choose import open_store
from airflow_provider_kapture.storage.destinations.stores.s3 import part_size
from airflow_provider_kapture.storage.destinations.stores.store import ChangedError, ObjectState
from airflow_provider_kapture.storage.destinations.urls import check_url

# Those of every provider's hooks, which Airflow imports for the first file system, and of the stores' clients.
pytestmark = pytest.mark.filterwarnings("ignore")

DAY = {"window_start": "2024-05-08", "window_end": "2024-05-09"}


def pull(destination, **arguments):
    window = {"window_start": "2024-05-08", "window_end": "2024-05-11"}
    operator = KapturePullOrdersOperator(task_id="pull", destination=destination, **window | arguments)
    return operator.execute({})


def test_objects_are_where_and_what_the_receipt_says(kapture, store):
    receipt = pull(f"{store.url}/raw/")
    stored = {str(path): path.read_bytes() for path in ObjectStoragePath(f"{store.url}/raw/").rglob("*.gz")}
    assert len(stored) == 3
    assert {uri: (len(data), hashlib.sha256(data).hexdigest()) for uri, data in stored.items()} == {
        each["uri"]: (each["bytes"], each["sha256"]) for each in receipt["files"]
    }
    assert receipt["rows"] == 300


@pytest.mark.parametrize("file_format", ["jsonl", "parquet"])
def test_a_rerun_gives_the_same_object(kapture, store, file_format):
    destination = f"{store.url}/again/one.{file_format}"
    pull(destination)
    before = ObjectStoragePath(destination).read_bytes()
    pull(destination)
    assert ObjectStoragePath(destination).read_bytes() == before
    if file_format == "jsonl":
        assert sorted(before.splitlines()) == sorted(kapture.records())


def test_a_large_object_goes_up_in_parts(store, tmp_path):
    spool = tmp_path / "spool"
    spool.write_bytes(os.urandom(20 << 20))
    path = ObjectStoragePath(f"{store.url}/large/orders.parquet")
    opened = open_store(str(path))
    state = opened.upload(spool, spool.stat().st_size, "", {"kapture_test": "yes"}, None)
    assert (state.size, opened.stat("").identity) == (20 << 20, state.identity)
    assert opened.stat("").metadata["kapture_test"] == "yes"
    assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(spool.read_bytes()).digest()


def test_an_object_that_is_not_as_expected_is_not_replaced(role, tmp_path):
    role.may("write", "read", "list", "delete")
    spool = tmp_path / "spool"
    spool.write_bytes(b"new")
    opened = open_store(role.url)
    first = opened.upload(spool, 3, "one", {}, None)
    assert opened.upload(spool, 3, "one", {}, first).size == 3
    for expected in (None, ObjectState(3, '"0"')):
        with pytest.raises(ChangedError):
            opened.upload(spool, 3, "one", {}, expected)
        with pytest.raises(ChangedError):
            opened.write("one", b"another", expected)
    opened.write("two", b"first", None)
    with pytest.raises(ChangedError):
        opened.write("two", b"second", None)
    assert opened.read("two") == b"first"
    opened.write("day/three", b"third")
    assert opened.list_names("day/") == ["day/three"]
    assert opened.list_names("night/") == []
    assert opened.read("three") is None
    assert opened.stat("three") is None
    opened.delete("two")
    opened.delete("two")
    assert opened.read("two") is None


@pytest.mark.parametrize("size", [0, 1 << 30, 5 << 40])
def test_parts_are_no_more_than_s3_takes(size):
    assert part_size(size) * 10_000 >= size
    assert part_size(size) >= 5 << 20


@pytest.mark.parametrize("breaks_after", [0, 40_000])
@pytest.mark.slow
def test_a_connection_that_breaks_during_the_upload_leaves_the_old_object(kapture, store, mocker, breaks_after):
    if breaks_after and store.takes_halves:
        pytest.skip("this emulator takes half a request for a whole one")
    if breaks_after and Version(aiohttp.__version__) < Version("3.14.4"):
        pytest.skip("this aiohttp sees a connection that broke while it sent only once its time is up, after minutes")
    destination = f"{store.url}/broken/one-{breaks_after}.jsonl"
    pull(destination, **DAY)
    before = ObjectStoragePath(destination).read_bytes()
    fast_retries(mocker)
    put = mocker.patch(
        "airflow_provider_kapture.storage.destinations.publish.object_uri", wraps=breaking(store.line, breaks_after)
    )
    with pytest.raises(OSError, match=rf"upload .* to '{destination}' with the connection '{conn_id(store)}' failed"):
        pull(destination)
    mocker.stop(put)
    store.line.breaks_after = None
    assert ObjectStoragePath(destination).read_bytes() == before
    assert pull(destination)["rows"] == 300
    assert len(ObjectStoragePath(destination).read_bytes().splitlines()) == 300


def conn_id(store):
    return store.url.partition("://")[2].partition("@")[0]


def breaking(line, breaks_after):
    """What is called just before an upload begins."""

    def uri(destination, name):
        line.breaks_after = breaks_after
        return destination + name

    return uri


def fast_retries(mocker):
    """The stores' clients wait long between tries."""
    wait = asyncio.sleep
    mocker.patch("asyncio.sleep", lambda _seconds, result=None: wait(0, result))


def test_a_bucket_that_is_not_there_is_named_before_the_first_request(kapture, store):
    destination = f"{store.url.replace('orders', 'nowhere')}/raw/"
    with pytest.raises(AirflowFailException, match=f"'nowhere'.*{destination}.*'{conn_id(store)}'"):
        pull(destination)
    assert kapture.stats()["requests"] == 0


def test_a_connection_that_is_not_there_is_named_before_the_first_request(kapture, store):
    destination = f"{store.url.replace(conn_id(store), 'unheard_of')}/raw/"
    with pytest.raises(AirflowFailException, match=f"{destination}.*unheard_of"):
        pull(destination)
    assert kapture.stats()["requests"] == 0


def test_wrong_credentials_are_named_before_the_first_request(kapture, store):
    if store.wrong is None:
        pytest.skip("this emulator takes any")
    destination = f"{store.url.replace(conn_id(store), store.wrong)}/raw/"
    with pytest.raises(AirflowFailException, match=f"{destination}.*authenticate"):
        pull(destination)
    assert kapture.stats()["requests"] == 0


@pytest.mark.parametrize(("destination", "message"), [("foo://orders/raw/", "destination"), ("gs://orders/", "gcs")])
def test_a_store_that_is_not_installed_is_named_before_the_first_request(kapture, destination, message):
    if message == "gcs" and importlib.util.find_spec("gcsfs"):
        pytest.skip("gcsfs is installed")
    with pytest.raises(AirflowFailException, match=message):
        pull(destination)
    assert kapture.stats()["requests"] == 0


@pytest.mark.parametrize(
    ("destination", "spelling"),
    [
        ("s3n://bucket/orders/", "s3://CONN_ID@bucket/orders/"),
        ("wasb://container/orders/", "abfs://CONN_ID@container/orders/"),
        ("wasbs://container@account.blob.core.windows.net/orders/", "abfs://CONN_ID@container/orders/"),
        ("az://container/orders/", "abfs://CONN_ID@container/orders/"),
        ("adl://container/orders/", "abfs://CONN_ID@container/orders/"),
        ("hdfs://node/orders/", "s3://, gs://, abfs:// or a path"),
        ("abfss://container@account.dfs.core.windows.net/orders/", "abfs://CONN_ID@container/orders/"),
        ("s3:///orders/", "s3://CONN_ID@bucket/orders/"),
        ("s3://conn@/orders/", "s3://CONN_ID@bucket/orders/"),
        ("gs:/orders/", "gs://CONN_ID@bucket/orders/"),
        ("file:orders/", "file:///orders/"),
        ("file:/orders/", "file:///orders/"),
    ],
)
def test_a_url_of_another_spelling_is_an_error_that_gives_the_right_one(kapture, destination, spelling):
    with pytest.raises(AirflowFailException, match=f"'{destination}' is not how Airflow spells it: use {spelling}"):
        pull(destination)
    assert kapture.stats()["requests"] == 0


@pytest.mark.parametrize("destination", ["s3://c@orders/a\tb/", "s3://c@orders/a\nb/", "s3://c@orders/a\rb.csv"])
def test_a_key_with_a_control_character_is_an_error(kapture, destination):
    with pytest.raises(AirflowFailException, match="a line break, a tab"):
        pull(destination)
    assert kapture.stats()["requests"] == 0


@pytest.mark.parametrize(
    "text", ["/data/a:b/", "a:b/orders/", "data/orders/", "C.csv", "s3://b/x/", "s3a://c@b/x/", "abfs://c@b/x/"]
)
def test_other_destinations_are_left_alone(text):
    check_url(text)
