"""What this machine says of whom to trust and which proxy to take: read once, and checked before the first request."""

from __future__ import annotations

import base64
import os
import re
import ssl
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from urllib.parse import SplitResult, unquote_to_bytes, urlsplit

from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.errors import KaptureSettingsError

_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+(%[A-Za-z0-9._-]+)?")
# How OpenSSL finds a certificate in a directory.
_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]+")


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy, and the header that it wants.

    :ivar url: without credentials
    :ivar headers: of the request for a tunnel
    """

    url: str
    headers: dict[str, str] = field(default_factory=dict, repr=False)


def proxy_for(account: Account) -> Proxy | None:
    """The proxy that the environment names for the account.

    None for plain HTTP, which goes to this machine alone: a proxy would be told the password.

    :raises KaptureSettingsError: it is malformed, or one that only some of the transports could use
    """
    import requests.utils

    if account.origin.startswith("http://"):
        return None
    named = requests.utils.select_proxy(account.origin, requests.utils.get_environ_proxies(account.origin))
    if not named:
        return None
    named = named.strip()
    parts = _parts_of(named if "://" in named else f"http://{named}")
    if parts is None:
        # Not shown: it may hold a password.
        raise KaptureSettingsError(
            "The environment (HTTPS_PROXY or ALL_PROXY) names a proxy that is not a URL such as "
            "http://user:password@host:port: correct it, with special characters of the password percent-encoded"
        )
    if parts.scheme not in {"http", "https"}:
        raise KaptureSettingsError(
            "The environment (HTTPS_PROXY or ALL_PROXY) names a proxy that is not an HTTP proxy: set an http:// one, "
            f"or put {account.host} into NO_PROXY"
        )
    host = (parts.hostname or "").encode("idna").decode()
    host = f"[{host}]" if ":" in host else host
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    return Proxy(f"{parts.scheme}://{host}:{port}", _headers(parts))


def _parts_of(url: str) -> SplitResult | None:
    """The parts of a proxy's URL; none where a transport would not take it."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode()
        is_right = parts.port != 0 and _HOST.fullmatch(host) is not None
    except ValueError:
        return None
    return parts if is_right else None


def _headers(parts: SplitResult) -> dict[str, str]:
    if not parts.username and not parts.password:
        return {}
    # As curl sends it: the bytes as they are, so that what is outside ASCII is UTF-8.
    pair = ((each or "").encode("utf-8", "surrogateescape") for each in (parts.username, parts.password))
    credentials = b":".join(map(unquote_to_bytes, pair))
    return {"Proxy-Authorization": "Basic " + base64.b64encode(credentials).decode()}


def ca_bundle(account: Account) -> str | bool:
    """The CA bundle, a file or a directory, that certificates are held against; false for none.

    :raises KaptureSettingsError: it is not there, or is none
    """
    import requests.utils

    verify = account.dialect.verify
    if account.origin.startswith("http://") or verify is False:
        return verify is not False
    environment = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    path = verify if isinstance(verify, str) else environment or requests.utils.DEFAULT_CA_BUNDLE_PATH
    _context_at(path)
    return path


def trust(account: Account) -> ssl.SSLContext | bool:
    """The same as :func:`ca_bundle`, read: the same account must work in a worker and in a triggerer.

    :raises KaptureSettingsError: it is not there, or is none
    """
    trusted = ca_bundle(account)
    return trusted if isinstance(trusted, bool) else _context_at(trusted)


def _context_at(name: str) -> ssl.SSLContext:
    named = "which connection extra `verify`, REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names"
    try:
        path = Path(name)
        context = _read(path, path.stat().st_mtime_ns)
    except (FileNotFoundError, NotADirectoryError):
        raise KaptureSettingsError(f"There is no CA bundle at {name!r}, {named}") from None
    except (OSError, ValueError) as error:
        why = (not isinstance(error, ssl.SSLError) and getattr(error, "strerror", None)) or "no certificate in PEM"
        raise KaptureSettingsError(
            f"{name!r:.200}, {named}, cannot be used as a CA bundle ({why}): it must be a readable file of PEM "
            "certificates, or a directory of them that `openssl rehash` has prepared"
        ) from None
    return context


@lru_cache(maxsize=16)
def _read(path: Path, changed: int) -> ssl.SSLContext:  # noqa: ARG001 - what changed on disk is read again
    """One for all clients: to read a bundle takes tens of milliseconds and megabytes, and a triggerer has many."""
    if path.is_dir():
        if not any(_HASHED.fullmatch(each.name) for each in path.iterdir()):
            raise ValueError
        return ssl.create_default_context(capath=path)
    context = ssl.create_default_context(cafile=path)
    if not context.cert_store_stats()["x509"]:
        raise ValueError
    return context
