"""Credentials in their three forms (login and password, key, token), and the token of the Authorization header.

More headers are in `headers.py`; redaction of secrets is in `../api/redaction.py`.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from dataclasses import dataclass, field

from airflow_provider_kapture.client.errors import KaptureSettingsError

_SCHEME = re.compile(r"\Abasic +", re.IGNORECASE)
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")


@dataclass(frozen=True, slots=True)
class Credentials:
    """Credentials of an account.

    :ivar auth: ``basic``, ``token`` or ``key``
    :ivar token: text after ``Basic`` in the Authorization header
    :ivar login: the connection's field as entered
    :ivar password: the connection's field as entered
    :ivar secrets: texts to remove from messages and logs, including the token
    :ivar user: name in the login or token; not secret, but removed from quoted messages of the vendor
    """

    auth: str
    token: str = field(repr=False)
    login: str = field(repr=False)
    password: str = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    user: str = field(default="", repr=False)


def make_credentials(login: str | None, password: str | None, auth: str | None) -> Credentials:
    """Return the credentials of a connection's fields.

    :param auth: connection extra ``auth``. None derives it: ``basic`` if both fields are set; else ``token`` if the
        secret is base64 of printable ASCII; else ``key``
    :raises KaptureSettingsError: a field is missing or invalid; the message never contains a value
    """
    if not login and not password:
        raise KaptureSettingsError(
            "Connection fields `login` and `password` are both empty; enter the login and password of the Pull Order "
            "API, or leave `login` empty and put the key or token that Kapture issued in `password`"
        )
    if auth == "basic" or (auth is None and login and password):
        return _basic(login, password)
    name, secret = ("password", password) if password else ("login", login or "")
    field_name = f"Connection field `{name}`"
    _check_secret(field_name, secret)
    bare = _SCHEME.sub("", secret, count=1)
    is_token = auth == "token" or (auth is None and _is_token(bare))
    # A login and password in one field may contain spaces.
    if (is_token or ":" not in bare) and any(each.isspace() or not each.isprintable() for each in bare):
        raise KaptureSettingsError(
            f"{field_name} contains white space inside a key or token; paste it again without line breaks"
        )
    if is_token:
        if not bare.isascii():
            raise KaptureSettingsError(
                f"{field_name} is not a token, which is printable ASCII; correct it, or set `auth` to 'key'"
            )
        user, *parts = _parts(_decoded(bare).decode()) if _is_token(bare) else ("",)
        return Credentials("token", bare, login or "", password or "", _secrets(bare, secret, *parts), user)
    user, *parts = _parts(bare)
    token = base64.b64encode(bare.encode()).decode()
    return Credentials("key", token, login or "", password or "", _secrets(token, secret, bare, *parts), user)


def _basic(login: str | None, password: str | None) -> Credentials:
    for name, value in (("login", login), ("password", password)):
        if not value:
            raise KaptureSettingsError(
                f"Connection field `{name}` is empty, but `auth` is 'basic'; enter it, or set `auth` to 'token' or "
                "'key' if Kapture issued one"
            )
        _check_secret(f"Connection field `{name}`", value)
    assert login is not None and password is not None
    if ":" in login:
        raise KaptureSettingsError(
            "Connection field `login` contains a colon, which Basic credentials cannot; ask for another login"
        )
    token = base64.b64encode(f"{login}:{password}".encode()).decode()
    return Credentials("basic", token, login, password, _secrets(token, password), login)


def _secrets(*texts: str) -> tuple[str, ...]:
    """Return each text once, longest first, so that redaction leaves no part of one."""
    return tuple(sorted({each for each in texts if each}, key=len, reverse=True))


def _is_token(text: str) -> bool:
    decoded = _decoded(text)
    return bool(decoded) and all(0x20 <= each <= 0x7E for each in decoded)


def _decoded(text: str) -> bytes:
    if not _BASE64.fullmatch(text):
        return b""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _parts(text: str) -> tuple[str, ...]:
    """Return the user name in a decoded token (empty if it has none) and the secrets in it."""
    user, colon, password = text.partition(":")
    return (user, text, password) if colon else ("", text)


def _check_secret(what: str, value: str) -> None:
    """Raise an error for a secret that was changed when it was pasted, mounted or masked.

    :param what: name of the field, for the message
    :raises KaptureSettingsError: names the field; the message never contains the value
    """
    if value == "***":
        raise KaptureSettingsError(f"{what} is '***', which is Airflow's mask; enter the secret itself")
    # Python does not count a byte order mark, with which files may begin, as white space.
    if value.strip() != value or value.strip("\ufeff") != value:
        raise KaptureSettingsError(
            f"{what} starts or ends with white space, such as the line break that `echo` adds to a mounted secret; "
            "remove it (use `printf %s` or `echo -n`)"
        )
    if any(unicodedata.category(each) == "Cc" for each in value):
        raise KaptureSettingsError(f"{what} contains a control character, such as a line break or a tab; remove it")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise KaptureSettingsError(
            f"{what} contains characters that cannot be encoded as UTF-8; enter it again"
        ) from None
