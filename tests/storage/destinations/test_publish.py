import contextlib
import errno
import fcntl
import hashlib
import os
import resource
import subprocess
import threading
import time

import msgspec
import pyarrow.dataset
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from attempts import attempt

from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.emulator import Book, Emulator
from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator
from airflow_provider_kapture.storage.destinations.destination import check_destination
from airflow_provider_kapture.storage.destinations.publish import absolute, stage
from airflow_provider_kapture.storage.encoders.encoder import BackgroundEncoder
from airflow_provider_kapture.storage.encoders.formats import ENCODERS

ORDERS = [msgspec.Raw(b'{"id":%d,"name":"%s"}' % (number, os.urandom(200).hex().encode())) for number in range(2_000)]
OLD = b"what was there before"


def put(target, orders=ORDERS, file_format="jsonl"):
    with stage(str(target), file_format) as spool:
        spool.write(orders)
        spool.finish()
        return spool.publish()


@contextlib.contextmanager
def largest_file(size):
    """No file of this process may grow beyond so many bytes: what a full disk or a quota looks like, for anyone."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("destination", "expected"),
    [
        ("/data//orders/", "/data/orders/"),
        ("/data/at://orders/", "/data/at:/orders/"),
        ("file:////data/orders.csv", "file:///data/orders.csv"),
        ("local:///data/~/#1?/", "local:///data/~/#1?/"),
        ("s3://bucket//orders/", "s3://bucket//orders/"),
    ],
)
def test_a_local_path_is_taken_as_it_is_written(destination, expected):
    assert absolute(destination) == expected


def test_what_it_says_is_what_is_there(tmp_path):
    target = tmp_path / "orders.jsonl"
    target.write_bytes(OLD)
    published = put(target)
    assert target.read_bytes() == b"".join(bytes(raw) + b"\n" for raw in ORDERS)
    assert (published["rows"], published["bytes"]) == (len(ORDERS), target.stat().st_size)
    assert published["sha256"] == hashlib.sha256(target.read_bytes()).hexdigest()
    assert names(tmp_path) == ["orders.jsonl"]


@pytest.mark.parametrize("file_format", ENCODERS)
def test_a_file_given_up_leaves_no_thread(tmp_path, file_format):
    before = set(threading.enumerate())
    with stage(str(tmp_path / f"orders.{file_format}"), file_format) as staged:
        staged.write(ORDERS * 6)
        assert set(threading.enumerate()) - before
    assert not set(threading.enumerate()) - before
    assert not names(tmp_path)


def test_an_encoder_that_can_not_be_stopped_leaves_no_spool(tmp_path, mocker):
    mocker.patch.object(BackgroundEncoder, "stop", side_effect=RuntimeError)
    with pytest.raises(RuntimeError), stage(str(tmp_path / "orders.jsonl"), "jsonl"):
        pass
    assert not names(tmp_path)


@pytest.mark.parametrize("file_format", ENCODERS)
@pytest.mark.parametrize("room", [0, 1_000, 100_000])
def test_a_full_disk_leaves_what_was_there_and_says_how_much_was_needed(tmp_path, file_format, room):
    target = tmp_path / f"orders.{file_format}"
    target.write_bytes(OLD)
    with largest_file(room), pytest.raises(OSError, match=str(tmp_path)) as full:
        put(target, file_format=file_format)
    assert full.value.errno == errno.EFBIG
    assert f"({room:,} bytes written, " in str(full.value)
    assert target.read_bytes() == OLD
    assert names(tmp_path) == [target.name]


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder], check=False)
    if mounted.returncode:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("file_format", ["jsonl", "parquet"])
def test_a_small_disk_that_is_full(small_disk, file_format):
    target = small_disk / f"orders.{file_format}"
    target.write_bytes(OLD)
    with pytest.raises(OSError, match="spooled in") as full:
        put(target, file_format=file_format)
    assert full.value.errno == errno.ENOSPC
    assert target.read_bytes() == OLD
    assert names(small_disk) == [target.name]


def test_a_disk_that_is_full_after_a_day_keeps_that_day_and_a_retry_pulls_the_others(small_disk, monkeypatch):
    def pull():
        return KapturePullOrdersOperator(
            task_id="pull",
            window_start="2024-05-08",
            window_end="2024-05-11",
            destination=f"{small_disk}/",
            file_format="jsonl",
        ).execute(attempt())

    with Emulator(Book(orders=600, days=3)) as kapture:
        for name, value in kapture.connection_uri_env().items():
            monkeypatch.setenv(name, value)
        with pytest.raises(OSError, match=r"spooled in .* bytes free") as full:
            pull()
        assert full.value.errno == errno.ENOSPC
        [kept] = small_disk.rglob("*.jsonl")
        before = kept.stat()
        assert sorted(each.name for each in small_disk.iterdir()) == ["_kapture.json", "_receipts", kept.parent.name]
        subprocess.run(["mount", "-o", "remount,size=4m", small_disk], check=True)
        kapture.reset()
        assert pull()["rows"] == 600
        assert "2024-05-08" not in {each.body["createStartDate"] for each in kapture.requests_seen}
        assert (kept.stat().st_ino, kept.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("step", ["os.open", "fcntl.flock", "os.fsync", "os.fstat", "pathlib.Path.replace"])
@pytest.mark.parametrize("error", [OSError(errno.EIO, "broken disk"), KeyboardInterrupt(), SystemExit()])
def test_an_exception_at_any_step_leaves_what_was_there(tmp_path, mocker, step, error):
    target = tmp_path / "orders.jsonl"
    target.write_bytes(OLD)
    mocker.patch(step, side_effect=error)
    if step == "fcntl.flock" and isinstance(error, OSError):
        put(target)  # a file system without locks
        mocker.stopall()
        assert target.stat().st_size > len(OLD)
    else:
        with pytest.raises(type(error)):
            put(target)
        mocker.stopall()
        assert target.read_bytes() == OLD
    assert names(tmp_path) == ["orders.jsonl"]


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])
def test_the_umask_says_who_may_read(tmp_path, umask):
    before = os.umask(umask)
    try:
        put(tmp_path / "orders.jsonl")
    finally:
        os.umask(before)
    assert (tmp_path / "orders.jsonl").stat().st_mode & 0o777 == 0o666 & ~umask


def test_a_spool_is_for_its_owner_alone(tmp_path):
    with stage(f"{tmp_path}/orders.jsonl", "jsonl") as spool:
        assert spool._spool.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o444])
def test_a_file_keeps_its_mode(tmp_path, mode):
    target = tmp_path / "orders.jsonl"
    target.write_bytes(OLD)
    target.chmod(mode)
    put(target)
    assert target.stat().st_mode & 0o777 == mode
    assert target.read_bytes() != OLD


ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")


@ROOT_ONLY
def test_a_file_keeps_its_owner_and_group_where_the_process_may(tmp_path):
    target = tmp_path / "orders.jsonl"
    target.write_bytes(OLD)
    os.chown(target, 1234, 4321)
    put(target)
    assert (target.stat().st_uid, target.stat().st_gid) == (1234, 4321)


@ROOT_ONLY
@pytest.mark.parametrize(("mode", "expected"), [(0o640, 0o600), (0o664, 0o644), (0o666, 0o666), (0o604, 0o604)])
def test_where_it_may_not_nobody_gets_access_who_had_none_and_a_warning_says_so(
    tmp_path, mocker, caplog, mode, expected
):
    target = tmp_path / "orders.jsonl"
    target.write_bytes(OLD)
    os.chown(target, 1234, 4321)
    target.chmod(mode)
    mocker.patch("os.chown", side_effect=PermissionError)
    put(target)
    assert target.stat().st_mode & 0o777 == expected
    assert (target.stat().st_uid, target.stat().st_gid) != (1234, 4321)
    [warning] = [each for each in caplog.records if each.levelname == "WARNING"]
    assert f"owner 1234, group 4321 and mode {mode:04o}" in warning.getMessage()


@pytest.mark.parametrize(
    ("number", "message", "is_permanent"),
    [
        (errno.EXDEV, "on another file system", True),
        (errno.EISDIR, "cannot be put in place", True),
        (errno.EACCES, "cannot be put in place", True),
        (errno.EROFS, "cannot be put in place", True),
        (errno.EIO, "Could not put", False),
    ],
)
def test_a_rename_that_fails_names_the_path_and_is_permanent_where_a_retry_does_not_help(
    tmp_path, mocker, number, message, is_permanent
):
    mocker.patch("pathlib.Path.replace", side_effect=OSError(number, os.strerror(number)))
    target = tmp_path / "orders.jsonl"
    with pytest.raises(KaptureSettingsError if is_permanent else OSError, match=message) as caught:
        put(target)
    assert str(target) in str(caught.value)
    assert not names(tmp_path)


def put_while(destination, act):
    """Publish, and do something between spooling and publishing."""
    with stage(destination, "jsonl") as spool:
        spool.write(ORDERS)
        act(spool)
        spool.finish()
        spool.publish()


def test_a_folder_that_came_into_the_way_meanwhile_is_named(tmp_path):
    target = tmp_path / "orders.jsonl"
    with pytest.raises(KaptureSettingsError, match="cannot be put in place"):
        put_while(str(target), lambda _: target.mkdir())


def test_a_file_that_came_into_the_way_of_a_days_folder_is_named(tmp_path):
    target = tmp_path / "create_date=2024-05-08" / "orders.jsonl"
    with pytest.raises(KaptureSettingsError, match="cannot be put in place"):
        put_while(str(target), lambda _: target.parent.write_text("in the way"))


def test_a_spool_that_a_cleaner_has_removed_is_named_with_the_setting(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_SPOOLED", '{"conn_type": "aws", "extra": {"endpoint_url": "http://127.0.0.1:1"}}')
    for destination in (f"{tmp_path}/orders.jsonl", "s3://spooled@orders/orders.jsonl"):
        with pytest.raises(OSError, match=r"was removed .* spool_dir"):
            put_while(destination, lambda spool: spool._spool.path.unlink())


@pytest.mark.parametrize("file_format", ["jsonl", "parquet"])
def test_a_spool_is_no_data_for_a_reader(tmp_path, file_format):
    put(tmp_path / "create_date=2024-05-08" / f"orders.{file_format}", file_format=file_format)
    with stage(f"{tmp_path}/create_date=2024-05-09/orders.{file_format}", file_format) as spool:
        spool.write(ORDERS)
        assert len(names(tmp_path)) == 2
        assert len(list(tmp_path.rglob(f"*.{file_format}"))) == 1
        found = pyarrow.dataset.dataset(tmp_path, format="json" if file_format == "jsonl" else "parquet")
        assert len(found.files) == 1
    assert names(tmp_path) == ["create_date=2024-05-08"]


def spools(folder):
    return list(folder.glob(".kapture-*"))


def left_over(destination):
    """A spool as a killed try leaves it."""
    spool = stage(destination, "jsonl").__enter__()
    spool.write(ORDERS)
    spool._spool._raw.close()
    return spool._spool.path


@pytest.mark.parametrize("name", ["orders.jsonl", "create_date=2024-05-08/orders.jsonl"])
def test_the_next_try_removes_what_killed_ones_left_whatever_its_day(tmp_path, name):
    left_over(f"{tmp_path}/{name}")
    with stage(f"{tmp_path}/create_date=2024-05-07/orders.jsonl", "jsonl") as living:
        check_destination(f"{tmp_path}/")
        assert spools(tmp_path) == [living._spool.path]
        living.finish()
        living.publish()


def test_spools_of_other_machines_get_a_day_as_their_locks_may_not_be_seen(tmp_path, mocker):
    mocker.patch("socket.gethostname", return_value="another")
    theirs = left_over(f"{tmp_path}/orders.jsonl")
    mocker.stopall()
    check_destination(f"{tmp_path}/orders.jsonl")
    assert spools(tmp_path) == [theirs]
    os.utime(theirs, (time.time() - 90_000,) * 2)
    check_destination(f"{tmp_path}/orders.jsonl")
    assert not spools(tmp_path)


def test_sweeps_take_no_living_spool(tmp_path):
    """Many tasks with one spool folder, each of which sweeps while others begin, write and publish."""
    failed = []

    def publish_some(number):
        try:
            for _ in range(50):
                check_destination(f"{tmp_path}/{number}.jsonl")
                put(tmp_path / f"{number}.jsonl", ORDERS[:10])
        except Exception as error:  # noqa: BLE001 - whatever it is, it is reported below
            failed.append(error)

    threads = [threading.Thread(target=publish_some, args=(number,)) for number in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert not failed
    assert names(tmp_path) == [f"{number}.jsonl" for number in range(8)]


def test_a_sweep_that_comes_late_leaves_the_living_spool_that_took_the_name(tmp_path, mocker):
    dead = left_over(f"{tmp_path}/orders.jsonl")
    lock = fcntl.flock

    def lock_late(handle, how):
        dead.unlink()
        dead.write_text("of a living one")
        lock(handle, how)

    mocker.patch("fcntl.flock", lock_late)
    check_destination(f"{tmp_path}/orders.jsonl")
    assert dead.read_text() == "of a living one"


def test_a_link_is_followed(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "latest.jsonl").symlink_to("data/orders.jsonl")
    put(tmp_path / "latest.jsonl")
    assert (tmp_path / "latest.jsonl").is_symlink()
    assert names(tmp_path / "data") == ["orders.jsonl"]


@pytest.fixture
def kapture(monkeypatch):
    with Emulator(Book(orders=20, days=1)) as running:
        for name, value in running.connection_uri_env().items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.mark.parametrize(
    ("destination", "message"),
    [
        ("folder", "'/'"),
        ("pipe", "not a regular file"),
        ("file/orders.jsonl", "file"),
        ("file/", "file"),
        ("forbidden/orders.jsonl", "PermissionError"),
        ("forbidden/", "PermissionError"),
    ],
)
def test_what_can_not_be_written_to_is_named_before_the_first_request(kapture, tmp_path, destination, message):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "forbidden").mkdir(0o555)
    operator = KapturePullOrdersOperator(
        task_id="pull",
        window_start="2024-05-08",
        window_end="2024-05-09",
        destination=f"{tmp_path}/{destination}",
        file_format="jsonl",
    )
    user = not_as_root() if destination.startswith("forbidden") else contextlib.nullcontext()
    with user, pytest.raises(AirflowFailException, match=message):
        operator.execute({})
    assert kapture.stats()["requests"] == 0
    assert names(tmp_path) == ["file", "folder", "forbidden", "pipe"]


@contextlib.contextmanager
def not_as_root():
    """Root may write everywhere."""
    mine = os.geteuid()
    if mine == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(mine)


def test_two_slashes_are_not_three():
    with pytest.raises(KaptureSettingsError, match="file:///data/orders"):
        check_destination("file://data/orders/")


def test_the_spools_of_uploads_have_a_folder_that_can_be_set(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW__KAPTURE__SPOOL_DIR", str(tmp_path / "spools"))
    monkeypatch.setenv("AIRFLOW_CONN_SPOOLED", '{"conn_type": "aws", "extra": {"endpoint_url": "http://127.0.0.1:1"}}')
    with stage("s3://spooled@orders/orders.jsonl", "jsonl") as spool:
        [one] = (tmp_path / "spools").iterdir()
        assert one.stat().st_mode & 0o777 == 0o600
        with largest_file(1_000), pytest.raises(OSError, match=r"\[kapture\] spool_dir"):
            spool.write(ORDERS * 10_000)
    assert names(tmp_path / "spools") == []


def test_a_spool_folder_that_will_not_do_is_named(tmp_path, monkeypatch, mocker):
    (tmp_path / "file").touch()
    mocker.patch("airflow_provider_kapture.storage.destinations.object_store.check_connection")
    monkeypatch.setenv("AIRFLOW__KAPTURE__SPOOL_DIR", str(tmp_path / "file"))
    with pytest.raises(KaptureSettingsError, match=r"\[kapture\] spool_dir"):
        check_destination("memory://orders/orders.jsonl")
