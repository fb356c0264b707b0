"""The account of a connection: origin, credentials and dialect. Each part is parsed in its own module."""

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
    """An account of Kapture: origin, credentials and dialect. Frozen; credentials are not in ``repr``.

    :param origin: scheme, host and port, such as ``https://acme.kapturecrm.com``
    :param credentials: credentials of every request
    :param dialect: settings of the connection's extra
    :param headers: connection extra ``headers``, with their placeholders replaced
    :param redacted_terms: personal values of the query, removed from Kapture's messages
    """

    origin: str
    credentials: Credentials = field(repr=False)
    dialect: Dialect
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    redacted_terms: tuple[str, ...] = field(default=(), repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Texts that are removed from messages and logs: credentials and header values."""
        # A value such as "1" is not a secret, and would be removed from every number.
        return (*self.credentials.secrets, *(each for each in self.headers.values() if len(each) >= _MIN_SECRET))

    @cached_property
    def zone(self) -> ZoneInfo:
        """Time zone of the account's dates."""
        return ZoneInfo(self.dialect.timezone)

    @property
    def host(self) -> str:
        """Host name, with the port if it is not the default of the scheme."""
        return urlsplit(self.origin).netloc

    @classmethod
    def of(cls, *args: Any, **kwargs: Any) -> Account:
        """Return :meth:`from_connection`. Deprecated name; the next release removes it."""
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
        """Return the account of a connection's fields, checked. Sends nothing.

        :param host: subdomain, host name or origin
        :param login: login; empty for a key or token
        :param password: password, key or token
        :param extra: the connection's extra, parsed
        :param port: port, if it is not in ``host`` and not the default
        :raises KaptureSettingsError: a field is missing or invalid; the message never contains a credential
        """
        dialect = dialect_from_extra(extra)
        credentials = make_credentials(login, password, dialect.auth)
        headers = render_headers(dialect.headers, credentials.token, password or login or "")
        return cls(parse_origin(host, port), credentials, dialect, headers)
