"""What a retry takes over, after a look at each object, and what a Clear and a rerun do not."""

import datetime as dt
import inspect
import json
import runpy
import shutil
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, ObjectStoragePath
from attempts import attempt

from airflow_provider_kapture.emulator import Book, Emulator
from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator
from airflow_provider_kapture.storage.checkpoint import Checkpoint, run_key
from airflow_provider_kapture.storage.destinations.stores.local import LocalStore

# Airflow's own, of its test client and database layers.
pytestmark = pytest.mark.filterwarnings("ignore")

EXAMPLE = Path(__file__).parents[2] / "example_dags" / "kapture_orders_on_demand.py"


@pytest.fixture
def kapture(monkeypatch):
    with Emulator(Book(orders=300, days=30)) as running:
        for name, value in running.connection_uri_env().items():
            monkeypatch.setenv(name, value)
        yield running


def published(folder):
    return {path.parent.name.removeprefix("create_date=") for path in folder.rglob("orders_*") if path.is_file()}


def requested_days(kapture):
    return {each.body["createStartDate"] for each in kapture.requests_seen}


def logical_date(dag):
    return "logical_date" if "logical_date" in inspect.signature(dag.test).parameters else "execution_date"


@pytest.mark.slow
def test_a_retry_goes_on_at_the_day_that_failed_and_a_rerun_pulls_all(airflow_db, kapture, tmp_path, monkeypatch):
    before = set()
    upload = LocalStore.upload

    def fail(self, spool, size, name, *more):
        # The 17th of 30 days can't be put in place.
        if "create_date=2024-05-24" in name and not before:
            raise OSError("no rename")
        return upload(self, spool, size, name, *more)

    monkeypatch.setattr(LocalStore, "upload", fail)

    def mend(_):
        before.update(published(tmp_path))
        kapture.reset()

    dag = runpy.run_path(str(EXAMPLE))["dag"]
    pull = dag.get_task("pull_orders")
    pull.destination, pull.file_format = f"{tmp_path}/", "csv"
    pull.retries, pull.retry_delay, pull.on_retry_callback = 1, dt.timedelta(0), [mend]
    # Airflow takes the same logical date for the same run.
    arguments = {
        "run_conf": {"first": "2024-05-08", "last": "2024-06-06"},
        logical_date(dag): dt.datetime(2026, 1, 5, tzinfo=dt.UTC),
    }
    assert dag.test(**arguments).state == "success"
    assert sorted(before) == [f"2024-05-{day:02d}" for day in range(8, 24)]
    every_day = published(tmp_path)
    assert len(every_day) == 30
    assert requested_days(kapture) == every_day - before
    kapture.reset()
    assert dag.test(**arguments).state == "success"
    assert requested_days(kapture) == every_day


# -- attempts of one run, without a scheduler --

WINDOW = {"window_start": "2024-05-08", "window_end": "2024-05-14"}
DAYS = [f"2024-05-{day:02d}" for day in range(8, 14)]


def pull(destination, context=None, **arguments):
    return KapturePullOrdersOperator(
        task_id="pull", **{**WINDOW, "destination": destination, "file_format": "jsonl", **arguments}
    ).execute(context or {})


@pytest.fixture
def slow(kapture, monkeypatch):
    """One page at a time, so that the number of requests says which day is read."""
    for name, value in kapture.connection_uri_env(max_concurrency=1).items():
        monkeypatch.setenv(name, value)
    return kapture


def fail_after_three_days(kapture, destination, context=None, **arguments):
    kapture.set(status_every=7, status=400)
    with pytest.raises(AirflowFailException):
        pull(destination, context or attempt(), **arguments)
    kapture.set(status_every=None)
    kapture.reset()


