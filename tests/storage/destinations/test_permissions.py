"""What a role of least privilege can do: write under its prefix is enough, and what is missing is named by action."""

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from attempts import attempt

from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator
from airflow_provider_kapture.storage.destinations.stores import s3 as s3_module

# Those of the stores' clients.
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.slow]

S3_ONLY = pytest.mark.parametrize("store", ["s3"], indirect=True)
CREATE = {"s3": "s3:PutObject", "gs": "storage.objects.create", "abfs": "blobs/write"}
DELETE = {"s3": "s3:DeleteObject", "gs": "storage.objects.delete", "abfs": "blobs/delete"}
# Looks at a bucket, for which a role limited to a prefix has no permission.
BUCKET = {"HEAD s3:ListBucket", "GET s3:GetBucketLocation", "GET storage.buckets.get", "GET containers/read"}
DAYS = {"window_start": "2024-05-08", "window_end": "2024-05-11"}


def pull(destination, context=None, **arguments):
    return KapturePullOrdersOperator(
        task_id="pull", destination=destination, file_format="jsonl", **{**DAYS, **arguments}
    ).execute(context or {})


def warnings(caplog):
    return [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]


@pytest.mark.parametrize("target", ["folder/", "one.jsonl"])
def test_permission_to_write_under_the_prefix_is_enough(kapture, role, caplog, target):
    role.may("write")
    for _ in range(2):
        receipt = pull(role.url + target)
        assert receipt["rows"] == 300
        assert all(file["changed"] for file in receipt["files"])
        assert [each for each in receipt["warnings"] if "every day counts as changed" in each]
    stored = [role.prefix + name for name in role.names() if name.endswith(".jsonl")]
    assert sorted(each["uri"].partition("@orders/")[2] for each in receipt["files"]) == stored
    assert all(file["etag"] for file in receipt["files"])
    if target.endswith("/"):
        assert sum("Cannot read _kapture.json" in each for each in warnings(caplog)) == 2
        assert sum("Cannot list" in each for each in warnings(caplog)) == 2
        # No receipt in progress, and the final one.
        assert len([name for name in role.names() if "_receipts/" in name]) == 1
    elif role.kind == "s3":
        assert sum("s3:AbortMultipartUpload" in each for each in warnings(caplog)) == 2
    assert not BUCKET & role.proxy.seen.keys()


@S3_ONLY
def test_a_large_upload_needs_permission_to_write_alone(role, s3, monkeypatch, tmp_path):
    monkeypatch.setattr(s3_module, "_PART_SIZE", 5 << 20)
    role.may("write")
    spool = tmp_path / "spool"
    spool.write_bytes(bytes(12 << 20))
    store = s3_module.S3Store(role.url)
    assert store.upload(spool, 12 << 20, "large", {"kapture_test": "1"}, None).receipt_keys["etag"].endswith("-3")
    assert s3.head_object(Bucket="orders", Key=f"{role.prefix}large")["ContentLength"] == 12 << 20


def test_with_reading_a_pull_resumes_also_without_listing(kapture, role, caplog, monkeypatch):
    role.may("write", "read")
    for name, value in kapture.connection_uri_env(max_concurrency=1).items():
        monkeypatch.setenv(name, value)
    kapture.set(status_every=5, status=400)
    with pytest.raises(AirflowFailException):
        pull(role.url, attempt())
    kapture.set(status_every=None)
    kapture.reset()
    pull(role.url, attempt())
    assert "2024-05-08" not in {each.body["createStartDate"] for each in kapture.requests_seen}
    assert not any("Cannot read" in each for each in warnings(caplog))
    assert any("Cannot list" in each for each in warnings(caplog))


@S3_ONLY
@pytest.mark.parametrize(
    ("operations", "prefix", "message"),
    [
        (("write", "list", "delete"), "", "`changes` needs to read .* grant s3:GetObject"),
        (("write", "read", "delete"), "", "grant s3:ListBucket on .*changes/"),
        (("write", "read", "list", "delete"), "orders/", "grant s3:PutObject on .*changes/"),
    ],
    ids=["reading", "listing", "writing"],
)
def test_a_permission_that_changes_need_is_named_before_the_first_order(kapture, role, operations, prefix, message):
    places = {"destination": f"{role.url}orders/", "changes": f"{role.url}changes/"}
    role.may(*operations)
    role.proxy.policy["s3:PutObject"] = role.prefix + prefix
    with pytest.raises(AirflowFailException, match=message):
        pull(**places)
    assert kapture.stats()["requests"] == 0
    role.may("write", "read", "list", "delete")
    assert pull(**places)["rows"] == 300


