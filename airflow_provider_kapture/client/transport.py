"""What goes wrong below HTTP, in the same words whichever library moves the bytes; and the environment's say."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from airflow_provider_kapture.client.account import Account
from airflow_provider_kapture.client.errors import KaptureSettingsError, KaptureTransportError

CHUNK = 1 << 18
# A whole answer may take this many read time-outs: a server that drips bytes does not hold a pull for ever.
READS = 10

# By name: each transport's library is imported where it is used.
_PROXY_ERRORS = frozenset({"ProxyError", "ClientProxyConnectionError", "ClientHttpProxyError"})
_TIMEOUTS = frozenset({"Timeout", "ReadTimeout", "ConnectTimeout", "ReadTimeoutError", "ConnectTimeoutError"})
_NO_SUCH_NAME = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})
# TLS that was there, and broke: what a reset connection looks like from above.
_BROKEN_TLS = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
_BROKEN_RECORDS = ("BAD_RECORD", "DECRYPTION_FAILED", "BAD_DECRYPT", "INTERNAL_ERROR", "CLOSE_NOTIFY")


class EndlessError(TimeoutError):
    """An answer that came, but too slowly to ever be whole."""


def transport_error(account: Account, error: BaseException) -> KaptureTransportError:
    """What went wrong below HTTP, in a user's words; nothing of the library's text, which may hold anything."""
    causes = tuple(_causes(error))
    names = {type(each).__name__ for each in causes}
    if any(isinstance(each, EndlessError) for each in causes):
        return KaptureTransportError(f"The answer was not whole after {READS} times `read_timeout`", reason="timeout")
    if names & _PROXY_ERRORS:
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
    what, reason = f"The connection to {account.host} broke, or its answer was cut short", "broken"
    if any(isinstance(each, ConnectionRefusedError) for each in causes):
        what, reason = f"{account.host} refused the connection", "refused"
    elif names & _TIMEOUTS or any(isinstance(each, TimeoutError) for each in causes):
        what, reason = f"{account.host} did not answer in time", "timeout"
    return KaptureTransportError(what, reason=reason)


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
    if error.errno in _NO_SUCH_NAME:
        return KaptureTransportError(
            f"The name {account.host} can't be resolved: check the connection's host (the subdomain)", reason="name"
        )
    return KaptureTransportError(
        f"The name {account.host} can't be resolved for now: name resolution on this machine does not answer",
        reason="resolver",
    )


def stopped_error() -> KaptureTransportError:
    """What is left of a pull that nobody waits for any more."""
    return KaptureTransportError("The pull was given up", reason="stopped")


def proxy_for(account: Account) -> str | None:
    """The proxy that the environment names for the account.

    None for plain HTTP, which goes to this machine alone: a proxy would be told the password.

    :raises KaptureSettingsError: one that only some of the transports could use
    """
    import requests.utils

    if account.origin.startswith("http://"):
        return None
    proxy = requests.utils.select_proxy(account.origin, requests.utils.get_environ_proxies(account.origin))
    if not proxy:
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    if urlsplit(proxy).scheme.lower() not in {"http", "https"}:
        raise KaptureSettingsError(
            "The environment (HTTPS_PROXY or ALL_PROXY) names a proxy that is not an HTTP proxy: set an http:// one, "
            f"or put {account.host} into NO_PROXY"
        )
    return proxy


def trusted_by(account: Account) -> str | bool:
    """The CA bundle, a file or a directory, that certificates are held against; false for none.

    :raises KaptureSettingsError: it is not there
    """
    import requests.utils

    verify = account.dialect.verify
    if verify is False:
        return False
    environment = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    path = verify if isinstance(verify, str) else environment or requests.utils.DEFAULT_CA_BUNDLE_PATH
    if not Path(path).exists():
        raise KaptureSettingsError(
            f"There is no CA bundle at {path!r}, which connection extra `verify` or REQUESTS_CA_BUNDLE names"
        )
    return path


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
