"""Translate the network errors of requests, aiohttp and the standard library into one set of messages.

Errors of complete responses are in `api/failures.py`.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.errors import KaptureProxyAuthError, KaptureTransportError

CHUNK_SIZE = 1 << 18
# A complete response may take this many read time-outs, so that a server that sends single bytes cannot block a pull.
TOTAL_TIMEOUT_FACTOR = 10

# Compared by name, because each transport imports only its own library.
_PROXY_ERRORS = frozenset({"ProxyError", "ClientProxyConnectionError", "ClientHttpProxyError"})
_TIMEOUTS = frozenset({"Timeout", "ReadTimeout", "ConnectTimeout", "ReadTimeoutError", "ConnectTimeoutError"})
_UNKNOWN_HOST_ERRNOS = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})
# Errors of an established TLS connection that was reset.
_BROKEN_TLS = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
_BROKEN_RECORDS = ("BAD_RECORD", "DECRYPTION_FAILED", "BAD_DECRYPT", "INTERNAL_ERROR", "CLOSE_NOTIFY")


class ResponseTooSlowError(TimeoutError):
    """A response that arrives too slowly to become complete in time."""


def transport_error(account: Account, error: BaseException) -> KaptureTransportError:
    """Return the error for an exception of a library, without its text, which may contain secrets."""
    causes = tuple(_causes(error))
    names = {type(each).__name__ for each in causes}
    if any(isinstance(each, ResponseTooSlowError) for each in causes):
        return KaptureTransportError(
            f"The response was still incomplete after {TOTAL_TIMEOUT_FACTOR} x `read_timeout`; reduce `page_size` or "
            "raise `read_timeout`",
            reason="timeout",
        )
    if names & _PROXY_ERRORS:
        if any(_is_proxy_auth_error(each) for each in causes):
            return KaptureProxyAuthError(
                f"The proxy for {account.host} rejected its credentials (407); check the user and password in "
                "HTTPS_PROXY or ALL_PROXY"
            )
        return KaptureTransportError(
            f"The proxy for {account.host} cannot be reached or refused the connection; check HTTPS_PROXY, ALL_PROXY "
            "and NO_PROXY",
            reason="proxy",
        )
    for each in causes:
        # Errors of ssl itself only: aiohttp's subclasses of them do not contain the reason.
        if isinstance(each, ssl.SSLError) and type(each).__module__ == "ssl" and not _is_broken(each):
            return _tls_error(account, each)
        if isinstance(each, socket.gaierror):
            return _name_error(account, each)
    message, reason = f"The connection to {account.host} broke, or its response was truncated", "broken"
    if any(isinstance(each, ConnectionRefusedError) for each in causes):
        message, reason = f"{account.host} refused the connection; check the connection's `host` and `port`", "refused"
    elif names & _TIMEOUTS or any(isinstance(each, TimeoutError) for each in causes):
        dialect, is_connect = account.dialect, any("Connect" in name for name in names)
        limit = ("connect_timeout", dialect.connect_timeout) if is_connect else ("read_timeout", dialect.read_timeout)
        message, reason = f"{account.host} did not respond in time: `{limit[0]}` is {limit[1]:g} s", "timeout"
    return KaptureTransportError(message, reason=reason)


def _is_proxy_auth_error(error: BaseException) -> bool:
    # The standard library states the status in its text only.
    return getattr(error, "status", None) == 407 or str(error).startswith("Tunnel connection failed: 407")


def _is_broken(error: ssl.SSLError) -> bool:
    reason = error.reason or ""
    # An error that the TLS library did not raise itself is one of the connection below it.
    is_below = error.library != "SSL"
    return is_below or isinstance(error, _BROKEN_TLS) or any(each in reason for each in _BROKEN_RECORDS)


def _tls_error(account: Account, error: ssl.SSLError) -> KaptureTransportError:
    if isinstance(error, ssl.SSLCertVerificationError):
        why = f"its certificate is not trusted ({error.verify_message})"
    else:
        why = "it does not support TLS, or no version that this machine allows"
    return KaptureTransportError(
        f"TLS with {account.host} failed: {why}; to trust another CA, set `verify` or REQUESTS_CA_BUNDLE to its bundle",
        reason="tls",
    )


def _name_error(account: Account, error: socket.gaierror) -> KaptureTransportError:
    if error.errno in _UNKNOWN_HOST_ERRNOS:
        return KaptureTransportError(
            f"The host name {account.host} cannot be resolved; check the connection's `host` (the subdomain)",
            reason="name",
        )
    return KaptureTransportError(
        f"The host name {account.host} cannot be resolved at the moment, because name resolution on this machine does "
        "not respond",
        reason="resolver",
    )


def cancelled_error() -> KaptureTransportError:
    """Return the error of requests whose pull has ended."""
    return KaptureTransportError("The pull was cancelled", reason="cancelled")


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