@pytest.mark.parametrize("is_in_place", [True, False], ids=["once a day is in place", "before a day is in place"])
def test_a_pull_that_is_killed_around_a_rename_pulls_no_day_again_that_is_there(
    slow, tmp_path, monkeypatch, is_in_place
):
    class KilledError(BaseException):
        pass

    upload = LocalStore.upload

    def killed(self, spool, size, name, *more):
        if "create_date=2024-05-10" not in name:
            return upload(self, spool, size, name, *more)
        # As after SIGKILL, nothing is written from then on.
        for each in ("save", "drop", "stop"):
            patch.setattr(Checkpoint, each, lambda *_: None)
        if is_in_place:
            upload(self, spool, size, name, *more)
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "upload", killed)
        with pytest.raises(KilledError):
            pull(f"{tmp_path}/", attempt())
    before = published(tmp_path)
    assert len(before) == 2 + is_in_place
    slow.reset()
    assert pull(f"{tmp_path}/", attempt())["rows"] == slow.count(DAYS[0], DAYS[-1])
    assert requested_days(slow) == set(DAYS) - before


def receipt_in(folder):
    [path] = ObjectStoragePath(f"{folder}/_receipts/create_date/").rglob("*.json")
    return json.loads(path.read_bytes())


def test_a_failed_pull_leaves_its_days_with_their_counts_in_the_receipt(slow, tmp_path):
    fail_after_three_days(slow, f"{tmp_path}/")
    left = receipt_in(tmp_path)
    assert left["in_progress"]
    assert [day["file"]["window_start"][:10] for day in left["days"].values()] == DAYS[:3]
    first = next(iter(left["days"].values()))
    assert {"rows", "bytes", "sha256"} < first["file"].keys()
    assert {"trimmed", "moved", "repaired", "first_ms", "last_ms", "complete"} < first.keys()


def test_a_retry_takes_over_the_days_and_their_counts_and_its_receipt_ends_resuming(slow, tmp_path):
    whole = pull(f"{tmp_path}/whole/")
    fail_after_three_days(slow, f"{tmp_path}/two/")
    resumed = pull(f"{tmp_path}/two/", attempt())
    assert requested_days(slow) == set(DAYS[3:])
    for key in ("rows", "trimmed", "moved", "repaired", "first_create_date", "last_create_date"):
        assert resumed[key] == whole[key]
    assert [each["sha256"] for each in resumed["files"]] == [each["sha256"] for each in whole["files"]]
    assert receipt_in(tmp_path / "two") == resumed
    slow.reset()
    pull(f"{tmp_path}/two/", attempt())
    assert requested_days(slow) == set(DAYS)


@pytest.mark.parametrize(
    "context",
    [attempt(max_tries=3), attempt(clear_number=1), attempt(run_id="other"), {}],
    ids=["a Clear", "a Clear of a running task", "another run", "outside a run"],
)
def test_a_clear_and_another_run_start_over(slow, tmp_path, context):
    fail_after_three_days(slow, f"{tmp_path}/")
    pull(f"{tmp_path}/", context)
    assert requested_days(slow) == set(DAYS)


def remove(path):
    path.unlink()


def remove_folder(path):
    shutil.rmtree(path.parent)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-10])


def overwrite(path):
    path.write_bytes(path.read_bytes()[::-1])


@pytest.mark.parametrize("alter", [remove, remove_folder, truncate, overwrite])
def test_a_day_whose_file_is_gone_or_altered_is_pulled_again(slow, tmp_path, caplog, alter):
    fail_after_three_days(slow, f"{tmp_path}/")
    path = next(tmp_path.glob(f"create_date={DAYS[1]}/*.jsonl"))
    before = path.read_bytes()
    alter(path)
    pull(f"{tmp_path}/", attempt())
    assert requested_days(slow) == {DAYS[1], *DAYS[3:]}
    assert path.read_bytes() == before
    assert [each.levelname for each in caplog.records if path.name in each.message] == ["WARNING"]


@pytest.mark.parametrize(
    "arguments",
    [{"file_format": "csv"}, {"filters": {"city": "Pune"}}, {"extra_body": {"city": "Pune"}}, {"on_empty": "skip"}],
)
def test_a_retry_with_other_settings_takes_over_nothing(slow, tmp_path, arguments):
    fail_after_three_days(slow, f"{tmp_path}/")
    # As a user does who means it.
    (tmp_path / "_kapture.json").unlink()
    pull(f"{tmp_path}/", attempt(), on_overlap="replace", **arguments)
    assert requested_days(slow) == set(DAYS)


