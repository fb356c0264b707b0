"""A table into which every file of changes is merged has the orders of Kapture, whatever happened to the pulls.

The statements are those of docs/changes.md. `make test-changes` runs this.
"""

import hashlib
import re
import tempfile
from pathlib import Path

import duckdb
import postgres
import pytest
from attempts import attempt
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutations import delete, update

from airflow_provider_kapture.emulator import Book, Emulator
from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator
from airflow_provider_kapture.storage.changes.writer import OPERATION, SEEN_AT
from airflow_provider_kapture.storage.destinations.stores.local import LocalStore
from airflow_provider_kapture.storage.encoders.schema import COLUMNS

# Airflow's own, of operators that are executed outside of a task.
pytestmark = [pytest.mark.changes, pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(1_200)]

SEQUENCES = 200
# In memory where there is such a folder: each pull waits for the disk many times.
FOLDERS = "/dev/shm" if Path("/dev/shm").is_dir() else None
PAGE = (Path(__file__).parents[2] / "docs" / "changes.md").read_text(encoding="utf-8")
DAYS = ("2024-05-08", "2024-05-09", "2024-05-10")
EDGES = (*DAYS, "2024-05-11")


def statements(warehouse):
    """The SQL of a warehouse on the page."""
    section = PAGE.partition(f"### {warehouse}\n")[2].partition("\n### ")[0]
    return re.findall(r"```(?:sql|psql)\n(.*?)```", section, re.DOTALL)


class KilledError(BaseException):
    """In place of a signal."""


class Kill:
    """Ends a pull at its so-manieth write to a file system, before or after it; from then on, nothing is written.

    :ivar left: writes until then; None for a pull that is not killed
    """

    def __init__(self, patch):
        self.left = None
        self.is_after = False
        self.is_dead = False
        for name in ("upload", "write", "delete"):
            patch.setattr(LocalStore, name, self._wrapped(getattr(LocalStore, name)))

    def arm(self, writes, is_after):
        self.left, self.is_after, self.is_dead = writes, is_after, False

    def _wrapped(self, write):
        def wrapped(*arguments):
            if self.is_dead:
                raise KilledError
            if self.left is None:
                return write(*arguments)
            self.left -= 1
            self.is_dead = self.left < 0
            if self.is_dead and not self.is_after:
                raise KilledError
            done = write(*arguments)
            if self.is_dead:
                raise KilledError
            return done

        return wrapped


@pytest.fixture(scope="module")
def patch():
    with pytest.MonkeyPatch.context() as patch:
        # Slow on purpose, several times a pull.
        patch.setattr(hashlib, "scrypt", lambda text, *, salt, **_: hashlib.sha256(salt + text).digest())
        yield patch


@pytest.fixture(scope="module")
def kapture(patch):
    with Emulator(Book(orders=18, days=3)) as running:
        for name, value in running.connection_uri_env().items():
            patch.setenv(name, value)
        yield running


@pytest.fixture(scope="module")
def kill(patch):
    return Kill(patch)


@pytest.fixture(scope="module")
def database():
    if not postgres.is_installed():
        pytest.skip("PostgreSQL is not installed")
    with postgres.serving() as running:
        columns = ", ".join(f'"{name}" text' for name in (OPERATION, SEEN_AT, *COLUMNS))
        running.run(
            f"CREATE TABLE changes ({columns}); CREATE TABLE orders (id bigint PRIMARY KEY, create_date timestamptz, "
            "selling_price numeric, product_quantity numeric, remarks text)"
        )
        yield running


def pull(folder, file_format, first, last, context):
    return KapturePullOrdersOperator(
        task_id="pull",
        window_start=EDGES[first],
        window_end=EDGES[last],
        destination=f"{folder}/orders/",
        changes=f"{folder}/changes/",
        file_format=file_format,
    ).execute(context)


def mutate(kapture, what, place):
    ids = kapture.ids()
    if what == "add" or not ids:
        kapture.add_orders(1, day=DAYS[place % len(DAYS)])
    else:
        {"update": update, "delete": delete}[what](kapture, ids[place % len(ids)])


MUTATION = st.tuples(st.sampled_from(["add", "update", "delete"]), st.integers(0, 30))
# First and last day, after how many writes it is killed and whether after the last of them, and whether it is a retry.
PULL = st.tuples(
    st.sampled_from([(first, last) for first in range(3) for last in range(first + 1, 4)]),
    st.none() | st.integers(0, 16),
    st.booleans(),
    st.booleans(),
)
STEPS = st.lists(st.tuples(st.lists(MUTATION, max_size=4), PULL), min_size=1, max_size=4)


def run(pulls, steps, merge):
    """Let orders change and pull them, as the steps say; then pull all days."""
    kapture, kill, folder, file_format = pulls
    kapture.reset()
    for mutations, ((first, last), writes, is_after, is_retry) in steps:
        for each in mutations:
            mutate(kapture, *each)
        kill.arm(writes, is_after)
        try:
            pull(folder, file_format, first, last, attempt() if is_retry else {})
        except KilledError:
            pass
        finally:
            kill.arm(None, False)
        merge()
    pull(folder, file_format, 0, 3, {})
    merge()
    assert not list(folder.rglob("*.pending"))


def server_orders(kapture):
    return {order["id"]: order["productQuantity"] for order in kapture.orders}


@settings(max_examples=SEQUENCES, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
def test_duckdb_has_the_orders_after_each_pull_was_merged(kapture, kill, steps):
    create, merge = re.split(r"\n\n", statements("DuckDB")[0], maxsplit=1)
    with tempfile.TemporaryDirectory(dir=FOLDERS) as name, duckdb.connect(config={"threads": 1}) as warehouse:
        folder = Path(name)

        def merge_all():
            if list(folder.glob("changes/create_date=*/changes_*")):
                for statement in (create, merge):
                    warehouse.execute(statement.replace("FOLDER", f"{folder}/changes"))

        run((kapture, kill, folder, "parquet"), steps, merge_all)
        merged = "SELECT * EXCLUDE (_op, _seen_at) FROM orders"
        lake = f"FROM read_parquet('{folder}/orders/create_date=*/*.parquet', hive_partitioning = false)"
        found = dict(warehouse.execute(f'SELECT id, "productQuantity" FROM ({merged})').fetchall())
        assert found == server_orders(kapture)
        assert warehouse.execute(f"({merged}) EXCEPT ({lake})").fetchall() == []


@settings(max_examples=SEQUENCES, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
def test_postgresql_has_the_orders_after_all_files_were_merged(kapture, kill, database, steps):
    copy, merge = statements("PostgreSQL")
    with tempfile.TemporaryDirectory(dir=FOLDERS) as name:
        folder = Path(name)
        run((kapture, kill, folder, "csv"), steps, lambda: None)
        copies = [copy.replace("FILE", str(path)) for path in sorted(folder.glob("changes/create_date=*/changes_*"))]
        script = ["TRUNCATE changes, orders;", *copies, merge, "SELECT id, product_quantity FROM orders;"]
        found = database.run("\n".join(script))
        assert {int(order): float(quantity) for order, quantity in found} == server_orders(kapture)
