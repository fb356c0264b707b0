"""The shell of the doctor: sends what the plan asks for, one request at a time, with retries and a progress line."""

from __future__ import annotations

import datetime as dt
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Self

from airflow_provider_kapture.client import Account, KaptureClient
from airflow_provider_kapture.client.api.request import build_query, page_request
from airflow_provider_kapture.client.errors import KaptureBusyError, KaptureError, KaptureTransportError
from airflow_provider_kapture.client.fetch.throttle import ConcurrencyLimiter
from airflow_provider_kapture.client.transport.cookies import PullCookies
from airflow_provider_kapture.doctor.examination import Steps
from airflow_provider_kapture.doctor.findings import Finding, Report, build_report
from airflow_provider_kapture.doctor.pace import Pace, pace_finding
from airflow_provider_kapture.doctor.plan import plan_probes
from airflow_provider_kapture.doctor.probe import Probe, ProbeResult, account_for
from airflow_provider_kapture.doctor.reading import to_probe_result

MAX_REQUESTS = 60
_MAX_TRIES = 3
# Tries of a request that comes too soon after others.
_MAX_BUSY_TRIES = 5
_MAX_WAIT = 15.0
Progress = Callable[[int, str], None]


def diagnose(
    account: Account,
    day: dt.date | None = None,
    sleep: Callable[[float], None] = time.sleep,
    progress: Progress = lambda *_: None,
    tell: Callable[[Finding], None] = lambda _: None,
) -> Report:
    """Find out how the account's API behaves, in at most :data:`MAX_REQUESTS` requests.

    :param account: where, who, and the settings to start from
    :param day: a day of the account that has orders; looked for where none is given
    :param sleep: how to wait, in seconds
    :param progress: is told the number of each request, and what it is to find out
    :param tell: is told each finding as soon as it is found; of a question that is answered again, the last one counts
    """
    findings: list[Finding] = []
    told = 0
    steps = plan_probes(account, dt.datetime.now(account.zone).date(), day, findings)
    with _Prober(account, sleep, progress) as prober:
        probe: Probe | None = next(steps)
        while probe is not None:
            probe = _next_probe(steps, prober.send(probe))
            if probe is None:
                findings.append(pace_finding(prober.pace(), account.dialect.requests_per_second))
            for each in findings[told:]:
                tell(each)
            told = len(findings)
    return build_report(findings, account.dialect)


def _next_probe(steps: Steps[list[Finding]], result: ProbeResult) -> Probe | None:
    try:
        return steps.send(result)
    except StopIteration:
        return None


@dataclass
class _Prober:
    account: Account
    sleep: Callable[[float], None]
    progress: Progress
    times: list[float] = field(default_factory=list)
    first_busy: int | None = None

    def __post_init__(self) -> None:
        self._limiter = ConcurrencyLimiter(1, self.account.dialect.requests_per_second)
        self._clients: dict[object, KaptureClient] = {}
        self._cookies = PullCookies(self.account.origin)
        self._has_answered = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._clients.values():
            each.close()

    def pace(self) -> Pace:
        """Return when requests were made."""
        return Pace(tuple(self.times), time.monotonic(), self.first_busy)

    def send(self, probe: Probe) -> ProbeResult:
        """Make a request, and make it again where that may mend it."""
        too_fast = None
        answered: ProbeResult | None = None  # a response, where a later try brings none
        for attempt in range(1, _MAX_BUSY_TRIES + 1):
            result = self._try(probe)
            error = result.error
            if error is None or not isinstance(error, KaptureTransportError):
                answered = result
            is_busy = isinstance(error, KaptureBusyError) and error.reduces_concurrency
            number = len(self.times) - 1
            too_fast = number if result.is_too_fast and too_fast is None else too_fast
            tries = _MAX_TRIES if too_fast is None else _MAX_BUSY_TRIES
            if error is None or not error.transient or not result.left or attempt == tries:
                break
            if result.is_timeout and probe.days is None:
                break
            if probe.is_tentative and not is_busy and not isinstance(error, KaptureTransportError):
                break
            self.sleep(_wait(error, attempt))
        if too_fast is not None and not is_busy:
            # A wait has mended it: there were too many requests.
            self.first_busy = too_fast if self.first_busy is None else self.first_busy
            self._limiter = ConcurrencyLimiter(1, self._slower())
        return result if answered is None else replace(answered, left=result.left)

    def _try(self, probe: Probe) -> ProbeResult:
        # Both dates are sent as the probe has them.
        account = account_for(self.account, replace(probe.dialect, end_date="inclusive"))
        self._wait_for_turn()
        self.times.append(time.monotonic())
        self.progress(len(self.times), probe.topic)
        left = MAX_REQUESTS - len(self.times)
        body, max_bytes = page_request(account, build_query("create"), probe.days, probe.offset, probe.limit)
        try:
            response = self._client(account).send(body, self._cookies, max_bytes)
            now = dt.datetime.now(dt.UTC)
            result = to_probe_result(response, account, now, left, has_answered=self._has_answered)
        except KaptureError as error:
            result = ProbeResult(error=error, left=left)
        self._limiter.release(time.monotonic())
        self._has_answered = self._has_answered or result.is_answered
        return result

    def _slower(self) -> float:
        """Return half of the requests a second that were answered, and at least one."""
        stood = self.pace().stood
        return min(max(stood / 2, 1.0), self.account.dialect.requests_per_second or math.inf)

    def _wait_for_turn(self) -> None:
        now = time.monotonic()
        delay = self._limiter.delay(now)
        if delay:
            self.sleep(delay)
        self._limiter.acquire(now + delay)

    def _client(self, account: Account) -> KaptureClient:
        key = (account.dialect.http_method, account.credentials.token)
        if key not in self._clients:
            self._clients[key] = KaptureClient(account)
        return self._clients[key]


def _wait(error: KaptureError, attempt: int) -> float:
    requested = error.retry_after if isinstance(error, KaptureBusyError) else None
    return min(requested if requested is not None else 2.0 ** (attempt - 1), _MAX_WAIT)