@pytest.mark.parametrize("extra", [{"default_body": {"viewId": "3"}}, {"fields": {"orderScore": "decimal"}}])
def test_a_retry_with_another_connection_takes_over_nothing(slow, tmp_path, monkeypatch, extra):
    fail_after_three_days(slow, f"{tmp_path}/")
    for name, value in slow.connection_uri_env(**extra).items():
        monkeypatch.setenv(name, value)
    (tmp_path / "_kapture.json").unlink()
    pull(f"{tmp_path}/", attempt())
    assert requested_days(slow) == set(DAYS)


def test_the_former_receipt_is_kept_while_a_pull_is_in_progress_and_put_back_if_it_publishes_nothing(slow, tmp_path):
    former = pull(f"{tmp_path}/")
    slow.set(status_every=1, status=400)
    with pytest.raises(AirflowFailException):
        pull(f"{tmp_path}/", attempt())
    assert receipt_in(tmp_path) == former
    fail_after_three_days(slow, f"{tmp_path}/")
    assert receipt_in(tmp_path)["previous"] == former
    fail_after_three_days(slow, f"{tmp_path}/", attempt(run_id="other"))
    assert receipt_in(tmp_path)["previous"] == former


@pytest.mark.parametrize("spoilt", ["", "{", "[]", '{"in_progress": true, "pull_id": 1}'])
def test_a_spoilt_receipt_is_replaced(slow, tmp_path, spoilt):
    path = tmp_path / "_receipts" / "create_date" / "20240507T183000Z_20240513T183000Z.json"
    path.parent.mkdir(parents=True)
    path.write_text(spoilt)
    assert receipt_in_after(pull(f"{tmp_path}/", attempt()), tmp_path)


def receipt_in_after(receipt, folder):
    return receipt_in(folder) == receipt


def test_a_day_that_was_not_over_is_never_resumed(monkeypatch, tmp_path):
    today = dt.datetime.now(dt.UTC).date()
    start = today - dt.timedelta(days=1)
    with Emulator(Book(orders=400, days=4, start=start, timezone="UTC")) as kapture:
        for name, value in kapture.connection_uri_env(max_concurrency=1).items():
            monkeypatch.setenv(name, value)
        window = {"window_start": f"{start}", "window_end": f"{start + dt.timedelta(days=4)}"}
        fail_after_three_days(kapture, f"{tmp_path}/", **window)
        assert len(list(tmp_path.glob("create_date=*"))) == 3
        pull(f"{tmp_path}/", attempt(), **window)
        assert str(start) not in requested_days(kapture)
        assert str(today) in requested_days(kapture)


def test_without_permission_to_read_nothing_is_resumed_and_a_warning_says_so(slow, tmp_path, monkeypatch, caplog):
    def refuse(*_):
        raise PermissionError("no reading")

    monkeypatch.setattr(LocalStore, "read", refuse)
    slow.set(status_every=7, status=400)
    with pytest.raises(AirflowFailException):
        pull(f"{tmp_path}/", attempt())
    assert not (tmp_path / "_receipts").exists()
    assert [each.levelname for each in caplog.records if "Cannot read _kapture.json" in each.message] == ["WARNING"]
    slow.set(status_every=None)
    assert receipt_in_after(pull(f"{tmp_path}/"), tmp_path)


def test_a_receipt_that_cannot_be_rewritten_fails_no_pull(slow, tmp_path, monkeypatch, caplog):
    writes = []
    write = LocalStore.write

    def write_once(self, name, data, *expected):
        writes.append(name)
        # After the owner and the first receipt.
        if len(writes) in {3, 4}:
            raise OSError("no space")
        return write(self, name, data, *expected)

    monkeypatch.setattr(LocalStore, "write", write_once)
    assert len(pull(f"{tmp_path}/", attempt())["files"]) == len(DAYS)
    assert [each.levelname for each in caplog.records if "Could not store" in each.message] == ["WARNING"] * 2


