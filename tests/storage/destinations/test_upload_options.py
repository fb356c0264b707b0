"""Options of the stores' write calls: small and large objects have them, and what a store does not have is an error."""

import json

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator
from airflow_provider_kapture.storage.destinations.stores.choose import open_store
from airflow_provider_kapture.storage.destinations.stores.store import run
from airflow_provider_kapture.storage.destinations.upload_options import AZURE, GCS, S3, check_upload_options

# Those of the stores' clients.
pytestmark = pytest.mark.filterwarnings("ignore")

KEY = "arn:aws:kms:us-east-1:123456789012:key/made-up"
OPTIONS = {
    "ServerSideEncryption": "aws:kms",
    "SSEKMSKeyId": KEY,
    "ACL": "bucket-owner-full-control",
    "StorageClass": "STANDARD_IA",
    "Tagging": "team=sales&kind=orders",
    "Metadata": {"team": "sales"},
}


@pytest.fixture
def url(s3_store, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_STORE", json.dumps(s3_store.connections["store"]))
    return s3_store.url


def pull(destination, options, **arguments):
    return KapturePullOrdersOperator(
        task_id="pull",
        window_start="2024-05-08",
        window_end="2024-05-09",
        destination=destination,
        file_format="jsonl",
        upload_options=options,
        **arguments,
    ).execute({})


def check_data(s3, key):
    head = s3.head_object(Bucket="orders", Key=key)
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", KEY)
    assert head["StorageClass"] == "STANDARD_IA"
    assert head["Metadata"]["team"] == "sales"
    tags = s3.get_object_tagging(Bucket="orders", Key=key)["TagSet"]
    assert sorted((tag["Key"], tag["Value"]) for tag in tags) == [("kind", "orders"), ("team", "sales")]
    return head["Metadata"]


def test_each_object_has_the_encryption_and_the_orders_have_the_rest(kapture, url, s3, tmp_path):
    pull(f"{url}/{tmp_path.name}/", OPTIONS)
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket="orders", Prefix=tmp_path.name)["Contents"]]
    assert len(keys) == 3
    for key in keys:
        if key.endswith(".jsonl"):
            assert "kapture_sha256" in check_data(s3, key)
        else:
            head = s3.head_object(Bucket="orders", Key=key)
            assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", KEY)
            assert "StorageClass" not in head
            assert not s3.get_object_tagging(Bucket="orders", Key=key)["TagSet"]


def test_a_single_object_has_them(kapture, url, s3, tmp_path):
    pull(f"{url}/{tmp_path.name}.jsonl", OPTIONS)
    check_data(s3, f"{tmp_path.name}.jsonl")


def test_an_object_in_parts_has_them(url, s3, tmp_path):
    spool = tmp_path / "spool"
    spool.write_bytes(bytes(20 << 20))
    store = open_store(f"{url}/{tmp_path.name}/", OPTIONS)
    store.upload(spool, 20 << 20, "large", {"kapture_sha256": "x"}, None)
    assert check_data(s3, f"{tmp_path.name}/large")["kapture_sha256"] == "x"


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        (S3, {"SSEKMSKeyID": KEY}, "'SSEKMSKeyID', which this store does not have.*SSEKMSKeyId"),
        (S3, {"kmsKeyName": KEY}, "which this store does not have"),
        (S3, {"SSECustomerKey": "canary"}, "'SSECustomerKey', a key that"),
        (S3, {"BucketKeyEnabled": "true"}, "must be a bool"),
        (S3, {"ACL": ""}, "must be a str with a value"),
        (S3, {"ACL": None}, "must be a str"),
        (S3, {"Metadata": {"Team": "x"}}, "metadata 'Team': a name consists of"),
        (S3, {"Metadata": {"kapture_x": "x"}}, "not with 'kapture_'"),
        (S3, {"Metadata": {"team": "é"}}, "must be printable ASCII"),
        (S3, {"Metadata": {"team": "a\nb"}}, "must be printable ASCII"),
        (S3, ["ACL"], "must be a mapping"),
        (GCS, {"SSEKMSKeyId": KEY}, "which this store does not have"),
        (GCS, {"encryption_key": "canary"}, "a key that"),
        (AZURE, {"tags": "a=b"}, "must be a dict"),
        (AZURE, {"cpk": "canary"}, "a key that"),
        (None, {"ACL": "private"}, "this `destination` takes none"),
    ],
)
def test_what_a_store_does_not_have_is_a_settings_error(table, options, message):
    with pytest.raises(KaptureSettingsError, match=message) as caught:
        check_upload_options(options, table)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("destination", ["", None])
def test_a_local_path_and_xcom_take_no_options(kapture, tmp_path, destination):
    where = None if destination is None else f"{tmp_path}/"
    with pytest.raises(AirflowFailException, match="upload_options"):
        KapturePullOrdersOperator(
            task_id="pull",
            window_start="2024-05-08",
            window_end="2024-05-09",
            destination=where,
            upload_options={"ACL": "private"},
        ).execute({})
    assert kapture.stats()["requests"] == 0


@pytest.mark.clouds
@pytest.mark.parametrize("size", [3, 20 << 20])
def test_google_cloud_storage_has_them(gs_store, monkeypatch, tmp_path, size):
    monkeypatch.setenv("AIRFLOW_CONN_GSTORE", json.dumps(gs_store.connections["gstore"]))
    sent = []
    every = {"kmsKeyName": "projects/p/key", "predefinedAcl": "private"}
    options = {**every, "storageClass": "NEARLINE", "metadata": {"team": "x"}}
    store = open_store(f"{gs_store.url}/{tmp_path.name}/", options)
    call = store._fs._call

    async def record(method, path, *args, **kwargs):
        sent.append((method, kwargs))
        return await call(method, path, *args, **kwargs)

    monkeypatch.setattr(store._fs, "_call", record)
    spool = tmp_path / "spool"
    spool.write_bytes(bytes(size))
    store.upload(spool, size, "one", {"kapture_sha256": "y"}, None)
    store.write("two", b"{}")
    assert store.stat("one").metadata == {"team": "x", "kapture_sha256": "y"}
    writes = [kwargs for method, kwargs in sent if "uploadType" in kwargs]
    assert [(each["kmsKeyName"], each["predefinedAcl"]) for each in writes] == [("projects/p/key", "private")] * 2
    assert b"NEARLINE" in (writes[0].get("data") or json.dumps(writes[0].get("json")).encode())


@pytest.mark.clouds
@pytest.mark.parametrize("size", [3, 20 << 20])
def test_azure_blob_storage_has_them(abfs_store, monkeypatch, tmp_path, size):
    monkeypatch.setenv("AIRFLOW_CONN_ASTORE", json.dumps(abfs_store.connections["astore"]))
    options = {"standard_blob_tier": "Cool", "tags": {"team": "sales"}, "metadata": {"team": "x"}}
    store = open_store(f"{abfs_store.url}/{tmp_path.name}/", options)
    spool = tmp_path / "spool"
    spool.write_bytes(bytes(size))
    store.upload(spool, size, "one", {"kapture_sha256": "y"}, None)

    async def look():
        async with store._blob("one") as blob:
            return await blob.get_blob_properties(), await blob.get_blob_tags()

    properties, tags = run(store._fs, look())
    assert (properties["blob_tier"], tags) == ("Cool", {"team": "sales"})
    assert {"team": "x", "kapture_sha256": "y"}.items() <= properties["metadata"].items()
