"""Parse a connection's host into an origin: scheme, host name and port."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from airflow_provider_kapture.client.errors import KaptureSettingsError

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.IGNORECASE)


def parse_origin(host: str | None, port: int | None = None) -> str:
    """Return the origin of a connection's ``host``, such as ``https://acme.kapturecrm.com``.

    :param host: a subdomain, a host name or an origin
    :param port: the connection's port
    :raises KaptureSettingsError: a path, user info, ``#``, spaces or ``..``; plain ``http://`` to another host than a
        loopback address
    """
    invalid = f"Connection field `host` is {_masked_host(host)}: "
    expected = (
        "enter the subdomain (`acme`), a host name (`acme.kapturecrm.com`) or an origin (`https://kapture.acme.in`)"
    )
    text = (host or "").strip(" ")
    if not text:
        raise KaptureSettingsError(invalid + expected)
    scheme, separator, rest = text.rpartition("://")
    scheme = scheme.lower() if separator else "https"
    if scheme not in {"http", "https"}:
        raise KaptureSettingsError(f"{invalid}the scheme must be https; {expected}")
    if _is_ipv6(rest):
        rest = f"[{rest}]"  # Airflow removes the brackets when it parses a connection URI
    try:
        parts = urlsplit(f"{scheme}://{rest}")
        name, own_port = parts.hostname or "", parts.port
    except ValueError as error:
        raise KaptureSettingsError(invalid + expected) from error
    bare = parts.netloc == rest.removesuffix("/") and rest.count("/") <= (1 if separator else 0)
    if not bare or "@" in rest or rest.endswith(":") or not _is_host_name(name):
        raise KaptureSettingsError(invalid + expected)
    if scheme == "http" and not _is_loopback(name):
        raise KaptureSettingsError(f"{invalid}plain http:// would send the password unencrypted; use https://")
    if own_port and port and own_port != port:
        raise KaptureSettingsError(f"{invalid}its port differs from the field `port` ({port}); remove one of the two")
    if not separator and "." not in name and ":" not in name and name != "localhost":
        name = f"{name}.kapturecrm.com"
    name = f"[{name}]" if ":" in name else name
    chosen = own_port or port
    standard = {"http": 80, "https": 443}[scheme]
    return f"{scheme}://{name}" + (f":{chosen}" if chosen and chosen != standard else "")


def _masked_host(host: str | None) -> str:
    """Return the host for a message, without what precedes an ``@``, which may be a password."""
    return "empty" if not host else repr(host if "@" not in host else "...@" + host.rpartition("@")[2])


def _is_host_name(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        labels = name.split(".")
        return len(name) <= 253 and all(_LABEL.fullmatch(label) for label in labels)
    return True


def _is_ipv6(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).version == 6
    except ValueError:
        return False


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"
