"""``kapture demo``: pull the orders of an emulator into files, compare the counts, and audit the folder.

The operator runs as in a task, with an Airflow home of its own that is removed afterwards; no scheduler and no metadata
database are needed. ``make demo`` in the repository prints the same around the runs of a DAG. The emulator itself is in
``emulator``.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_kapture.command_line import is_colourful
from airflow_provider_kapture.emulator.book import Book

if TYPE_CHECKING:
    from airflow_provider_kapture.emulator.server import Emulator

DAYS = 3
_ORDERS = 900
_CHANGES = 60
_CONNECTION_ID = "kapture_default"
_TIMEZONE = "Asia/Kolkata"
_FOLDER = "kapture-demo"
_SHOWN = ("id", "createDate", "customerId", "deliveryStatus", "productValue", "sellingPrice")
_SHOWN_ORDERS = 5
_FAILED = 1
_USAGE_ERROR = 2
_INTERRUPTED = 130

_DAG = """\
import pendulum
from airflow.providers.common.compat.sdk import DAG
from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator

with DAG("orders", schedule="@daily", start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Kolkata"), catchup=False):
    KapturePullOrdersOperator(task_id="pull_orders", window="day", destination="file:///tmp/orders/")
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``kapture demo``."""
    parser.add_argument(
        "folder", nargs="?", type=Path, metavar="FOLDER", help=f"a folder that is new or empty (./{_FOLDER})"
    )


def main(args: argparse.Namespace) -> int:
    """Run the demo.

    :return: the exit status: 0 if every order is in the files, 1 if not, 2 if an argument is invalid or a package is
        missing, 130 for Ctrl-C
    """
    try:
        from airflow_provider_kapture.emulator.server import Emulator
    except ModuleNotFoundError as error:
        return _print_error(
            f"{error.name} is not installed; install it with `pip install 'airflow-provider-kapture[emulator]'`",
            _USAGE_ERROR,
        )
    try:
        folder = _new_folder(args.folder)
    except OSError as error:
        return _print_error(f"cannot write to {error.filename}: {error.strerror}; name another folder", _USAGE_ERROR)
    if any(folder.iterdir()):
        return _print_error(f"cannot write to {folder}: it is not empty; name another folder", _USAGE_ERROR)
    try:
        with Emulator(demo_book()) as kapture, _own_airflow(kapture):
            return _pull_and_report(kapture, folder)
    except KeyboardInterrupt:
        return _print_error("stopped", _INTERRUPTED)


def demo_book() -> Book:
    """Return the orders of the demo: of the last days, the current one included."""
    return Book.until_now(_ORDERS, DAYS, _TIMEZONE)


def introduction(kapture: Emulator, how: str, folder: Path) -> str:
    """Return what the demo prints before it pulls.

    :param how: a sentence that states what pulls the orders
    """
    return f"""\
A local Kapture listens on {kapture.origin}, with orders of {kapture.book.start} to {kapture.book.last_day}.
{how} The files go to {folder}.
Starting Airflow; this takes up to half a minute.
"""


def report(kapture: Emulator, receipts: Sequence[Mapping[str, Any]], seconds: float) -> tuple[str, bool]:
    """Return what the demo prints about the pulls, and whether every order is in the files."""
    files = [file for receipt in receipts for file in receipt["files"]]
    lines = [f"  {file['window_start'][:10]}  {file['rows']:>5} orders  {_path(file['uri'])}" for file in files]
    lines += ["", *_table(_first_rows(_path(files[0]["uri"]))), ""]
    rows = sum(file["rows"] for file in files)
    expected = len(kapture.ids())
    verdict = "all of them" if rows == expected else "NOT THE SAME"
    requests = kapture.stats()["requests"]
    lines.append(
        f"{rows} orders in the files, {expected} in Kapture: {verdict}; {requests} requests, {seconds:.1f} s\n"
    )
    return "\n".join(lines), rows == expected


def audited_changes(kapture: Emulator, folder: str) -> str:
    """Change orders in Kapture, and return what the audit of a folder prints about it.

    :param folder: the folder of a pull
    """
    from airflow_provider_kapture.audit import audit
    from airflow_provider_kapture.audit.text import render

    kapture.mutate(_CHANGES)
    audited = render(audit(folder, kapture_conn_id=_CONNECTION_ID), colour=is_colourful(sys.stdout))
    return f"""\
Since then, {_CHANGES} orders have changed in Kapture: most were updated, some deleted, and some inserted late.
`kapture audit {folder} --conn {_CONNECTION_ID}` shows the days whose numbers of orders differ:

{audited}"""


def query_command(files: str) -> str:
    """Return a command that counts the orders of CSV files by status.

    :param files: a pattern of their paths
    """
    query = f"SELECT deliveryStatus, count(*) AS orders FROM read_csv('{files}') GROUP BY ALL ORDER BY ALL"  # noqa: S608 - printed
    return f'python -c "import duckdb; duckdb.sql(\\"{query}\\").show()"'


def _pull_and_report(kapture: Emulator, folder: Path) -> int:
    sys.stdout.write(introduction(kapture, "KapturePullOrdersOperator pulls them.", folder) + "\n")
    sys.stdout.flush()
    # Airflow turns warnings on when it is imported, and 3.0 and 3.1 then warn of names that its providers use.
    import airflow.configuration  # noqa: F401

    for category in (DeprecationWarning, FutureWarning):
        warnings.simplefilter("ignore", category)
    from airflow.providers.common.compat.sdk import AirflowException

    from airflow_provider_kapture.client.errors import KaptureError
    from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator

    started = time.monotonic()
    pull = KapturePullOrdersOperator(
        task_id="pull_orders",
        window_start=kapture.book.start.isoformat(),
        window_end=(kapture.book.last_day + dt.timedelta(days=1)).isoformat(),
        destination=f"{folder}/",
        file_format="csv",
    )
    try:
        receipt = pull.execute({})
    except (AirflowException, KaptureError, OSError) as error:
        return _print_error(str(error), _FAILED)
    text, is_complete = report(kapture, [receipt], time.monotonic() - started)
    sys.stdout.write(f"{text}\n{audited_changes(kapture, f'{folder}/')}\n{_next_steps(folder)}")
    return 0 if is_complete else _FAILED


def _next_steps(folder: Path) -> str:
    return f"""\
The files are in {folder}. Try next:

  {query_command(f"{folder}/create_date=*/*.csv")}
      count the orders by status (needs `pip install duckdb`)
  kapture audit {folder} --html audit.html
      write what the folder holds as a page for a browser
  kapture emulator --mutate 1
      run a Kapture whose orders change, until Ctrl-C; it prints a connection for your DAGs
  kapture doctor CONN_ID
      check the connection to your own account, and see its settings

A DAG for your own account, with the connection `kapture_default`:

{_DAG}"""


def _new_folder(named: Path | None) -> Path:
    """Create the folder of the files unless it is there, and return its absolute path.

    :param named: the folder; None for the first unused name in the current folder
    :raises OSError: the folder cannot be created
    """
    if named is None:
        names = (f"{_FOLDER}-{number}" if number > 1 else _FOLDER for number in count(1))
        named = next(path for path in map(Path, names) if not path.exists())
    folder = named.expanduser().absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def _own_airflow(kapture: Emulator) -> Iterator[None]:
    """Set up this process for an Airflow that knows the emulator's connection, and nothing of the user's settings."""
    for name in [name for name in os.environ if name.startswith("AIRFLOW_")]:
        del os.environ[name]
    with tempfile.TemporaryDirectory(prefix="kapture-demo-", ignore_cleanup_errors=True) as home:
        os.environ |= {
            "AIRFLOW_HOME": home,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            # The window ends today, which is a warning.
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
            "AIRFLOW__METRICS__TIMER_UNIT_CONSISTENCY": "True",  # Airflow 2.11 warns without it
            **kapture.connection_uri_env(),
        }
        yield


def _path(uri: str) -> str:
    return uri.removeprefix("file://")


def _first_rows(path: str) -> list[dict[str, str]]:
    with Path(path).open(encoding="utf-8", newline="") as rows:
        return list(islice(csv.DictReader(rows), _SHOWN_ORDERS))


def _table(orders: Sequence[Mapping[str, str]]) -> list[str]:
    """Return orders as the lines of a table."""
    rows = [_SHOWN, *(tuple(order[name] for name in _SHOWN) for order in orders)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _print_error(message: str, status: int) -> int:
    sys.stderr.write(f"kapture demo: {message}\n")
    return status
