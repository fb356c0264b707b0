"""What goes wrong below HTTP, in the same words whichever library moves the bytes."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

from airflow_provider_kapture.client.account import Account
from airflow_provider_kapture.client.errors import KaptureTransportError

CHUNK = 1 << 18
# A whole answer may take this many read time-outs: a server that drips bytes does not hold a pull for ever.
READS = 10
# Statuses that ask for fewer requests, not only for later ones.
BUSY = frozenset({429, 503})


def requests_failures() -> tuple[type[Exception], ...]:
    """What requests raises where no whole answer came."""
    import requests
    import urllib3

    return (requests.RequestException, urllib3.exceptions.HTTPError, OSError)


def transport_error(account: Account, error: BaseException) -> KaptureTransportError:
    """What went wrong below HTTP, in a user's words; nothing of the library's text, which may hold anything."""
    import requests
    import urllib3

    causes = tuple(_causes(error))
    if any(isinstance(each, ssl.SSLError) for each in causes):
        return KaptureTransportError(
            f"TLS with {account.host} failed: its certificate is not trusted, or it does not speak TLS; "
            "`verify` may name a CA bundle",
            reason="tls",
        )
    if any(isinstance(each, socket.gaierror | urllib3.exceptions.NameResolutionError) for each in causes):
        return KaptureTransportError(
            f"The name {account.host} can't be resolved: check the connection's host (the subdomain)", reason="name"
        )
    if any(isinstance(each, ConnectionRefusedError) for each in causes):
        return KaptureTransportError(f"{account.host} refused the connection", reason="refused")
    if any(isinstance(each, TimeoutError | requests.Timeout | urllib3.exceptions.TimeoutError) for each in causes):
        return KaptureTransportError(f"{account.host} did not answer in time", reason="timeout")
    return KaptureTransportError(f"The connection to {account.host} broke, or its answer was cut short")


def endless_error() -> KaptureTransportError:
    """An answer that came, but too slowly to ever be whole."""
    return KaptureTransportError(f"The answer was not whole after {READS} times `read_timeout`", reason="timeout")


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        reasons = [each.__cause__, each.__context__, getattr(each, "reason", None), *each.args]
        waiting += [reason for reason in reasons if isinstance(reason, BaseException)]
