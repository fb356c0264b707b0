"""An account of Kapture: its origin, its credentials and its dialect of the API."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from airflow_provider_kapture.client.config.credentials import Credentials, make_credentials
from airflow_provider_kapture.client.config.headers import render_headers
from airflow_provider_kapture.client.config.origin import parse_origin
from airflow_provider_kapture.client.config.settings import Dialect, dialect_from_extra

_MIN_SECRET = 4


@dataclass(frozen=True)
class Account:
    """Where, who, and the dialect. Frozen; the credentials stay out of ``repr``.

    :param origin: scheme, host and port, such as ``https://acme.kapturecrm.com``
    :param credentials: what requests authenticate with
    :param dialect: the settings of the connection's extra
    :param headers: connection extra ``headers``, with their placeholders replaced
    :param redacted_terms: what no message may repeat, although Kapture does
    """

    origin: str
    credentials: Credentials = field(repr=False)
    dialect: Dialect
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    redacted_terms: tuple[str, ...] = field(default=(), repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every text that no message or log may repeat: credentials and header values."""
        # A value such as "1" is no secret, and would be cut out of every number.
        return (*self.credentials.secrets, *(each for each in self.headers.values() if len(each) >= _MIN_SECRET))

    @cached_property
    def zone(self) -> ZoneInfo:
        """The account's time zone: what a date means to Kapture."""
        return ZoneInfo(self.dialect.timezone)

    @property
    def host(self) -> str:
        """Host name, with the port where it is not the scheme's own."""
        return urlsplit(self.origin).netloc

    @classmethod
    def of(cls, *args: Any, **kwargs: Any) -> Account:
        """Return :meth:`from_connection`. Deprecated name of it; the next release removes it."""
        warnings.warn("Account.of is now Account.from_connection", DeprecationWarning, stacklevel=2)
        return cls.from_connection(*args, **kwargs)

    @classmethod
    def from_connection(
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
        dialect = dialect_from_extra(extra)
        credentials = make_credentials(login, password, dialect.auth)
        headers = render_headers(dialect.headers, credentials.token, password or login or "")
        return cls(parse_origin(host, port), credentials, dialect, headers)