# -- stores --


@pytest.fixture
def s3_url(s3_store, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_STORE", json.dumps(s3_store.connections["store"]))
    return s3_store.url


@pytest.fixture(params=["rewritten", "killed"])
def ended(request, monkeypatch):
    """Whether the failed attempt could rewrite its receipt; if not, the objects' metadata tell which are done."""
    if request.param == "killed":
        monkeypatch.setattr(Checkpoint, "stop", lambda self: None)
    return request.param


def test_days_in_a_store_are_known_by_the_receipt_and_by_their_metadata(slow, s3_url, ended):
    destination = f"{s3_url}/{ended}/"
    whole = pull(f"{s3_url}/whole-{ended}/")
    fail_after_three_days(slow, destination)
    resumed = pull(destination, attempt())
    assert requested_days(slow) == set(DAYS[3:])
    for key in ("rows", "trimmed", "first_create_date", "last_create_date"):
        assert resumed[key] == whole[key]
    assert [each["etag"] for each in resumed["files"]] == [each["etag"] for each in whole["files"]]
    assert all(
        {"uri", "rows", "bytes", "sha256", "window_start", "window_end"} < each.keys() for each in resumed["files"]
    )
    slow.reset()
    pull(destination, attempt())
    assert requested_days(slow) == set(DAYS)


@pytest.mark.parametrize("alter", ["remove", "truncate", "overwrite"])
def test_a_day_whose_object_is_gone_or_altered_is_pulled_again(slow, s3_url, s3, ended, alter):
    prefix = f"{ended}-{alter}"
    fail_after_three_days(slow, f"{s3_url}/{prefix}/")
    [key] = [
        each["Key"]
        for each in s3.list_objects_v2(Bucket="orders", Prefix=f"{prefix}/create_date={DAYS[1]}/")["Contents"]
    ]
    body = s3.get_object(Bucket="orders", Key=key)["Body"].read()
    if alter == "remove":
        s3.delete_object(Bucket="orders", Key=key)
    else:
        s3.put_object(Bucket="orders", Key=key, Body=body[:-10] if alter == "truncate" else body[::-1])
    pull(f"{s3_url}/{prefix}/", attempt())
    assert requested_days(slow) == {DAYS[1], *DAYS[3:]}
    assert s3.get_object(Bucket="orders", Key=key)["Body"].read() == body


# -- what Airflow raises at a Clear --


@pytest.mark.parametrize("state", ["failed", "success", "up_for_retry", "running"])
def test_a_clear_changes_the_key_of_the_run(airflow_db, slow, tmp_path, state):
    import airflow
    from airflow.models.taskinstance import TaskInstance, clear_task_instances
    from airflow.utils.session import create_session

    if state == "running" and tuple(map(int, airflow.__version__.split(".")[:2])) < (3, 2):
        pytest.skip("this Airflow tells no Clear of a running task from its retry")
    dag = runpy.run_path(str(EXAMPLE))["dag"]
    pull = dag.get_task("pull_orders")
    pull.destination, pull.retries = f"{tmp_path}/", 2
    run = dag.test(run_conf={"first": "2024-05-08", "last": "2024-05-08"})
    with create_session() as session:
        query = session.query(TaskInstance).filter_by(dag_id=dag.dag_id, run_id=run.run_id, task_id="pull_orders")
        found = query.one()
        # Marked by hand, it keeps the number of its tries.
        found.try_number, found.max_tries, found.state = 1, 2, state
        session.flush()
        before = run_key({"ti": found, "dag_run": found.dag_run})
        arguments = {"dag": dag} if "dag" in inspect.signature(clear_task_instances).parameters else {}
        clear_task_instances([found], session, **arguments)
        session.flush()
        assert run_key({"ti": found, "dag_run": found.dag_run}) != before
