"""Proxy and CA bundle from the connection and this machine's environment, checked before the first request.

Both transports use this module, so that an account works in workers and in triggerers alike.
"""

from __future__ import annotations

import base64
import os
import re
import ssl
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from urllib.parse import SplitResult, unquote_to_bytes, urlsplit

import requests.utils

from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.errors import KaptureSettingsError

_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+(%[A-Za-z0-9._-]+)?")
# Names by which OpenSSL finds certificates in a directory.
_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]+")


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy and its credentials.

    :ivar url: URL without credentials
    :ivar headers: headers of the CONNECT request, with the credentials
    """

    url: str
    headers: dict[str, str] = field(default_factory=dict, repr=False)


def proxy_for(account: Account) -> Proxy | None:
    """Return the proxy that the environment names for the account, or None.

    None for plain HTTP, which is used for this machine only: the password would pass the proxy unencrypted.

    :raises KaptureSettingsError: the proxy's URL is malformed, or of a kind that a transport does not support
    """
    if account.origin.startswith("http://"):
        return None
    named = requests.utils.select_proxy(account.origin, requests.utils.get_environ_proxies(account.origin))
    if not named:
        return None
    named = named.strip()
    parts = _split_url(named if "://" in named else f"http://{named}")
    if parts is None:
        # The URL is not shown, because it may contain a password.
        raise KaptureSettingsError(
            "The proxy in the environment (HTTPS_PROXY or ALL_PROXY) is not a URL such "
            "as http://user:password@host:port; correct it, and percent-encode special characters of the password"
        )
    if parts.scheme not in {"http", "https"}:
        raise KaptureSettingsError(
            "The proxy in the environment (HTTPS_PROXY or ALL_PROXY) is not an HTTP proxy; set an http:// proxy, or "
            f"add {account.host} to NO_PROXY"
        )
    host = (parts.hostname or "").encode("idna").decode()
    host = f"[{host}]" if ":" in host else host
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    return Proxy(f"{parts.scheme}://{host}:{port}", _headers(parts))


def _split_url(url: str) -> SplitResult | None:
    """Return the parts of a proxy's URL, or None if a transport would reject it."""
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
    # As curl does: the bytes are sent unchanged, so that non-ASCII characters are UTF-8.
    pair = ((each or "").encode("utf-8", "surrogateescape") for each in (parts.username, parts.password))
    credentials = b":".join(map(unquote_to_bytes, pair))
    return {"Proxy-Authorization": "Basic " + base64.b64encode(credentials).decode()}


def ca_bundle(account: Account) -> str | bool:
    """Return the path of the CA bundle, a file or a directory, that certificates are verified with; False for none.

    :raises KaptureSettingsError: the bundle does not exist or is unusable
    """
    verify = account.dialect.verify
    if account.origin.startswith("http://") or verify is False:
        return verify is not False
    environment = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    path = verify if isinstance(verify, str) else environment or requests.utils.DEFAULT_CA_BUNDLE_PATH
    _load_context(path)
    return path


def ssl_context(account: Account) -> ssl.SSLContext | bool:
    """Return the SSL context with the CA bundle of :func:`ca_bundle`; False for no verification.

    :raises KaptureSettingsError: the bundle does not exist or is unusable
    """
    bundle = ca_bundle(account)
    return bundle if isinstance(bundle, bool) else _load_context(bundle)


def _load_context(name: str) -> ssl.SSLContext:
    source = "set by connection extra `verify`, REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE"
    try:
        path = Path(name)
        context = _read(path, path.stat().st_mtime_ns)
    except (FileNotFoundError, NotADirectoryError):
        raise KaptureSettingsError(
            f"CA bundle not found: {name!r} ({source}); correct the path, or install the bundle on each worker"
        ) from None
    except (OSError, ValueError) as error:
        why = (not isinstance(error, ssl.SSLError) and getattr(error, "strerror", None)) or "no PEM certificate"
        raise KaptureSettingsError(
            f"{name!r:.200} ({source}) cannot be used as a CA bundle ({why}); it must be a readable file of PEM "
            "certificates, or a directory that `openssl rehash` has prepared"
        ) from None
    return context


@lru_cache(maxsize=16)
def _read(path: Path, changed: int) -> ssl.SSLContext:  # noqa: ARG001 - a changed bundle is read again
    """Read a CA bundle. Cached: this takes tens of milliseconds and megabytes, and a triggerer has many clients."""
    if path.is_dir():
        if not any(_HASHED.fullmatch(each.name) for each in path.iterdir()):
            raise ValueError
        return ssl.create_default_context(capath=path)
    context = ssl.create_default_context(cafile=path)
    if not context.cert_store_stats()["x509"]:
        raise ValueError
    return context
