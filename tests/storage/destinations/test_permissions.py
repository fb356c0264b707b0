"""What a role of least privilege can do: write under its prefix is enough, and what is missing is named by action."""

import json

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from attempts import attempt
from policy_proxy import PolicyProxy

from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator
from airflow_provider_kapture.storage.destinations.stores import s3 as s3_module

# Those of the stores' clients.
pytestmark = pytest.mark.filterwarnings("ignore")

WRITE = {"s3:PutObject": "team/"}
ABORT = {"s3:AbortMultipartUpload": "team/"}
READ = {"s3:GetObject": "team/"}
LIST = {"s3:ListBucket": "team/"}
DELETE = {"s3:DeleteObject": "team/"}
DAYS = {"window_start": "2024-05-08", "window_end": "2024-05-11"}


@pytest.fixture(scope="session")
def proxy(s3):
    with PolicyProxy(s3.meta.endpoint_url) as running:
        yield running


@pytest.fixture
def role(proxy, monkeypatch):
    """The policy of the role that pulls."""
    extra = {"endpoint_url": proxy.origin, "region_name": "us-east-1"}
    connection = {"conn_type": "aws", "login": "user", "password": "made-up", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_ROLE", json.dumps(connection))
    proxy.policy, proxy.answers = {}, {}
    proxy.seen.clear()
    return proxy


def pull(destination, context=None, **arguments):
    return KapturePullOrdersOperator(
        task_id="pull", destination=destination, file_format="jsonl", **{**DAYS, **arguments}
    ).execute(context or {})


def keys(s3, prefix):
    return sorted(each["Key"] for each in s3.list_objects_v2(Bucket="orders", Prefix=prefix).get("Contents", ()))


def warnings(caplog):
    return [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]


@pytest.mark.parametrize("target", ["folder/", "one.jsonl"])
def test_permission_to_write_under_the_prefix_is_enough(kapture, role, s3, caplog, target):
    role.policy = WRITE
    prefix = f"team/write-only-{target}/"
    for _ in range(2):
        receipt = pull(f"s3://role@orders/{prefix}{target}")
        assert receipt["rows"] == 300
        assert all(file["changed"] for file in receipt["files"])
        assert [each for each in receipt["warnings"] if "every day counts as changed" in each]
    stored = [key for key in keys(s3, prefix) if key.endswith(".jsonl")]
    assert sorted(each["uri"].partition("@orders/")[2] for each in receipt["files"]) == stored
    assert all(file["etag"] for file in receipt["files"])
    if target.endswith("/"):
        assert sum("Cannot read _kapture.json" in each for each in warnings(caplog)) == 2
        assert sum("Cannot list" in each for each in warnings(caplog)) == 2
        # No receipt in progress, and the final one.
        assert len([key for key in keys(s3, prefix) if "_receipts/" in key]) == 1
    else:
        assert sum("s3:AbortMultipartUpload" in each for each in warnings(caplog)) == 2
    assert not {"HEAD s3:ListBucket", "GET s3:GetBucketLocation"} & role.seen.keys()


def test_a_large_upload_needs_permission_to_write_alone(kapture, role, s3, monkeypatch, tmp_path):
    monkeypatch.setattr(s3_module, "_PART_SIZE", 5 << 20)
    role.policy = WRITE
    spool = tmp_path / "spool"
    spool.write_bytes(bytes(12 << 20))
    store = s3_module.S3Store(f"s3://role@orders/team/{tmp_path.name}/")
    assert store.upload(spool, 12 << 20, "large", {"kapture_test": "1"}, None).receipt_keys["etag"].endswith("-3")
    assert s3.head_object(Bucket="orders", Key=f"team/{tmp_path.name}/large")["ContentLength"] == 12 << 20


def test_with_reading_a_pull_resumes_also_without_listing(kapture, role, caplog, tmp_path, monkeypatch):
    role.policy = WRITE | READ
    destination = f"s3://role@orders/team/{tmp_path.name}/"
    for name, value in kapture.connection_uri_env(max_concurrency=1).items():
        monkeypatch.setenv(name, value)
    kapture.set(status_every=5, status=400)
    with pytest.raises(AirflowFailException):
        pull(destination, attempt())
    kapture.set(status_every=None)
    kapture.reset()
    pull(destination, attempt())
    assert "2024-05-08" not in {each.body["createStartDate"] for each in kapture.requests_seen}
    assert not any("Cannot read" in each for each in warnings(caplog))
    assert any("Cannot list" in each for each in warnings(caplog))


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (WRITE | LIST | DELETE, "`changes` needs to read .* grant s3:GetObject"),
        (WRITE | READ | DELETE, "grant s3:ListBucket on .*changes/"),
        ({**READ, **LIST, **DELETE, "s3:PutObject": "team/{}/orders/"}, "grant s3:PutObject on .*changes/"),
    ],
    ids=["reading", "listing", "writing"],
)
def test_a_permission_that_changes_need_is_named_before_the_first_order(kapture, role, tmp_path, policy, message):
    role.policy = {action: prefix.format(tmp_path.name) for action, prefix in policy.items()}
    places = {name: f"s3://role@orders/team/{tmp_path.name}/{name}/" for name in ("orders", "changes")}
    with pytest.raises(AirflowFailException, match=message):
        pull(places["orders"], changes=places["changes"])
    assert kapture.stats()["requests"] == 0
    role.policy = WRITE | READ | LIST | DELETE
    assert pull(places["orders"], changes=places["changes"])["rows"] == 300


