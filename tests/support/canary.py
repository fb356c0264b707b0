"""A password and a customer that must never be seen, looked for in all that a test run says.

Each emulator of the run has the password, and orders of the customer. Looked at are the log records of every logger,
what is written to stdout and stderr, the exceptions of this package with all that hangs on them, and at the end
Airflow's logs and database. A test that leaks fails; what can't be laid at a test's door fails the session.
"""

from __future__ import annotations

import base64
import functools
import logging
import os
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PASSWORD = "canary-hush-9b27"
EMAIL = "canary.customer@example.com"
PHONE = "+91 98450 71234"
_USER = "kapture"
TOKEN = base64.b64encode(f"{_USER}:{PASSWORD}".encode()).decode()
SECRETS = (PASSWORD, TOKEN)
PERSONAL = (EMAIL, PHONE, PHONE.replace(" ", ""))
# The orders asked for are in XCom, and a connection that is kept has its password.
_OF_AIRFLOW = re.compile(r"msg=(MaskSecret|SetXCom)\(")
_MAY_HOLD_ORDERS = frozenset({"xcom"})
_MAY_HOLD_SECRETS = frozenset({"connection"})


def leaks(text: str, what: tuple[str, ...] = (*SECRETS, *PERSONAL)) -> list[str]:
    """Which canaries are in a text."""
    return [each for each in what if each in text]


def texts_of(error: BaseException) -> Iterator[str]:
    """All that an exception says, and those that hang on it."""
    waiting, seen = [error], set[int]()
    while waiting:
        each = waiting.pop()
        if id(each) not in seen:
            seen.add(id(each))
            yield from (str(each), repr(each), repr(vars(each)), *getattr(each, "__notes__", ()))
            waiting += [one for one in (each.__cause__, each.__context__) if one is not None]


class Canary:
    """The watch, as a pytest plugin."""

    def __init__(self) -> None:
        self.errors: list[BaseException] = []
        self.found: list[str] = []
        self.left: list[str] = []

    def release(self) -> None:
        """Give the password and the customer to each emulator, and begin to listen."""
        from airflow_provider_kapture.client.errors import KaptureError
        from airflow_provider_kapture.emulator import Emulator
        from airflow_provider_kapture.emulator.book import Book

        Emulator.__init__.__kwdefaults__["password"] = PASSWORD
        original_record, original_init, original_handle = Book._record, KaptureError.__init__, logging.Logger.handle
        customer = f'"remarks":"testing {EMAIL} {PHONE}"'.encode()

        @functools.wraps(original_record)
        def record(*args: Any) -> bytes:
            return original_record(*args).replace(b'"remarks":"testing"', customer)

        @functools.wraps(original_init)
        def init(error: KaptureError, *args: Any) -> None:
            self.errors.append(error)
            original_init(error, *args)

        @functools.wraps(original_handle)
        def handle(logger: logging.Logger, entry: logging.LogRecord) -> None:
            self.check(f"a log record of {logger.name}", logging.Formatter().format(entry))
            original_handle(logger, entry)

        Book._record = record  # type: ignore[method-assign]
        KaptureError.__init__ = init  # type: ignore[method-assign]
        logging.Logger.handle = handle  # type: ignore[method-assign]

    def check(self, where: str, text: str, what: tuple[str, ...] = (*SECRETS, *PERSONAL)) -> None:
        """Take down what leaks."""
        self.found += [f"{each!r} in {where}" for each in leaks(text, what)]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Iterator[None]:
        result = yield
        for each in self.errors:
            for text in texts_of(each):
                self.check(f"what {type(each).__name__} says", text)
        self.errors.clear()
        found, self.found = self.found, []
        if found and item.get_closest_marker("leaks") is None:
            pytest.fail("A canary was seen: " + "; ".join(sorted(set(found))))
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # A test that failed shows what it compared.
        if not report.failed and "leaks" not in report.keywords:
            for name, text in report.sections:
                # Airflow 3.0 itself tells, in `dag.test()`, what it is asked to mask, and the orders that go to XCom.
                shown = "\n".join(line for line in text.splitlines() if not _OF_AIRFLOW.search(line))
                self.left += [f"{each!r} in {name} of {report.nodeid}" for each in leaks(shown)]

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self.left += list(_left_in(Path(os.environ["AIRFLOW_HOME"])))
        if self.left:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        for each in sorted(set(self.left)):
            terminalreporter.write_line(f"A canary was seen: {each}", red=True)


def _left_in(home: Path) -> Iterator[str]:
    """What Airflow's logs and database hold."""
    for path in home.glob("logs/**/*.log"):
        yield from (f"{each!r} in {path}" for each in leaks(path.read_text(errors="replace")))
    if (home / "airflow.db").exists():
        database = sqlite3.connect(home / "airflow.db")
        try:
            for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                text = str(database.execute(f'SELECT * FROM "{table}"').fetchall())
                what = (() if table in _MAY_HOLD_SECRETS else SECRETS) + (() if table in _MAY_HOLD_ORDERS else PERSONAL)
                yield from (f"{each!r} in the table {table}" for each in leaks(text, what))
        finally:
            database.close()
