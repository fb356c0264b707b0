"""What comes of an account once the doctor has examined it: its report, and a pull with what it recommends.

``python tests/support/doctor_runs.py [PART OF A NAME]`` prints the whole table.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import logging
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal
from zoneinfo import ZoneInfo

import tenacity
from account_readings import READINGS, Reading

from airflow_provider_kapture.client import Account, KaptureClient
from airflow_provider_kapture.client.async_client import AsyncKaptureClient
from airflow_provider_kapture.client.errors import KaptureBusyError, KaptureError
from airflow_provider_kapture.client.fetch import retry
from airflow_provider_kapture.doctor import run
from airflow_provider_kapture.doctor.findings import Report
from airflow_provider_kapture.doctor.run import diagnose
from airflow_provider_kapture.emulator import Emulator, Switches

# What is waited for in earnest takes minutes.
QUICK = {"retry_budget": 0.4, "connect_timeout": 2, "read_timeout": 5}
PASSWORD = "p4ssword"

Kind = Literal["right", "error", "SILENT"]


@dataclass(frozen=True)
class Pulled:
    """What came of a pull.

    :ivar missing: orders that did not come
    :ivar surplus: orders that came more than once, that the window does not have, or whose text is another
    """

    error: KaptureError | None
    missing: int
    surplus: int

    @property
    def kind(self) -> Kind:
        """Every order once, an error, or neither."""
        if self.error is not None:
            return "error"
        return "SILENT" if self.missing or self.surplus else "right"

    @property
    def in_words(self) -> str:
        """What a table says."""
        if self.error is not None:
            return f"{type(self.error).__name__}: {self.error}"
        return "right" if self.kind == "right" else f"SILENT: {self.missing} missing, {self.surplus} surplus"


@dataclass(frozen=True)
class Examined:
    """An account with the doctor's report, and the connection to it.

    :ivar requests: those of the doctor
    :ivar has_asked_for_day: whether it was run again with a day that has orders, because it asked for one
    """

    kapture: Emulator
    reading: Reading
    connection: Mapping[str, Any]
    report: Report
    requests: int
    has_asked_for_day: bool

    def pull(self, *, page_size: int | None = None, is_async: bool = False) -> Pulled:
        """Pull the window with what the doctor recommends.

        :param page_size: the page size that the doctor's is replaced with
        """
        extra = dict(self.report.recommended) | ({} if page_size is None else {"page_size": page_size})
        return pull(self.kapture, self.reading, {**self.connection, "extra": extra}, is_async=is_async)


@contextmanager
def examined(reading: Reading, extra: Mapping[str, Any] | None = None) -> Iterator[Examined]:
    """An account that has this reading, once the doctor has examined it.

    :param extra: what the connection's extra has besides
    """
    with Emulator(reading.made_book(), Switches(**reading.switches), password=PASSWORD) as kapture:
        connection = json.loads(kapture.connection_json(**{**QUICK, **reading.extra, **(extra or {})}))
        if reading.is_wrong_key:
            connection["password"] = "someone-elses"
        account = account_of(connection)
        report = diagnose(account)
        asks = any("--day" in each.evidence for each in report.findings if not each.is_good)
        if asks:
            kapture.reset()
            report = diagnose(account, reading.first_day)
        requests = kapture.stats()["requests"]
        yield Examined(kapture, reading, connection, report, requests, asks)


def account_of(connection: Mapping[str, Any]) -> Account:
    """Return the account of a connection's fields."""
    return Account.from_connection(*(connection[name] for name in ("host", "login", "password", "extra")))


def retry_soon(patch: Any) -> None:
    """Have pulls and the doctor retry after a moment; too many requests within a second take most of a second.

    :param patch: sets an attribute, as ``monkeypatch.setattr`` does
    """
    patch(retry, "_backoff", tenacity.wait_fixed(0.01))
    patch(retry, "_jitter", tenacity.wait_none())
    patch(run, "_wait", lambda error, _: 0.55 if _is_too_many(error) else 0.01)


