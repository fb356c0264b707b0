"""The changes of each day: what they hold, under which names, and what is left after a kill."""

import csv
import gzip
import io
import json

import msgspec
import pyarrow.parquet
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, ObjectStoragePath
from attempts import attempt
from mutations import delete, update

from airflow_provider_kapture.emulator import Book, Emulator
from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator
from airflow_provider_kapture.storage import options
from airflow_provider_kapture.storage.changes.comparison import keyed
from airflow_provider_kapture.storage.changes.folder import ChangesFolder
from airflow_provider_kapture.storage.changes.reader import read_orders
from airflow_provider_kapture.storage.encoders.formats import ENCODERS
from airflow_provider_kapture.storage.publication import Publisher

# Those of the stores' clients.
pytestmark = pytest.mark.filterwarnings("ignore")

WINDOW = {"window_start": "2024-05-08", "window_end": "2024-05-10"}
DAYS = ["2024-05-08", "2024-05-09"]


@pytest.fixture(params=["local", "s3"])
def root(request, tmp_path, monkeypatch):
    """Where the orders and the changes are, on local disk and in S3."""
    if request.param == "local":
        return f"{tmp_path}/"
    store = request.getfixturevalue("s3_store")
    monkeypatch.setenv("AIRFLOW_CONN_STORE", json.dumps(store.connections["store"]))
    return f"{store.url}/{tmp_path.name}/"


@pytest.fixture
def kapture(monkeypatch):
    with Emulator(Book(orders=40, days=2)) as running:
        for name, value in running.connection_uri_env().items():
            monkeypatch.setenv(name, value)
        yield running


def pull(root, context=None, file_format="jsonl", **arguments):
    places = {"destination": f"{root}orders/", "changes": f"{root}orders_changes/"}
    arguments = {**WINDOW, **places, "file_format": file_format, **arguments}
    return KapturePullOrdersOperator(task_id="pull", **arguments).execute(context or {})


def files(root):
    """The files of changes with their contents, by day and in the sequence of their names."""
    folder = ObjectStoragePath(f"{root}orders_changes/")
    folder.fs.invalidate_cache()
    found = {str(path).partition("orders_changes/")[2]: path for path in folder.rglob("*") if path.is_file()}
    return {name: found[name].read_bytes() for name in sorted(found)}


def rows(name, content):
    if name.endswith(".parquet"):
        return pyarrow.parquet.read_table(io.BytesIO(content)).to_pylist()
    if name.endswith(".gz"):
        content = gzip.decompress(content)
    if ".csv" in name:
        return list(csv.DictReader(io.StringIO(content.decode(), newline="")))
    return [json.loads(line) for line in content.splitlines()]


def changes(root):
    """Operation, id and quantity of each change, file by file."""
    return [
        [(row["_op"], int(row["id"]), float(row["productQuantity"])) for row in rows(*each)]
        for each in files(root).items()
    ]


def ids(kapture, day):
    return kapture.ids()[:20] if day == DAYS[0] else kapture.ids()[20:]


@pytest.mark.parametrize("file_format", ["jsonl", "jsonl.gz", "jsonl.zst", "csv", "csv.gz", "parquet"])
def test_a_file_of_changes_has_what_was_added_updated_and_removed(kapture, tmp_path, file_format):
    root = f"{tmp_path}/"
    first = pull(root, file_format=file_format)
    assert [name.split("/")[0] for name in files(root)] == [f"create_date={day}" for day in DAYS]
    if file_format == "jsonl.zst":
        return
    assert [[op for op, *_ in each] for each in changes(root)] == [["insert"] * 20] * 2
    before = files(root)
    pull(root, file_format=file_format)
    assert files(root) == before
    gone, other, *_ = ids(kapture, DAYS[1])
    quantities = {order["id"]: order["productQuantity"] for order in kapture.orders}
    delete(kapture, gone)
    update(kapture, other)
    [added] = kapture.add_orders(1, day=DAYS[1])
    receipt = pull(root, file_format=file_format)
    assert receipt["changed_days"] == DAYS[1:]
    [name] = files(root).keys() - before.keys()
    found = rows(name, files(root)[name])
    assert list(found[0])[:3] == ["_op", "_seen_at", "id"]
    quantities |= {order["id"]: order["productQuantity"] for order in kapture.orders}
    assert sorted((row["_op"], int(row["id"]), float(row["productQuantity"])) for row in found) == [
        ("delete", gone, quantities[gone]),
        ("insert", added, quantities[added]),
        ("update", other, quantities[other]),
    ]
    # As the orders have them in their own files.
    [file] = [each for each in receipt["files"] if DAYS[1] in each["uri"]]
    current = {int(row["id"]): row for row in rows(file["uri"], ObjectStoragePath(file["uri"]).read_bytes())}
    for row in found:
        if row["_op"] != "delete":
            assert {key: value for key, value in row.items() if key not in {"_op", "_seen_at"}} == current[
                int(row["id"])
            ]
    assert {str(row["_seen_at"])[:19].replace(" ", "T") for row in found} == {seen(name)}
    assert first


