"""The origin of an account: scheme, host and port, parsed from a connection's host."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from airflow_provider_kapture.client.errors import KaptureSettingsError

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.IGNORECASE)


def parse_origin(host: str | None, port: int | None = None) -> str:
    """The origin that a connection's ``host`` means: a subdomain, a host name or an origin.

    :raises KaptureSettingsError: a path, user info, ``#``, spaces, ``..``; plain ``http://`` but to a loopback address
    """
    invalid = f"Connection field `host` is {_masked_host(host)}: "
    expected = (
        "give the subdomain (`acme`), a host name (`acme.kapturecrm.com`) or an origin (`https://kapture.acme.in`)"
    )
    text = (host or "").strip(" ")
    if not text:
        raise KaptureSettingsError(invalid + expected)
    scheme, separator, rest = text.rpartition("://")
    scheme = scheme.lower() if separator else "https"
    if scheme not in {"http", "https"}:
        raise KaptureSettingsError(f"{invalid}the scheme must be https; {expected}")
    if _is_ipv6(rest):
        rest = f"[{rest}]"  # how Airflow takes apart a connection URI
    try:
        parts = urlsplit(f"{scheme}://{rest}")
        name, own_port = parts.hostname or "", parts.port
    except ValueError as error:
        raise KaptureSettingsError(invalid + expected) from error
    bare = parts.netloc == rest.removesuffix("/") and rest.count("/") <= (1 if separator else 0)
    if not bare or "@" in rest or rest.endswith(":") or not _is_host_name(name):
        raise KaptureSettingsError(invalid + expected)
    if scheme == "http" and not _is_loopback(name):
        raise KaptureSettingsError(f"{invalid}plain http:// would send the password in the clear; use https://")
    if own_port and port and own_port != port:
        raise KaptureSettingsError(f"{invalid}it and the field `port` ({port}) name different ports")
    if not separator and "." not in name and ":" not in name and name != "localhost":
        name = f"{name}.kapturecrm.com"
    name = f"[{name}]" if ":" in name else name
    chosen = own_port or port
    standard = {"http": 80, "https": 443}[scheme]
    return f"{scheme}://{name}" + (f":{chosen}" if chosen and chosen != standard else "")


def _masked_host(host: str | None) -> str:
    """The host as a message may show it: what stands before an ``@`` may be a password."""
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
