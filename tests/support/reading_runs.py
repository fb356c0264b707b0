"""What comes of a pull from an account that reads the vendor's page in another way.

``python tests/support/reading_runs.py [PART OF A NAME]`` prints the whole table.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal
from zoneinfo import ZoneInfo

from account_readings import READINGS, Reading

from airflow_provider_kapture.client import Account, KaptureClient
from airflow_provider_kapture.client.async_client import AsyncKaptureClient
from airflow_provider_kapture.client.errors import KaptureError
from airflow_provider_kapture.emulator import Emulator, Switches

# What is waited for in earnest takes minutes.
QUICK = {"retry_budget": 0.4, "connect_timeout": 2, "read_timeout": 5}


@dataclass(frozen=True)
class Outcome:
    """What came of a pull.

    :ivar missing: orders that did not come
    :ivar surplus: orders that came more than once, or that the window does not have
    :ivar altered: orders whose text is not that of the book
    """

    error: KaptureError | None
    missing: int
    surplus: int
    altered: int
    requests: int

    @property
    def kind(self) -> Literal["right", "error", "SILENT"]:
        """Every order once, an error, or neither."""
        if self.error is not None:
            return "error"
        return "SILENT" if self.missing or self.surplus or self.altered else "right"

    @property
    def in_words(self) -> str:
        """What a table says."""
        if self.error is not None:
            return f"{type(self.error).__name__}: {self.error}"
        if self.kind == "right":
            return "right"
        return f"SILENT: {self.missing} missing, {self.surplus} surplus, {self.altered} altered"


def run(
    reading: Reading, *, page_size: int = 500, is_async: bool = False, extra: Mapping[str, Any] | None = None
) -> Outcome:
    """Pull three days from an account that has this reading.

    :param extra: what the connection's extra has beside the required keys, such as what the doctor recommends
    """
    with opened(reading, {"page_size": page_size, **(extra or {})}) as (kapture, connection):
        return pull(kapture, reading, connection, is_async=is_async)


def pull(kapture: Emulator, reading: Reading, connection: Mapping[str, Any], *, is_async: bool = False) -> Outcome:
    """Pull the reading's three days, and compare them with the account's orders."""
    window = (str(reading.first_day), str(reading.first_day + dt.timedelta(days=3)))
    found: list[dict[str, Any]] = []
    error = None
    try:
        account = account_of(connection)
        found = asyncio.run(_pull_async(account, *window)) if is_async else _pull(account, *window)
    except KaptureError as failure:
        error = failure
    expected = _wanted(kapture, reading, connection["extra"].get("timezone", "Asia/Kolkata"))
    return _compared(found, expected, reading, error, kapture.stats()["requests"])


def account_of(connection: Mapping[str, Any]) -> Account:
    """Return the account of a connection's fields."""
    return Account.from_connection(*(connection[name] for name in ("host", "login", "password", "extra")))


@contextmanager
def opened(
    reading: Reading, extra: Mapping[str, Any], password: str = "p4ss word"
) -> Iterator[tuple[Emulator, dict[str, Any]]]:
    """An account that has this reading, and the fields of a connection to it."""
    with Emulator(reading.made_book(), Switches(**reading.switches), password=password) as kapture:
        connection = json.loads(kapture.connection_json(**{**QUICK, **reading.extra, **extra}))
        if reading.is_wrong_key:
            connection["password"] = f"{password}-of-another"
        yield kapture, connection


def _pull(account: Account, start: str, end: str) -> list[dict[str, Any]]:
    with KaptureClient(account) as client:
        return list(client.iter_orders(start, end))


async def _pull_async(account: Account, start: str, end: str) -> list[dict[str, Any]]:
    async with AsyncKaptureClient(account) as client:
        return [order async for order in client.iter_orders(start, end)]


def _wanted(kapture: Emulator, reading: Reading, timezone: str) -> dict[int, Any]:
    """The text of each order that the account has in the window."""
    days = (reading.first_day, reading.first_day + dt.timedelta(days=3))
    edges = [round(dt.datetime.combine(day, dt.time(), ZoneInfo(timezone)).timestamp()) * 1_000 for day in days]
    orders = [json.loads(record) for record in kapture.records(*edges)]
    hidden = reading.switches.get("hidden", "none")
    is_shown = {"none": lambda _: True, "some": lambda row: row % 3 != 0, "most": lambda row: row % 20 == 0}[hidden]
    return {order["id"]: order["remarks"] for order in orders if is_shown(order["id"])}


def _compared(
    found: list[dict[str, Any]], expected: dict[int, Any], reading: Reading, error: KaptureError | None, requests: int
) -> Outcome:
    counts = Counter(int(order["id"]) for order in found)
    missing = len(expected.keys() - counts.keys())
    if reading.switches.get("lines"):
        # The other line of an order is a row of its own.
        missing += sum(1 for row in expected if row % 5 == 0 and counts[row] < 2)
    surplus = sum(count - 1 for count in counts.values()) + len(counts.keys() - expected.keys())
    altered = sum(1 for order in found if order.get("remarks") != expected.get(int(order["id"])))
    return Outcome(error, missing, surplus, 0 if reading.switches.get("missing_fields") else altered, requests)


def main() -> None:
    """Print the table."""
    part = sys.argv[1] if len(sys.argv) > 1 else ""
    for reading in READINGS:
        if part not in f"{reading.topic}: {reading.name}":
            continue
        for page_size in (500,) if reading.is_large else (500, 10):
            for is_async in (False, True):
                got = run(reading, page_size=page_size, is_async=is_async)
                mark = " " if got.kind == reading.expected(page_size) else "!"
                way = f"{page_size:>3} {'async' if is_async else 'sync '}"
                sys.stdout.write(f"{mark} {way} | {reading.topic}: {reading.name} | {got.requests} | {got.in_words}\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
