"""Whether a host whose name is not found does not exist, or is only not found for now."""

from __future__ import annotations

import time
from collections.abc import Callable

from airflow_provider_kapture.client.errors import KaptureTransportError, KaptureUnknownHostError

# Name servers deny a name for moments, too: while they start, or while a network changes.
LOOKUPS = 3
SECONDS = 10.0


class Lookups:
    """The lookups of a client's host until its first answer.

    :param host: whose name is looked up
    :param clock: tells seconds
    """

    def __init__(self, host: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._host = host
        self._clock = clock
        self._is_answered = False
        self._failed = 0
        self._since = 0.0

    def answered(self) -> None:
        """An answer came: the host exists, whatever its lookups say later."""
        self._is_answered = True

    def judge(self, error: KaptureTransportError) -> KaptureTransportError:
        """The error of a request, or the permanent one that it has become."""
        if self._is_answered or error.reason != "name":
            self._failed = 0
            return error
        now = self._clock()
        if not self._failed:
            self._since = now
        self._failed += 1
        if self._failed < LOOKUPS or now - self._since < SECONDS:
            return error
        return KaptureUnknownHostError(
            f"There is no host named {self._host}: check the connection's host (the subdomain)"
        )
