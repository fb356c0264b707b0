"""The thin shell: asks what the examination wants to know, gently, and counts."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Self

from airflow_provider_kapture.client import Account, KaptureClient
from airflow_provider_kapture.client.api.request import build_query, request_body
from airflow_provider_kapture.client.days import DayRange
from airflow_provider_kapture.client.errors import KaptureBusyError, KaptureError
from airflow_provider_kapture.client.fetch.throttle import ConcurrencyLimiter
from airflow_provider_kapture.doctor.findings import Pace, Report, build_report, pace_finding
from airflow_provider_kapture.doctor.plan import plan_probes
from airflow_provider_kapture.doctor.probe import Probe, ProbeResult, to_probe_result

MAX_REQUESTS = 40
_MAX_TRIES = 3
_MAX_WAIT = 15.0


def diagnose(account: Account, day: dt.date | None = None, sleep: Callable[[float], None] = time.sleep) -> Report:
    """Find out how the account's API behaves, in at most :data:`MAX_REQUESTS` requests.

    :param account: where, who, and the settings to start from
    :param day: a day of the account that has orders; looked for among the latest where none is given
    :param sleep: how to wait, in seconds
    """
    steps = plan_probes(account, dt.datetime.now(account.zone).date(), day)
    with _Prober(account, sleep) as prober:
        probe = next(steps)
        while True:
            result = prober.send(probe)
            try:
                probe = steps.send(result)
            except StopIteration as finished:
                return build_report(finished.value, account.dialect, pace_finding(prober.pace()))


@dataclass
class _Prober:
    account: Account
    sleep: Callable[[float], None]
    times: list[float] = field(default_factory=list)
    first_busy: int | None = None

    def __post_init__(self) -> None:
        self._limiter = ConcurrencyLimiter(1, self.account.dialect.requests_per_second)
        self._client = KaptureClient(self.account)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def pace(self) -> Pace:
        return Pace(tuple(self.times), time.monotonic(), self.first_busy)

    def send(self, probe: Probe) -> ProbeResult:
        """Ask, and ask again where that may mend it."""
        dialect = replace(probe.dialect, end_date="inclusive")
        if dialect != self._client.account.dialect:
            self._client.close()
            self._client = KaptureClient(replace(self.account, dialect=dialect))
        for attempt in range(1, _MAX_TRIES + 1):
            result = self._try(probe)
            error = result.error
            is_retryable = error is not None and error.transient and not result.is_null
            if not is_retryable or not result.left or attempt == _MAX_TRIES:
                break
            self.sleep(_wait(error, attempt))
        return result

    def _try(self, probe: Probe) -> ProbeResult:
        client = self._client
        days = DayRange(probe.first, probe.last)
        body = request_body(client.account, build_query("create"), days, probe.offset, probe.limit)
        now = time.monotonic()
        delay = self._limiter.delay(now)
        if delay:
            self.sleep(delay)
        self._limiter.acquire(now + delay)
        self.times.append(time.monotonic())
        left = MAX_REQUESTS - len(self.times)
        try:
            result = to_probe_result(client.send(body), client.account, dt.datetime.now(dt.UTC), left)
        except KaptureError as error:
            result = ProbeResult(error=error, left=left)
        self._limiter.release(time.monotonic())
        if isinstance(result.error, KaptureBusyError) and result.error.reduces_concurrency and self.first_busy is None:
            self.first_busy = len(self.times) - 1
            self._limiter = ConcurrencyLimiter(1, min(1.0, self.account.dialect.requests_per_second or 1.0))
        return result


def _wait(error: KaptureError | None, attempt: int) -> float:
    requested = error.retry_after if isinstance(error, KaptureBusyError) else None
    return min(requested if requested is not None else 2.0 ** (attempt - 1), _MAX_WAIT)
