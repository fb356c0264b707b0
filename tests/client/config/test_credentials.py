"""What the fields of a connection authenticate with, and that no message shows it."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from airflow_provider_kapture.client import Account
from airflow_provider_kapture.client.api.redaction import without_secrets
from airflow_provider_kapture.client.api.request import request_headers
from airflow_provider_kapture.client.errors import KaptureSettingsError

KEY = "3k9zq0v7m1x5c8b2n6l4j0h9g7f5d3s1a2p4o6i8u0y2t4r6"  # as long as issued keys are


def encoded(text: str | bytes) -> str:
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


def account_of(login: str | None, password: str | None, **extra: Any) -> Account:
    return Account.from_connection("acme", login, password, {"cm_id": 1, **extra})


READ = {
    "login and password": ("me", "pass", None, "basic", encoded("me:pass")),
    "a login and password of any letters": ("zoë", "pä ss:w", None, "basic", encoded("zoë:pä ss:w")),
    "an issued key": (None, KEY, None, "key", encoded(KEY)),
    "an issued key in the login": (KEY, "", None, "key", encoded(KEY)),
    "a key that is base64 of bytes that are no text": (None, "abcd" * 12, None, "key", encoded("abcd" * 12)),
    "a key of 45 letters": (None, KEY[:45], None, "key", encoded(KEY[:45])),
    "a key of another alphabet": (None, "kléÿ-42", None, "key", encoded("kléÿ-42")),
    "a finished token of a key": (None, encoded(KEY), None, "token", encoded(KEY)),
    "a finished token of login and password": ("", encoded("me:pass"), None, "token", encoded("me:pass")),
    "a finished token in the login": (encoded(KEY), None, None, "token", encoded(KEY)),
    "a token with the scheme before it": (None, f"Basic {encoded(KEY)}", None, "token", encoded(KEY)),
    "a token with the scheme in other letters": (None, f"bASIC  {encoded(KEY)}", None, "token", encoded(KEY)),
    "a key with the scheme before it": (None, f"Basic {KEY}", None, "key", encoded(KEY)),
    "a token without its padding": (
        None,
        encoded("a long key")[:-1],
        None,
        "key",
        encoded(encoded("a long key")[:-1]),
    ),
    "base64 of another alphabet": (None, "ab-_" * 4, None, "key", encoded("ab-_" * 4)),
    "base64 of a line break": (None, encoded("a\nb"), None, "key", encoded(encoded("a\nb"))),
    "base64 of letters outside ASCII": (None, encoded("é" * 4), None, "key", encoded(encoded("é" * 4))),
    "login and password in one field": (None, "me:pass", None, "key", encoded("me:pass")),
    "login and password in one field, with a space": (None, "me:pass word", None, "key", encoded("me:pass word")),
    "a token that is called a key": (None, encoded(KEY), "key", "key", encoded(encoded(KEY))),
    "a key that is called a token": (None, KEY, "token", "token", KEY),
    "a key beside a login that is ignored": ("me", KEY, "key", "key", encoded(KEY)),
    "a token beside a login that is ignored": ("me", encoded(KEY), "token", "token", encoded(KEY)),
    "a key in the login where there is no password": (KEY, "", "key", "key", encoded(KEY)),
    "a token in the login where there is no password": (encoded(KEY), None, "TOKEN", "token", encoded(KEY)),
    "both fields that are called basic": ("me", KEY, "Basic", "basic", encoded(f"me:{KEY}")),
}


@pytest.mark.parametrize(("login", "password", "auth", "kind", "token"), READ.values(), ids=READ)
def test_the_fields_mean_one_token(
    login: str | None, password: str | None, auth: str | None, kind: str, token: str
) -> None:
    account = account_of(login, password, auth=auth)
    assert (account.credentials.auth, account.credentials.token) == (kind, token)
    assert request_headers(account)["Authorization"] == f"Basic {token}"


def test_login_and_password_in_one_field_are_the_same_header_as_in_two() -> None:
    assert request_headers(account_of(None, "me:pass")) == request_headers(account_of("me", "pass"))


@pytest.mark.parametrize("empty", ["", None])
@pytest.mark.parametrize("auth", [None, "basic", "token", "key"])
def test_two_empty_fields_are_an_error_that_names_both(empty: str | None, auth: str | None) -> None:
    with pytest.raises(KaptureSettingsError, match="`login` and `password` are both empty"):
        account_of(empty, empty, auth=auth)


@pytest.mark.parametrize(("login", "password", "named"), [("me", "", "password"), (None, "hush", "login")])
def test_basic_needs_both_fields(login: str | None, password: str | None, named: str) -> None:
    with pytest.raises(KaptureSettingsError, match=f"`{named}` is empty") as caught:
        account_of(login, password, auth="basic")
    assert "hush" not in str(caught.value)


SPOILT = {
    "a line break at the end": "hushhush\n",
    "a line break within": "hush\nhush",
    "a carriage return within": "hush\r\nhush",
    "a space within": "hush hush",
    "a tab within": "hush\thush",
    "a space before it": " hushhush",
    "a no-break space within": "hush\u00a0hush",
    "a line separator within": "hush\u2028hush",
    "a space of no width within": "hush\u200bhush",
    "a byte order mark before it": "\ufeffhushhush",
    "a scheme and two parts": "Basic hush hush",
    "a scheme and a line break": "Basic\nhushhush",
    "the scheme alone": "Basic ",
    "Airflow's mask": "***",
}


@pytest.mark.parametrize("field", ["login", "password"])
@pytest.mark.parametrize("auth", [None, "token", "key"])
@pytest.mark.parametrize("spoilt", SPOILT.values(), ids=SPOILT)
def test_a_key_or_token_with_white_space_is_refused_by_name(field: str, auth: str | None, spoilt: str) -> None:
    with pytest.raises(KaptureSettingsError, match=f"`{field}`") as caught:
        account_of(**{"login": None, "password": None, field: spoilt}, auth=auth)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("secret", ["hush:hush hush", "hushé"], ids=["a space", "letters outside ASCII"])
def test_a_token_is_printable_ascii_without_spaces(secret: str) -> None:
    with pytest.raises(KaptureSettingsError, match="`password`") as caught:
        account_of(None, secret, auth="token")
    assert "hush" not in str(caught.value)


def test_a_secret_that_is_pasted_as_auth_is_not_shown() -> None:
    with pytest.raises(KaptureSettingsError, match="`auth`") as caught:
        account_of(None, KEY, auth=f"Basic {encoded(KEY)}")
    assert encoded(KEY) not in str(caught.value)


@pytest.mark.parametrize(
    ("login", "password", "auth"),
    [
        ("reader", "hush-hush", None),
        (None, "hush-hush", None),
        ("hush-hush", None, None),
        (None, encoded("reader:hush-hush"), None),
        (None, f"Basic {encoded('hush-hush')}", None),
        (None, "reader:hush-hush", None),
        ("reader", "hush-hush", "key"),
    ],
    ids=["basic", "key", "key in login", "token of both", "token of a key", "one field", "named"],
)
def test_no_form_of_a_secret_is_repeated(login: str | None, password: str | None, auth: str | None) -> None:
    account = account_of(login, password, auth=auth)
    token = account.credentials.token
    said = f"No {token}, {base64.b64decode(token).decode()}, {login}, {password}, hush-hush for reader"
    assert "hush" not in without_secrets(said, account)
    assert "hush" not in repr(account) + repr(account.credentials) + str(account)
    assert token not in repr(account) + without_secrets(said, account)


def test_a_login_is_no_secret_that_logs_are_cut_by() -> None:
    # A login such as "kapture" would be cut out of every line of Airflow's logs.
    assert "kapture" not in account_of("kapture", "hush-word").secrets
    assert "kapture" not in account_of(None, encoded("kapture:hush-word")).secrets
    assert "hush-key" in account_of("hush-key", None).secrets