def test_every_permission_gives_no_warning(kapture, role, caplog, tmp_path):
    role.policy = WRITE | READ | LIST
    pull(f"s3://role@orders/team/{tmp_path.name}/")
    assert not [each for each in warnings(caplog) if each.startswith("Cannot")]


@pytest.mark.parametrize("target", ["folder/", "one.jsonl"])
@pytest.mark.parametrize("policy", [{}, READ | LIST, {"s3:PutObject": "elsewhere/"}], ids=["none", "reader", "other"])
def test_a_role_that_may_not_write_fails_before_the_first_order_and_is_told_the_action(kapture, role, target, policy):
    role.policy = policy
    message = r"'role' lacks a permission: grant s3:PutObject on s3://role@orders/team/refused/"
    with pytest.raises(AirflowFailException, match=message):
        pull(f"s3://role@orders/team/refused/{target}")
    assert kapture.stats()["requests"] == 0


def test_a_permission_that_is_missing_only_for_the_data_fails_at_once(kapture, role, s3, tmp_path):
    prefix = f"team/{tmp_path.name}/"
    role.policy = WRITE | READ | LIST
    refused = role.answer

    def answer(method, target, headers, body):
        if method == "PUT" and "create_date" in target and "_receipts" not in target:
            return 403, [], b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>"
        return refused(method, target, headers, body)

    role.answer = answer
    try:
        with pytest.raises(AirflowFailException, match=rf"grant s3:PutObject on s3://role@orders/{prefix}create_date="):
            pull(f"s3://role@orders/{prefix}")
    finally:
        del role.answer


def test_removing_what_is_replaced_needs_permission_to_delete(kapture, role, tmp_path):
    role.policy = WRITE | READ | LIST
    destination = f"s3://role@orders/team/{tmp_path.name}/"
    pull(destination, window_start="2024-05-08T10:00", window_end="2024-05-08T11:00")
    with pytest.raises(AirflowFailException, match=r"grant s3:DeleteObject on .*orders_20240508T043000Z"):
        pull(destination, on_overlap="replace")
    role.policy = WRITE | READ | LIST | DELETE
    pull(destination, on_overlap="replace")


def test_an_expired_token_is_named_and_may_be_retried(kapture, role, tmp_path):
    role.policy = WRITE | READ | LIST
    role.answers = {"s3:GetObject": (400, "ExpiredToken"), "s3:PutObject": (400, "ExpiredToken")}
    with pytest.raises(OSError, match="token of the connection 'role' has expired"):
        pull(f"s3://role@orders/team/{tmp_path.name}/")
    assert kapture.stats()["requests"] == 0


def test_a_bare_400_to_head_is_an_expired_token(kapture, role, tmp_path):
    role.policy = WRITE | READ | LIST
    role.answers = {"s3:GetObject": (400, "")}
    with pytest.raises(OSError, match="token of the connection 'role' has expired"):
        pull(f"s3://role@orders/team/{tmp_path.name}.jsonl")


# Of a folder of three days.
FIRST = {"GET s3:GetObject": 3, "PUT s3:PutObject": 6, "GET s3:ListBucket": 3, "HEAD s3:GetObject": 3}
AGAIN = {"GET s3:GetObject": 3, "PUT s3:PutObject": 5, "GET s3:ListBucket": 3, "HEAD s3:GetObject": 3}


def test_a_pull_makes_these_requests_and_no_others(kapture, role, tmp_path):
    role.policy = WRITE | READ | LIST
    for expected in (FIRST, AGAIN):
        role.seen.clear()
        pull(f"s3://role@orders/team/{tmp_path.name}/")
        assert dict(role.seen) == expected
