"""What comes of an account once the doctor has examined it: its report, and a pull with what it recommends.

``python tests/support/doctor_runs.py [PART OF A NAME]`` prints the whole table.
"""

from __future__ import annotations

import json
import logging
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import tenacity
from account_readings import READINGS, Reading
from reading_runs import Outcome, account_of, opened, pull

from airflow_provider_kapture.client import Account
from airflow_provider_kapture.client.errors import KaptureBusyError, KaptureError
from airflow_provider_kapture.client.fetch import retry
from airflow_provider_kapture.doctor import run
from airflow_provider_kapture.doctor.findings import Report
from airflow_provider_kapture.doctor.render import Screen
from airflow_provider_kapture.doctor.run import diagnose
from airflow_provider_kapture.emulator import Emulator

# No white space, which a key must not have.
PASSWORD = "p4ssword"


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

    def pull(self, *, page_size: int | None = None, is_async: bool = False) -> Outcome:
        """Pull the window with what the doctor recommends.

        :param page_size: the page size that the doctor's is replaced with
        """
        extra = dict(self.report.recommended) | ({} if page_size is None else {"page_size": page_size})
        return _pull_afresh(self.kapture, self.reading, {**self.connection, "extra": extra}, is_async=is_async)


@contextmanager
def examined(reading: Reading, extra: Mapping[str, Any] | None = None) -> Iterator[Examined]:
    """An account that has this reading, once the doctor has examined it.

    :param extra: what the connection's extra has besides
    """
    with opened(reading, extra or {}, PASSWORD) as (kapture, connection):
        account = account_of(connection)
        report = diagnose(account)
        asks = any("--day" in each.evidence for each in report.findings if not each.is_good)
        if asks:
            kapture.reset()
            report = diagnose(account, reading.first_day)
        requests = kapture.stats()["requests"]
        yield Examined(kapture, reading, connection, report, requests, asks)


def on_screen(report: Report, account: Account, conn_id: str | None = None) -> str:
    """The report as a person sees it."""
    written: list[str] = []
    screen = Screen(account, conn_id, written.append)
    for finding in report.findings:
        if finding.question not in report.not_reached:
            screen.show(finding)
    screen.end(report)
    return "".join(written)


def retry_soon(patch: Any) -> None:
    """Have pulls and the doctor retry after a moment; too many requests within a second take most of a second.

    :param patch: sets an attribute, as ``monkeypatch.setattr`` does
    """
    patch(retry, "_backoff", tenacity.wait_fixed(0.01))
    patch(retry, "_jitter", tenacity.wait_none())
    patch(run, "_wait", lambda error, _: 0.55 if _is_too_many(error) else 0.01)


def _is_too_many(error: KaptureError) -> bool:
    return isinstance(error, KaptureBusyError) and (error.status == 429 or "Many" in error.excerpt)


def _pull_afresh(kapture: Emulator, reading: Reading, connection: Mapping[str, Any], *, is_async: bool) -> Outcome:
    # Faults of every so many requests do not depend on how many were made before.
    kapture.reset()
    return pull(kapture, reading, connection, is_async=is_async)


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
            before = _pull_afresh(found.kapture, reading, found.connection, is_async=False)
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
