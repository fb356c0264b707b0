"""What goes wrong below HTTP, in the same words whichever library moves the bytes."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.errors import KaptureProxyAuthError, KaptureTransportError

CHUNK_SIZE = 1 << 18
# A whole answer may take this many read time-outs: a server that drips bytes does not hold a pull for ever.
TOTAL_TIMEOUT_FACTOR = 10

# By name: each transport's library is imported where it is used.
_PROXY_ERRORS = frozenset({"ProxyError", "ClientProxyConnectionError", "ClientHttpProxyError"})
_TIMEOUTS = frozenset({"Timeout", "ReadTimeout", "ConnectTimeout", "ReadTimeoutError", "ConnectTimeoutError"})
_UNKNOWN_HOST_ERRNOS = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})
# TLS that was there, and broke: what a reset connection looks like from above.
_BROKEN_TLS = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
_BROKEN_RECORDS = ("BAD_RECORD", "DECRYPTION_FAILED", "BAD_DECRYPT", "INTERNAL_ERROR", "CLOSE_NOTIFY")


class ResponseTooSlowError(TimeoutError):
    """An answer that came, but too slowly to ever be whole."""


def transport_error(account: Account, error: BaseException) -> KaptureTransportError:
    """What went wrong below HTTP, in a user's words; nothing of the library's text, which may hold anything."""
    causes = tuple(_causes(error))
    names = {type(each).__name__ for each in causes}
    if any(isinstance(each, ResponseTooSlowError) for each in causes):
        return KaptureTransportError(
            f"The answer was not whole after {TOTAL_TIMEOUT_FACTOR} times `read_timeout`", reason="timeout"
        )
    if names & _PROXY_ERRORS:
        if any(_wants_other_credentials(each) for each in causes):
            return KaptureProxyAuthError(
                f"The proxy on the way to {account.host} wants other credentials (407): check the user and password in "
                "HTTPS_PROXY or ALL_PROXY"
            )
        return KaptureTransportError(
            f"The proxy on the way to {account.host}, which the environment names, can't be reached or did not let the "
            "connection through",
            reason="proxy",
        )
    for each in causes:
        # Of ssl itself: aiohttp's own errors are of its classes, too, and say nothing of why.
        if isinstance(each, ssl.SSLError) and type(each).__module__ == "ssl" and not _is_broken(each):
            return _tls_error(account, each)
        if isinstance(each, socket.gaierror):
            return _name_error(account, each)
    message, reason = f"The connection to {account.host} broke, or its answer was cut short", "broken"
    if any(isinstance(each, ConnectionRefusedError) for each in causes):
        message, reason = f"{account.host} refused the connection", "refused"
    elif names & _TIMEOUTS or any(isinstance(each, TimeoutError) for each in causes):
        message, reason = f"{account.host} did not answer in time", "timeout"
    return KaptureTransportError(message, reason=reason)


def _wants_other_credentials(error: BaseException) -> bool:
    # The standard library tells a status that is not 200 in its text alone.
    return getattr(error, "status", None) == 407 or str(error).startswith("Tunnel connection failed: 407")


def _is_broken(error: ssl.SSLError) -> bool:
    reason = error.reason or ""
    # What is not of the TLS library's own telling comes from below it.
    is_below = error.library != "SSL"
    return is_below or isinstance(error, _BROKEN_TLS) or any(each in reason for each in _BROKEN_RECORDS)


def _tls_error(account: Account, error: ssl.SSLError) -> KaptureTransportError:
    if isinstance(error, ssl.SSLCertVerificationError):
        why = f"its certificate is not trusted ({error.verify_message})"
    else:
        why = "it does not speak TLS, or no version of it that is allowed here"
    return KaptureTransportError(
        f"TLS with {account.host} failed: {why}; `verify` or REQUESTS_CA_BUNDLE may name a CA bundle", reason="tls"
    )


def _name_error(account: Account, error: socket.gaierror) -> KaptureTransportError:
    if error.errno in _UNKNOWN_HOST_ERRNOS:
        return KaptureTransportError(
            f"The name {account.host} can't be resolved: check the connection's host (the subdomain)", reason="name"
        )
    return KaptureTransportError(
        f"The name {account.host} can't be resolved for now: name resolution on this machine does not answer",
        reason="resolver",
    )


def cancelled_error() -> KaptureTransportError:
    """What is left of a pull that nobody waits for any more."""
    return KaptureTransportError("The pull was given up", reason="cancelled")


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    pending: list[BaseException] = [error]
    while pending:
        each = pending.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        reasons = [each.__cause__, each.__context__, getattr(each, "reason", None), *each.args]
        pending += [reason for reason in reasons if isinstance(reason, BaseException)]
