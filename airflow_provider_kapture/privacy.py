"""Filters that tell who a customer is: not for Airflow's database, its logs nor whoever may look at a task."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from numbers import Number
from typing import Any

import msgspec

from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.errors import KaptureError
from airflow_provider_kapture.client.orders import PERSONAL_FILTERS


def split_personal(filters: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Those filters that tell nothing of a customer, and those that may."""
    return (
        {name: value for name, value in filters.items() if name not in PERSONAL_FILTERS},
        {name: value for name, value in filters.items() if name in PERSONAL_FILTERS},
    )


def encrypt_filters(account: Account, filters: Mapping[str, str]) -> str | None:
    """The filters as a text that only the account's credentials open; none where there are none.

    Triggers are given to Airflow's database, from where some versions show their arguments to whoever may see the task.
    Both who seals and who opens have the connection, and need no other key.
    """
    from cryptography.fernet import Fernet

    return (
        Fernet(_key(account.login, account.password, account.origin)).encrypt(msgspec.json.encode(filters)).decode()
        if filters
        else None
    )


def decrypt_filters(account: Account, text: str | None) -> dict[str, str]:
    """The filters that were sealed.

    :raises KaptureError: the connection's credentials are others by now
    """
    from cryptography.fernet import Fernet, InvalidToken

    if text is None:
        return {}
    try:
        return msgspec.json.decode(
            Fernet(_key(account.login, account.password, account.origin)).decrypt(text), type=dict[str, str]
        )
    except InvalidToken:
        raise KaptureError(
            "The connection's credentials changed while this task waited, and its filters were sealed with the former "
            "ones: run the task again"
        ) from None


def mask_personal(filters: object) -> None:
    """Have Airflow hide the values of filters that tell who a customer is, in logs and in rendered fields."""
    from airflow.providers.common.compat.sdk import mask_secret

    for value in _texts(split_personal(filters)[1].values() if isinstance(filters, Mapping) else ()):
        mask_secret(value)


def _texts(values: Iterable[Any]) -> Iterable[str]:
    for value in values:
        if isinstance(value, str | Number):
            # As given, as sent, and each value of a list alone.
            yield from {
                text for part in (str(value), *str(value).split(",")) for text in (part, part.removesuffix(".0"))
            }
        elif isinstance(value, Sequence | AbstractSet) and not isinstance(value, bytes | bytearray | memoryview):
            yield from _texts(value)


@lru_cache(maxsize=16)
def _key(login: str, password: str, origin: str) -> bytes:
    """Slow on purpose: the text must not be a quick way to try out passwords."""
    salt = f"{origin} {login}".encode()
    return base64.urlsafe_b64encode(hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1, dklen=32))
