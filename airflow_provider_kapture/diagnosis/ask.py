"""The thin shell: asks what the examination wants to know, gently, and counts."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Self

from airflow_provider_kapture.client import Account, KaptureClient
from airflow_provider_kapture.client.days import DayRange
from airflow_provider_kapture.client.errors import KaptureBusyError, KaptureError
from airflow_provider_kapture.client.flow import BUSY, Flow
from airflow_provider_kapture.client.protocol import question, request_body
from airflow_provider_kapture.diagnosis.conclude import Pace, Report, pace_finding, report_of
from airflow_provider_kapture.diagnosis.examine import examine
from airflow_provider_kapture.diagnosis.sight import Probe, Sight, sight_of

MOST_REQUESTS = 40
_MOST_TRIES = 3
_LONGEST_WAIT = 15.0


def diagnose(account: Account, day: dt.date | None = None, sleep: Callable[[float], None] = time.sleep) -> Report:
    """Find out how the account's API behaves, in at most :data:`MOST_REQUESTS` requests.

    :param account: where, who, and the settings to start from
    :param day: a day of the account that has orders; looked for among the latest where none is given
    :param sleep: how to wait, in seconds
    """
    steps = examine(account, dt.datetime.now(account.zone).date(), day)
    with _Asker(account, sleep) as asker:
        probe = next(steps)
        while True:
            sight = asker.ask(probe)
            try:
                probe = steps.send(sight)
            except StopIteration as finished:
                return report_of(finished.value, account.dialect, pace_finding(asker.pace()))


@dataclass
class _Asker:
    account: Account
    sleep: Callable[[float], None]
    times: list[float] = field(default_factory=list)
    first_busy: int | None = None

    def __post_init__(self) -> None:
        self._flow = Flow(1, self.account.dialect.requests_per_second)
        self._client = KaptureClient(self.account)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def pace(self) -> Pace:
        return Pace(tuple(self.times), time.monotonic(), self.first_busy)

    def ask(self, probe: Probe) -> Sight:
        """Ask, and ask again where that may mend it."""
        dialect = replace(probe.dialect, end_date="inclusive")
        if dialect != self._client.account.dialect:
            self._client.close()
            self._client = KaptureClient(replace(self.account, dialect=dialect))
        for attempt in range(1, _MOST_TRIES + 1):
            sight = self._try(probe)
            error = sight.error
            may_mend = error is not None and error.transient and not sight.is_null
            if not may_mend or not sight.left or attempt == _MOST_TRIES:
                break
            self.sleep(_wait(error, attempt))
        return sight

    def _try(self, probe: Probe) -> Sight:
        client = self._client
        days = DayRange(probe.first, probe.last)
        body = request_body(client.account, question("create"), days, probe.offset, probe.limit)
        now = time.monotonic()
        pause = self._flow.pause(now)
        if pause:
            self.sleep(pause)
        self._flow.start(now + pause)
        self.times.append(time.monotonic())
        left = MOST_REQUESTS - len(self.times)
        try:
            sight = sight_of(client.send(body), client.account, dt.datetime.now(dt.UTC), left)
        except KaptureError as error:
            sight = Sight(error=error, left=left)
        self._flow.end(time.monotonic())
        if isinstance(sight.error, KaptureBusyError) and sight.error.status in BUSY and self.first_busy is None:
            self.first_busy = len(self.times) - 1
            self._flow = Flow(1, min(1.0, self.account.dialect.requests_per_second or 1.0))
        return sight


def _wait(error: KaptureError | None, attempt: int) -> float:
    asked = error.retry_after if isinstance(error, KaptureBusyError) else None
    return min(asked if asked is not None else 2.0 ** (attempt - 1), _LONGEST_WAIT)
