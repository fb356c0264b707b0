"""An account of Kapture: where it is, who asks, and the dialect of the API that it speaks."""

from __future__ import annotations

import difflib
import ipaddress
import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from airflow_provider_kapture.client import orders
from airflow_provider_kapture.client.errors import KaptureSettingsError

_MIB = 1024 * 1024
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.IGNORECASE)


def nearest(name: str, known: Collection[str]) -> str:
    """`; did you mean ...?` for a misspelt name, or nothing."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return f"; did you mean {by_lower[close[0]]!r}?" if close else ""


@dataclass(frozen=True, slots=True)
class Dialect:
    """The keys of the connection's extra: how this account's API behaves, and how hard it may be asked.

    Each meaning and default is the contract of the connection form. Values are checked by :func:`dialect_from_extra`.
    """

    cm_id: int
    timezone: str = "Asia/Kolkata"
    http_method: str = "POST"
    date_format: str = "%Y-%m-%d"
    end_date: str = "inclusive"
    max_days_per_request: int = 1
    paging: str = "rows"
    page_size: int = 500
    max_concurrency: int = 4
    requests_per_second: float | None = None
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    retry_budget: float = 600.0
    max_response_bytes: int = 64 * _MIB
    verify: bool | str = True
    # Out of ``repr``: it may name customers.
    default_body: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({"viewId": "2"}), repr=False)
    empty_messages: tuple[str, ...] = ()


EXTRA_KEYS: tuple[str, ...] = tuple(each.name for each in fields(Dialect))


@dataclass(frozen=True)
class Account:
    """Where, who, and the dialect. Frozen; the credentials stay out of ``repr``.

    :param origin: scheme, host and port, such as ``https://acme.kapturecrm.com``
    :param login: user name of the Basic credentials
    :param password: password of the Basic credentials
    :param dialect: the settings of the connection's extra
    :param unsaid: what no message may repeat, although Kapture does
    """

    origin: str
    login: str = field(repr=False)
    password: str = field(repr=False)
    dialect: Dialect
    unsaid: tuple[str, ...] = field(default=(), repr=False)

    @cached_property
    def zone(self) -> ZoneInfo:
        """The account's time zone: what a date means to Kapture."""
        return ZoneInfo(self.dialect.timezone)

    @property
    def host(self) -> str:
        """Host name, with the port where it is not the scheme's own."""
        return urlsplit(self.origin).netloc

    @classmethod
    def of(
        cls,
        host: str | None,
        login: str | None,
        password: str | None,
        extra: Mapping[str, Any],
        port: int | None = None,
    ) -> Account:
        """Check every field of a connection; nothing is sent.

        :raises KaptureSettingsError: names the field, the value seen (never a credential) and what would do
        """
        for name, value in (("login", login), ("password", password)):
            if not value:
                raise KaptureSettingsError(f"Connection field `{name}` is empty: Kapture wants Basic credentials")
            _check_secret(f"Connection field `{name}`", value)
        assert login is not None and password is not None
        if ":" in login:
            raise KaptureSettingsError("Connection field `login` holds a colon, which Basic credentials can't carry")
        return cls(origin_of(host, port), login, password, dialect_from_extra(extra))


def _check_secret(what: str, value: str) -> None:
    """A secret as somebody typed it, and not with what pasting or mounting it has added.

    :raises KaptureSettingsError: names the field; never shows the value
    """
    # A byte order mark is no white space to Python, and files begin with it.
    if value.strip() != value or value.strip("\ufeff") != value:
        raise KaptureSettingsError(
            f"{what} starts or ends with white space, such as the line break that `echo` adds to a mounted secret: "
            "remove it (`printf %s` or `echo -n` add none)"
        )
    if any(unicodedata.category(each) == "Cc" for each in value):
        raise KaptureSettingsError(f"{what} contains a control character, such as a line break or a tab: remove it")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise KaptureSettingsError(f"{what} contains characters that cannot be encoded as UTF-8") from None


def origin_of(host: str | None, port: int | None = None) -> str:
    """The origin that a connection's ``host`` means: a subdomain, a host name or an origin.

    :raises KaptureSettingsError: a path, user info, ``#``, spaces, ``..``; plain ``http://`` but to a loopback address
    """
    wrong = f"Connection field `host` is {_shown(host)}: "
    wanted = "give the subdomain (`acme`), a host name (`acme.kapturecrm.com`) or an origin (`https://kapture.acme.in`)"
    text = (host or "").strip(" ")
    if not text:
        raise KaptureSettingsError(wrong + wanted)
    scheme, separator, rest = text.rpartition("://")
    scheme = scheme.lower() if separator else "https"
    if scheme not in {"http", "https"}:
        raise KaptureSettingsError(f"{wrong}the scheme must be https; {wanted}")
    if _is_ipv6(rest):
        rest = f"[{rest}]"  # how Airflow takes apart a connection URI
    try:
        parts = urlsplit(f"{scheme}://{rest}")
        name, own_port = parts.hostname or "", parts.port
    except ValueError as error:
        raise KaptureSettingsError(wrong + wanted) from error
    bare = parts.netloc == rest.removesuffix("/") and rest.count("/") <= (1 if separator else 0)
    if not bare or "@" in rest or rest.endswith(":") or not _is_host_name(name):
        raise KaptureSettingsError(wrong + wanted)
    if scheme == "http" and not _is_loopback(name):
        raise KaptureSettingsError(f"{wrong}plain http:// would send the password in the clear; use https://")
    if own_port and port and own_port != port:
        raise KaptureSettingsError(f"{wrong}it and the field `port` ({port}) name different ports")
    if not separator and "." not in name and ":" not in name and name != "localhost":
        name = f"{name}.kapturecrm.com"
    name = f"[{name}]" if ":" in name else name
    chosen = own_port or port
    standard = {"http": 80, "https": 443}[scheme]
    return f"{scheme}://{name}" + (f":{chosen}" if chosen and chosen != standard else "")


def _shown(host: str | None) -> str:
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


def dialect_from_extra(extra: Mapping[str, Any]) -> Dialect:
    """The settings in a connection's extra; ``None`` and empty strings (fields untouched in the form) mean the default.

    :raises KaptureSettingsError: an unknown key (names the nearest known one), or a value that will not do
    """
    from airflow_provider_kapture.client import settings

    for key in extra:
        if key not in EXTRA_KEYS:
            hint = nearest(str(key), EXTRA_KEYS) or f"; the known keys are {', '.join(EXTRA_KEYS)}"
            raise KaptureSettingsError(f"Connection extra has an unknown key {str(key)!r}{hint}")
    given = {key: value for key, value in extra.items() if value is not None and value != ""}
    if "cm_id" not in given:
        raise KaptureSettingsError("Connection extra `cm_id` is missing: set it to the account's id (cmId), above 0")
    return Dialect(**{key: settings.READERS[key](key, value) for key, value in given.items()})


def check_body_keys(what: str, keys: Collection[str]) -> None:
    """Keys that the pull itself sets can't be set by ``what``.

    :raises KaptureSettingsError: names the key
    """
    for key in keys:
        if key in orders.PULL_KEYS:
            raise KaptureSettingsError(f"{what} holds {key!r}, which the pull sets itself: leave it out")
