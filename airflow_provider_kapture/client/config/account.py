"""An account of Kapture: where it is, who asks, and the dialect of the API that it speaks."""

from __future__ import annotations

import unicodedata
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from airflow_provider_kapture.client.config.origin import parse_origin
from airflow_provider_kapture.client.config.settings import Dialect, dialect_from_extra
from airflow_provider_kapture.client.errors import KaptureSettingsError


@dataclass(frozen=True)
class Account:
    """Where, who, and the dialect. Frozen; the credentials stay out of ``repr``.

    :param origin: scheme, host and port, such as ``https://acme.kapturecrm.com``
    :param login: user name of the Basic credentials
    :param password: password of the Basic credentials
    :param dialect: the settings of the connection's extra
    :param redacted_terms: what no message may repeat, although Kapture does
    """

    origin: str
    login: str = field(repr=False)
    password: str = field(repr=False)
    dialect: Dialect
    redacted_terms: tuple[str, ...] = field(default=(), repr=False)

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
        for name, value in (("login", login), ("password", password)):
            if not value:
                raise KaptureSettingsError(f"Connection field `{name}` is empty: Kapture wants Basic credentials")
            _check_secret(f"Connection field `{name}`", value)
        assert login is not None and password is not None
        if ":" in login:
            raise KaptureSettingsError("Connection field `login` holds a colon, which Basic credentials can't carry")
        return cls(parse_origin(host, port), login, password, dialect_from_extra(extra))


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