def test_every_permission_gives_no_warning(kapture, role, caplog):
    role.may_all()
    for _ in range(2):
        pull(role.url)
    assert not [each for each in warnings(caplog) if each.startswith("Cannot")]
    assert not BUCKET & role.proxy.seen.keys()


@pytest.mark.parametrize("target", ["folder/", "one.jsonl"])
@pytest.mark.parametrize(
    ("operations", "prefix"),
    [((), ""), (("read", "list"), ""), (("write",), "elsewhere/")],
    ids=["none", "read", "other"],
)
def test_a_role_that_may_not_write_fails_before_the_first_order_and_is_told_the_action(
    kapture, role, target, operations, prefix
):
    role.may(*operations, prefix=prefix)
    message = rf"'{role.conn_id}' lacks a permission: grant {CREATE[role.kind]}.* on {role.url}"
    with pytest.raises(AirflowFailException, match=message):
        pull(role.url + target)
    assert kapture.stats()["requests"] == 0
    assert role.names() == []


def test_a_permission_that_is_missing_only_for_the_data_fails_at_once(kapture, role):
    role.may_all()

    def refuse(request, _):
        if request.action == CREATE[role.kind] and "create_date" in request.key and "_receipts" not in request.key:
            role.proxy.policy.pop(request.action)

    role.proxy.fault = refuse
    with pytest.raises(AirflowFailException, match=rf"grant {CREATE[role.kind]}.* on {role.url}create_date="):
        pull(role.url)


@pytest.mark.parametrize("store", ["s3", pytest.param("abfs", marks=pytest.mark.clouds)], indirect=True)
def test_removing_what_is_replaced_needs_permission_to_delete(kapture, role):
    role.may_all()
    pull(role.url, window_start="2024-05-08T10:00", window_end="2024-05-08T11:00")
    with pytest.raises(AirflowFailException, match=rf"grant {DELETE[role.kind]} on .*orders_20240508T043000Z"):
        pull(role.url, on_overlap="replace")
    role.may("write", "read", "list", "delete")
    pull(role.url, on_overlap="replace")


@pytest.mark.clouds
@pytest.mark.parametrize("store", ["gs"], indirect=True)
@pytest.mark.parametrize("others", [(), ("read", "list")])
def test_replacing_an_object_of_google_cloud_storage_needs_permission_to_delete(kapture, role, others):
    message = r"grant storage.objects.create \(to replace an object also storage.objects.delete\) on "
    role.may("storage.objects.create", *others)
    if others:
        # The receipt of a pull that can read is replaced at its end.
        with pytest.raises(AirflowFailException, match=f"{message}{role.url}_receipts/"):
            pull(role.url)
        assert kapture.stats()["requests"] == 0
        return
    pull(role.url)
    with pytest.raises(AirflowFailException, match=f"{message}{role.url}create_date="):
        pull(role.url)


@S3_ONLY
@pytest.mark.parametrize("methods", [("GET",), ("GET", "HEAD", "PUT")], ids=["a look", "every request"])
def test_an_expired_token_is_named_and_may_be_retried(kapture, role, methods):
    role.may_all()
    expired = (400, [], b"<Error><Code>ExpiredToken</Code><Message>expired</Message></Error>")
    role.proxy.fault = lambda request, _: expired if request.method in methods else None
    with pytest.raises(OSError, match="token of the connection 's3role' has expired"):
        pull(role.url)
    assert kapture.stats()["requests"] == 0


@S3_ONLY
def test_a_bare_400_to_head_is_an_expired_token(kapture, role):
    role.may_all()
    role.proxy.fault = lambda request, _: (400, [], b"") if request.method == "HEAD" else None
    with pytest.raises(OSError, match="token of the connection 's3role' has expired"):
        pull(f"{role.url}one.jsonl")


# Of a folder of three days: its first pull, and another one that finds the same orders.
FIRST = {"GET s3:GetObject": 2, "PUT s3:PutObject": 6, "GET s3:ListBucket": 3, "HEAD s3:GetObject": 3}
AGAIN = {"GET s3:GetObject": 3, "PUT s3:PutObject": 2, "GET s3:ListBucket": 3, "HEAD s3:GetObject": 3}


@S3_ONLY
@pytest.mark.parametrize("is_amazon", [True, False])
def test_a_pull_makes_these_requests_and_no_others(kapture, role, monkeypatch, is_amazon):
    role.may_all()
    if is_amazon:
        role.call_amazon(monkeypatch)
    # A server of another make may ignore that `_kapture.json` must not exist: it is read back.
    first = FIRST if is_amazon else FIRST | {"GET s3:GetObject": 3}
    for expected in (first, AGAIN):
        role.proxy.seen.clear()
        pull(role.url)
        assert dict(role.proxy.seen) == expected
