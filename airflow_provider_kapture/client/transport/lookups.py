"""Distinguish a host name that does not exist from one that is not found for a moment."""

from __future__ import annotations

import time
from collections.abc import Callable

from airflow_provider_kapture.client.errors import KaptureTransportError, KaptureUnknownHostError

# Name servers also deny an existing name for moments, while they start or a network changes.
LOOKUPS = 3
SECONDS = 10.0


class Lookups:
    """Failed lookups of a client's host before its first response.

    :param host: host name
    :param clock: returns monotonic seconds
    """

    def __init__(self, host: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._host = host
        self._clock = clock
        self._is_answered = False
        self._failed = 0
        self._since = 0.0

    def answered(self) -> None:
        """Record a response: the host exists, even if later lookups fail."""
        self._is_answered = True

    def classify(self, error: KaptureTransportError) -> KaptureTransportError:
        """Return the error of a request, or a permanent one once the host counts as unknown."""
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
            f"The host {self._host} does not exist; check the connection's `host` (the subdomain)"
        )