def _is_too_many(error: KaptureError) -> bool:
    return isinstance(error, KaptureBusyError) and (error.status == 429 or "Many" in error.excerpt)


def pull(kapture: Emulator, reading: Reading, connection: Mapping[str, Any], *, is_async: bool = False) -> Pulled:
    """Pull the reading's three days, and compare them with the account's orders."""
    window = (str(reading.first_day), str(reading.first_day + dt.timedelta(days=3)))
    found: Sequence[dict[str, Any]] = []
    error = None
    extra = connection["extra"]
    # Faults of every so many requests do not depend on how many were made before.
    kapture.reset()
    try:
        account = account_of(connection)
        found = asyncio.run(_pull_async(account, *window)) if is_async else _pull(account, *window)
    except KaptureError as failure:
        error = failure
    expected = _expected(kapture, reading, extra.get("timezone", "Asia/Kolkata"))
    counts = Counter(int(order["id"]) for order in found)
    missing = len(expected.keys() - counts.keys())
    if reading.switches.get("lines"):
        # The other line of an order is a row of its own.
        missing += sum(1 for row in expected if row % 5 == 0 and counts[row] < 2)
    surplus = sum(count - 1 for count in counts.values()) + len(counts.keys() - expected.keys())
    if not reading.switches.get("missing_fields"):
        surplus += sum(1 for order in found if order.get("remarks") != expected.get(int(order["id"])))
    return Pulled(error, missing, surplus)


def _pull(account: Account, start: str, end: str) -> list[dict[str, Any]]:
    with KaptureClient(account) as client:
        return list(client.iter_orders(start, end))


async def _pull_async(account: Account, start: str, end: str) -> list[dict[str, Any]]:
    async with AsyncKaptureClient(account) as client:
        return [order async for order in client.iter_orders(start, end)]


def _expected(kapture: Emulator, reading: Reading, timezone: str) -> dict[int, Any]:
    """The text of each order that the account has in the window."""
    days = (reading.first_day, reading.first_day + dt.timedelta(days=3))
    edges = [round(dt.datetime.combine(day, dt.time(), ZoneInfo(timezone)).timestamp()) * 1_000 for day in days]
    orders = [json.loads(record) for record in kapture.records(*edges)]
    hidden = reading.switches.get("hidden", "none")
    is_shown = {"none": lambda _: True, "some": lambda row: row % 3 != 0, "most": lambda row: row % 20 == 0}[hidden]
    return {order["id"]: order["remarks"] for order in orders if is_shown(order["id"])}


def main() -> None:
    """Print the table: by default, with the doctor, how many requests it made, and whether it trusts the account."""
    retry_soon(setattr)
    logging.disable()
    part = sys.argv[1] if len(sys.argv) > 1 else ""
    totals: Counter[str] = Counter()
    for reading in READINGS:
        name = f"{reading.topic}: {reading.name}"
        if part not in name:
            continue
        with examined(reading) as found:
            before = pull(found.kapture, reading, found.connection)
            sizes = (None,) if reading.is_large else (None, 10)
            after = [found.pull(page_size=size) for size in sizes]
        worst = max(after, key=lambda each: ("right", "error", "SILENT").index(each.kind))
        totals[f"{worst.kind}, {'trusted' if found.report.trusted else 'not trusted'}"] += 1
        trust = "trusted" if found.report.trusted else f"not: {', '.join(found.report.wrong)}"
        day = " --day" if found.has_asked_for_day else ""
        learnt = found.report.changes
        extra = {key: value for key, value in found.report.recommended.items() if key in learnt}
        sys.stdout.write(
            f"{before.kind:6} | {worst.kind:6} | {found.requests:>2}{day} | {trust} | {name} | {json.dumps(extra)}"
            f"{' | ' + worst.in_words if worst.kind != 'right' else ''}\n"
        )
        sys.stdout.flush()
    sys.stdout.write("".join(f"{count:>4} {kind}\n" for kind, count in sorted(totals.items())))


if __name__ == "__main__":
    main()