def seen(name):
    """The instant in the name of a file, ISO 8601."""
    stamp = name.partition("/changes_")[2]
    return f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:11]}:{stamp[11:13]}:{stamp[13:15]}"


@pytest.mark.parametrize("file_format", ["csv", "jsonl", "parquet"])
def test_orders_that_are_as_they_were_are_in_no_file(kapture, root, file_format):
    pull(root, file_format=file_format)
    before = files(root)
    [other, *_] = ids(kapture, DAYS[0])
    update(kapture, other)
    pull(root, file_format=file_format)
    [name] = files(root).keys() - before.keys()
    assert [(row["_op"], int(row["id"])) for row in rows(name, files(root)[name])] == [("update", other)]
    assert all(files(root)[each] == content for each, content in before.items())


@pytest.mark.parametrize("file_format", ["csv", "jsonl"])
def test_another_encoder_revision_updates_every_order_that_stays(kapture, tmp_path, monkeypatch, file_format):
    root = f"{tmp_path}/"
    pull(root, file_format=file_format)
    before = files(root)
    monkeypatch.setattr(options, "REVISION", options.REVISION + 1)
    gone, *left = ids(kapture, DAYS[0])
    delete(kapture, gone)
    pull(root, file_format=file_format)
    [name] = files(root).keys() - before.keys()
    found = [(row["_op"], int(row["id"])) for row in rows(name, files(root)[name])]
    assert sorted(found) == [("delete", gone), *(("update", each) for each in sorted(left))]


def test_orders_of_objects_that_are_replaced_are_the_former_ones(kapture, root):
    hour = {"window_start": "2024-05-08T00:00", "window_end": "2024-05-08T12:00"}
    halves = [hour, {"window_start": "2024-05-08T12:00", "window_end": "2024-05-09"}]
    for half in halves:
        pull(root, file_format="csv", **half)
    assert sorted(op for each in changes(root) for op, *_ in each) == ["insert"] * 20
    before = files(root)
    gone, *left = ids(kapture, DAYS[0])
    delete(kapture, gone)
    pull(root, file_format="csv", window_end=DAYS[1], on_overlap="replace")
    [name] = files(root).keys() - before.keys()
    assert [(row["_op"], int(row["id"])) for row in rows(name, files(root)[name])] == [("delete", gone)]
    # Another format spells its values otherwise.
    pull(root, file_format="parquet", window_end=DAYS[1], on_overlap="replace")
    [name] = [each for each in files(root) if each.endswith(".parquet")]
    found = [(row["_op"], row["id"]) for row in rows(name, files(root)[name])]
    assert sorted(found) == [("update", each) for each in sorted(left)]


def test_a_day_that_becomes_empty_is_deleted(kapture, tmp_path):
    root = f"{tmp_path}/"
    pull(root)
    gone = ids(kapture, DAYS[1])
    for each in gone:
        delete(kapture, each)
    before = files(root)
    pull(root)
    [name] = files(root).keys() - before.keys()
    found = [(row["_op"], row["id"]) for row in rows(name, files(root)[name])]
    assert sorted(found) == [("delete", each) for each in sorted(gone)]


@pytest.mark.parametrize("file_format", ["jsonl", "jsonl.gz", "csv", "parquet"])
def test_a_former_object_that_was_cut_short_is_named(kapture, tmp_path, file_format):
    root = f"{tmp_path}/"
    path = ObjectStoragePath(pull(root, file_format=file_format)["files"][0]["uri"])
    path.write_bytes(path.read_bytes()[:-100])
    before = files(root)
    with pytest.raises(AirflowFailException, match=r"What changed since .* cannot be told"):
        pull(root, file_format=file_format)
    assert files(root) == before


# Of each type, values that fit its column in one spelling or another, and values that do not.
ODD = [
    b'{"id":1,"createDate":1715106600000,"productQuantity":5,"remarks":""}',
    b'{"id":2,"createDate":"1715106600001","productQuantity":"5.50","remarks":"a, \\"b\\"\\r\\n\\nc","checkedIn":true}',
    b'{"id":3,"productQuantity":"5 kg","remarks":null,"invoiceSent":"yes","more":{"a":[1,"\\u20ac"]}}',
    b'{"id":"0004","createDate":"soon","unitId":123456789012345678901,"sellingPrice":-0.000001}',
    b'{"id":"5","remarks":"\\ud83d","cess":NaN,"unitId":1,"unitId":2}',
    b'{"id":6,"remarks":"tab\tand\x01","sellingPrice":1e3,"checkedIn":0,"more":1,"more":2}',
]


