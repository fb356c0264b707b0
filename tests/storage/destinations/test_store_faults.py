"""Faults of a store in the middle of a pull: an error or the right objects, and nothing left behind."""

import asyncio
import json
import os

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, ObjectStoragePath
from attempts import attempt
from policy_proxy import BrokenConnectionError

from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator
from airflow_provider_kapture.storage.destinations.stores import s3 as s3_module

# Those of the stores' clients.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.parametrize("store", ["s3"], indirect=True),
]

DAYS = {"window_start": "2024-05-08", "window_end": "2024-05-11"}


def is_data(request):
    return "/create_date=" in request.key and "_receipts" not in request.key


# Requests of a pull into a folder, by what they are for.
STEPS = {
    "owner": lambda request: request.method == "PUT" and request.key.endswith("_kapture.json"),
    "look": lambda request: request.method == "HEAD",
    "listing": lambda request: request.action == "s3:ListBucket",
    "object": lambda request: request.method == "PUT" and is_data(request) and "partNumber" not in request.query,
    "begin": lambda request: request.method == "POST" and is_data(request) and "uploads" in request.query,
    "part": lambda request: request.method == "PUT" and request.query.get("partNumber") == ["3"],
    "end": lambda request: request.method == "POST" and is_data(request) and "uploadId" in request.query,
    "receipt": lambda request: request.method == "PUT" and "_receipts" in request.key,
}
IN_PARTS = {"begin", "part", "end"}


def status(number, code):
    return lambda _: (number, [], f"<Error><Code>{code}</Code><Message>a fault</Message></Error>".encode())


def reset(_):
    raise BrokenConnectionError


def lose(forward):
    """The store carries the request out, and its response is lost."""
    forward()
    raise BrokenConnectionError


FAULTS = {
    "503": status(503, "SlowDown"),
    "500": status(500, "InternalError"),
    "403": status(403, "AccessDenied"),
    "skew": status(403, "RequestTimeTooSkewed"),
    "key": status(403, "InvalidAccessKeyId"),
    "reset": reset,
    "lost": lose,
}


@pytest.fixture
def faulty(role, kapture, s3, mocker, tmp_path):
    """The role, which may do everything; ``make`` lets the store fail."""
    wait = asyncio.sleep
    # The stores' clients wait long between tries.
    mocker.patch("asyncio.sleep", lambda _seconds, result=None: wait(0, result))
    mocker.patch.dict(os.environ, AIRFLOW__KAPTURE__SPOOL_DIR=str(tmp_path / "spools"))
    role.may_all()

    def make(step, fault, often):
        left = [often]
        if step in IN_PARTS:
            mocker.patch.object(s3_module, "_PART_SIZE", 4_096)

        def answer(request, forward):
            if not STEPS[step](request) or not left[0]:
                return None
            left[0] -= 1
            return FAULTS[fault](forward)

        role.proxy.fault = answer

    role.make = make
    yield role
    role.proxy.fault = None
    assert not (tmp_path / "spools").exists() or not list((tmp_path / "spools").iterdir())
    uploads = s3.list_multipart_uploads(Bucket="orders").get("Uploads", ())
    assert not [each["Key"] for each in uploads if each["Key"].startswith(role.prefix)]


def pull(destination, context=None, **arguments):
    return KapturePullOrdersOperator(
        task_id="pull", destination=destination, file_format="jsonl", **{**DAYS, **arguments}
    ).execute(context or {})


def lines(role):
    text = b"".join(ObjectStoragePath(role.admin + name).read_bytes() for name in role.names() if "/orders_" in name)
    return sorted(text.splitlines())


def is_settled(role):
    [name] = [name for name in role.names() if "_receipts" in name]
    return not json.loads(ObjectStoragePath(role.admin + name).read_bytes()).get("in_progress")


ONCE = [(fault, step) for fault in ("503", "500", "reset", "lost") for step in STEPS]
# Nobody knows the id of that upload, which has no parts; a lifecycle rule removes it.
ONCE.remove(("lost", "begin"))


@pytest.mark.parametrize(("fault", "step"), ONCE)
def test_a_fault_that_passes_leaves_the_right_objects(kapture, faulty, caplog, fault, step):
    faulty.make(step, fault, 1)
    receipt = pull(faulty.url)
    assert lines(faulty) == sorted(kapture.records())
    assert receipt["rows"] == 300
    assert is_settled(faulty)
    assert not any("Another pull has replaced" in each.getMessage() for each in caplog.records)


ALWAYS = [(fault, step) for fault in ("503", "reset", "skew", "key", "403") for step in STEPS]


@pytest.mark.parametrize(("fault", "step"), ALWAYS)
def test_a_fault_that_stays_is_an_error_and_a_retry_completes_the_rest(kapture, faulty, fault, step):
    faulty.make(step, fault, 1_000)
    # Where it may not look or list, a pull goes on.
    if (fault, step) in {("403", "listing"), ("403", "look"), ("skew", "look"), ("key", "look")}:
        pull(faulty.url, attempt())
    else:
        kind = AirflowFailException if fault in {"403", "key"} else OSError
        with pytest.raises(kind, match=faulty.url):
            pull(faulty.url, attempt())
    faulty.proxy.fault = None
    assert pull(faulty.url, attempt())["rows"] == 300
    assert lines(faulty) == sorted(kapture.records())
    assert is_settled(faulty)


@pytest.mark.parametrize("step", ["object", "part", "end"])
@pytest.mark.parametrize("fault", ["503", "reset", "403", "skew"])
def test_a_fault_that_stays_leaves_the_old_object(kapture, faulty, step, fault):
    pull(faulty.url)
    before = lines(faulty)
    kapture.add_orders(30, day="2024-05-08")
    faulty.make(step, fault, 1_000)
    with pytest.raises((OSError, AirflowFailException), match=f"{faulty.url}create_date="):
        pull(faulty.url)
    assert lines(faulty) == before


@pytest.mark.parametrize("has_object", [False, True])
def test_an_object_in_parts_that_was_replaced_meanwhile_is_pulled_again(kapture, faulty, caplog, has_object):
    """The condition of the last request, which the emulator of S3 does not check if an object must be there."""
    conditions = {"if-none-match": {"*"}}
    if has_object:
        conditions = {"if-match": {f'"{file["etag"]}"' for file in pull(faulty.url)["files"]}}
        kapture.add_orders(1, day="2024-05-08")
    faulty.make("end", "503", 0)
    refused = []

    def refuse_once(request, _):
        if STEPS["end"](request) and not refused:
            refused.append({name: request.headers.get(name) for name in conditions})
            kapture.add_orders(1, day="2024-05-08")
            return status(412, "PreconditionFailed")(_)
        return None

    faulty.proxy.fault = refuse_once
    assert pull(faulty.url)["rows"] == 301 + has_object
    assert lines(faulty) == sorted(kapture.records())
    [[(name, value)]] = [each.items() for each in refused]
    assert value in conditions[name]
    assert [each.levelname for each in caplog.records if "Another pull has replaced" in each.msg] == ["WARNING"]
