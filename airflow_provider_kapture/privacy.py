"""Filters that may identify a customer: they must not appear in Airflow's database, logs or UI.

Redaction in error messages is in ``client.api.redaction``; which filters are personal is in ``client.orders``.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from numbers import Number
from typing import Any

import msgspec
from airflow.providers.common.compat.sdk import mask_secret

from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.errors import KaptureError
from airflow_provider_kapture.client.orders import PERSONAL_FILTERS


def split_personal(filters: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the filters that cannot identify a customer, and those that may."""
    return (
        {name: value for name, value in filters.items() if name not in PERSONAL_FILTERS},
        {name: value for name, value in filters.items() if name in PERSONAL_FILTERS},
    )


def encrypt_filters(account: Account, filters: Mapping[str, str]) -> str | None:
    """Return the filters encrypted with the account's credentials; None if there are no filters.

    Airflow stores a trigger's arguments in its database, and some versions show them to everybody who may see the task.
    Worker and triggerer both have the connection, so no other key is needed.
    """
    from cryptography.fernet import Fernet

    return (
        Fernet(_key(account.credentials.login, account.credentials.password, account.origin))
        .encrypt(msgspec.json.encode(filters))
        .decode()
        if filters
        else None
    )


def decrypt_filters(account: Account, text: str | None) -> dict[str, str]:
    """Return the filters that :func:`encrypt_filters` encrypted; none for None.

    :raises KaptureError: the connection's credentials have changed since
    """
    from cryptography.fernet import Fernet, InvalidToken

    if text is None:
        return {}
    try:
        return msgspec.json.decode(
            Fernet(_key(account.credentials.login, account.credentials.password, account.origin)).decrypt(text),
            type=dict[str, str],
        )
    except InvalidToken:
        raise KaptureError(
            "The connection's credentials changed while this task waited, so its encrypted filters can no longer be "
            "decrypted; run the task again"
        ) from None


def mask_personal(filters: object) -> None:
    """Register the values of filters that may identify a customer with Airflow's masking of logs and rendered fields.

    :param filters: filter names to values; anything but a mapping is ignored
    """
    for value in _texts(split_personal(filters)[1].values() if isinstance(filters, Mapping) else ()):
        mask_secret(value)


def _texts(values: Iterable[Any]) -> Iterable[str]:
    for value in values:
        if isinstance(value, str | Number):
            # The value as given, as it is sent, and each item of a comma-separated list.
            yield from {
                text for part in (str(value), *str(value).split(",")) for text in (part, part.removesuffix(".0"))
            }
        elif isinstance(value, Sequence | AbstractSet) and not isinstance(value, bytes | bytearray | memoryview):
            yield from _texts(value)


@lru_cache(maxsize=16)
def _key(login: str, password: str, origin: str) -> bytes:
    """Return the encryption key; slow on purpose, so that passwords cannot be guessed quickly from the stored text."""
    salt = f"{origin} {login}".encode()
    return base64.urlsafe_b64encode(hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1, dklen=32))