@pytest.mark.parametrize("file_format", ["csv", "csv.gz", "parquet", "jsonl", "jsonl.zst"])
def test_orders_that_are_read_give_the_same_file_again(tmp_path, file_format):
    def write(name, orders):
        with (tmp_path / name).open("wb") as sink:
            encoder = ENCODERS[file_format](sink)
            encoder.write([msgspec.Raw(order) for order in orders])
            encoder.close()
        return tmp_path / name

    with Emulator(Book(orders=200, days=1)) as book:
        orders = [*ODD, *book.records()]
    first = write("first", orders)
    again = write("again", read_orders(first, file_format))
    assert again.read_bytes() == first.read_bytes()
    assert len(list(keyed(read_orders(first, file_format)))) == len(orders)


# -- kills --


class KilledError(BaseException):
    """In place of a signal."""


def killed(*_, **__):
    raise KilledError


@pytest.mark.parametrize(
    "where",
    [(Publisher, "_metadata"), (ChangesFolder, "_finish")],
    ids=["before the day is published", "after it"],
)
@pytest.mark.parametrize("is_retry", [True, False], ids=["a retry", "another run"])
@pytest.mark.slow
def test_changes_of_a_killed_pull_are_finished_or_removed(kapture, root, monkeypatch, where, is_retry):
    is_published = where[0] is ChangesFolder
    # A retry does not pull the day again, and so does not see the next change.
    is_pulled_again = not (is_published and is_retry)
    pull(root)
    before = files(root)
    other = ids(kapture, DAYS[0])[0]
    update(kapture, other)
    with monkeypatch.context() as patch:
        patch.setattr(*where, killed)
        with pytest.raises(KilledError):
            pull(root, attempt())
    [left] = files(root).keys() - before.keys()
    assert left.endswith(".pending")
    assert left.partition("/")[2].startswith("_")
    if is_pulled_again:
        update(kapture, other)
    receipt = pull(root, attempt() if is_retry else attempt(run_id="other"))
    assert receipt["changed_days"] == DAYS[:1]
    names = sorted(files(root).keys() - before.keys())
    assert not [each for each in names if "pending" in each]
    assert len(names) == 1 + (is_published and is_pulled_again)
    assert all(
        [(row["_op"], row["id"]) for row in rows(each, files(root)[each])] == [("update", other)] for each in names
    )
    assert [row["productQuantity"] for row in rows(names[-1], files(root)[names[-1]])] == [
        order["productQuantity"] for order in kapture.orders if order["id"] == other
    ]


def test_a_final_file_is_never_overwritten(kapture, tmp_path, monkeypatch):
    root = f"{tmp_path}/"
    pull(root)
    monkeypatch.setattr(ChangesFolder, "_next_instant", lambda self, folder: 1_700_000_000_000)
    contents = []
    for _ in range(3):
        update(kapture, ids(kapture, DAYS[0])[0])
        before = files(root)
        pull(root)
        assert all(files(root)[name] == content for name, content in before.items())
        [name] = files(root).keys() - before.keys()
        contents.append(name)
    assert [name[-10:] for name in contents] == ["000Z.jsonl", "001Z.jsonl", "002Z.jsonl"]


# -- arguments --


def test_a_folder_that_cannot_be_written_to_leaves_nothing_behind(kapture, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(AirflowFailException, match="cannot be written to"):
        pull(f"{tmp_path}/", changes=f"{tmp_path}/file/changes/")
    assert kapture.stats()["requests"] == 0
    assert [path.name for path in tmp_path.rglob("*")] == ["file"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"changes": "{root}changes"}, "must be a folder of its own, which ends in '/'"),
        ({"date_field": "booking"}, "`changes` needs `date_field` 'create'"),
        ({"destination": "{root}orders.jsonl"}, "`changes` needs .* a `destination` that ends in '/'"),
        ({"destination": None}, "`changes` needs"),
        ({"changes": "{root}orders/changes/"}, "contain one another"),
        ({"changes": "{root}orders/"}, "contain one another"),
        ({"changes": "{root}"}, "contain one another"),
        ({"changes": "{root}more/../orders/x/"}, "contain one another"),
        ({"changes": "file://{root}orders/x/"}, "contain one another"),
        ({"destination": "s3://a@lake/orders/", "changes": "s3://b@lake/orders/changes/"}, "contain one another"),
    ],
)
def test_arguments_that_do_not_go_together_are_named_before_the_first_request(kapture, tmp_path, arguments, message):
    arguments = {name: value and value.format(root=f"{tmp_path}/") for name, value in arguments.items()}
    if arguments.get("destination", "") is None:
        arguments["file_format"] = None
    with pytest.raises(AirflowFailException, match=message):
        pull(f"{tmp_path}/", **arguments)
    assert kapture.stats()["requests"] == 0
