"""Connection extra ``headers``: what may stand there, what is sent, and that no value is ever shown."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest

from airflow_provider_kapture.client import Account, KaptureClient
from airflow_provider_kapture.client.api.redaction import redact
from airflow_provider_kapture.client.async_client import AsyncKaptureClient
from airflow_provider_kapture.client.errors import KaptureAuthError, KaptureSettingsError
from airflow_provider_kapture.emulator import Book, Emulator, Switches

TOKEN = base64.b64encode(b"me:hush-word").decode()


def account_of(headers: Any, login: str | None = "me", password: str = "hush-word", **extra: Any) -> Account:
    return Account.from_connection("acme", login, password, {"cm_id": 1, "headers": headers, **extra})


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "Host",
        "Cookie",
        "Connection",
        "Transfer-Encoding",
        "Accept-Encoding",
        "Content-Type",
        "Content-Length",
        "Content-Anything",
        "Proxy-Authorization",
        "Proxy-Anything",
        "TE",
        "Upgrade",
        "Expect",
    ],
)
@pytest.mark.parametrize("spelling", [str, str.lower, str.upper], ids=["as is", "lower", "upper"])
def test_what_the_client_sets_is_refused_whatever_its_letters(name: str, spelling: Any) -> None:
    with pytest.raises(KaptureSettingsError, match="`headers`") as caught:
        account_of({spelling(name): "hush-value"})
    assert spelling(name) in str(caught.value)
    assert "hush" not in str(caught.value)


WRONG = {
    "a line break in a value": {"x-api-key": "hush\r\nX-Other: 1"},
    "a line feed in a value": {"x-api-key": "hush\nhush"},
    "a carriage return in a value": {"x-api-key": "hush\rhush"},
    "a line break at the end of a value": {"x-api-key": "hush\n"},
    "a NUL in a value": {"x-api-key": "hush\0"},
    "letters outside ASCII in a value": {"x-api-key": "hushé"},
    "white space around a value": {"x-api-key": " hush "},
    "a line break in a name": {"x-api\r\nX": "hush"},
    "a colon in a name": {"x-api:": "hush"},
    "a space in a name": {"x api": "hush"},
    "no name": {"": "hush"},
    "a number": {"x-api-key": 4711},
    "null": {"x-api-key": None},
    "a list": ["hush"],
    "a text that is no JSON": "x-api-key: hush",
    "a name twice": {"x-api-key": "hush", "X-Api-Key": "hush"},
    "Airflow's mask": {"x-api-key": "***"},
}


@pytest.mark.parametrize("headers", WRONG.values(), ids=WRONG)
def test_a_header_that_cannot_be_sent_is_an_error_without_its_value(headers: Any) -> None:
    with pytest.raises(KaptureSettingsError, match="`headers`") as caught:
        account_of(headers)
    assert "hush" not in str(caught.value)
    assert "4711" not in str(caught.value)


@pytest.mark.parametrize(
    ("login", "password", "auth", "token", "secret"),
    [
        ("me", "hush-word", None, TOKEN, "hush-word"),
        (None, "hush-key", None, base64.b64encode(b"hush-key").decode(), "hush-key"),
        ("hush-key", "", None, base64.b64encode(b"hush-key").decode(), "hush-key"),
        (None, f"Basic {TOKEN}", None, TOKEN, f"Basic {TOKEN}"),
        ("me", "hush-key", "key", base64.b64encode(b"hush-key").decode(), "hush-key"),
    ],
    ids=["basic", "key", "key in login", "token", "named"],
)
def test_placeholders_are_the_token_and_the_secret_as_entered(
    login: str | None, password: str, auth: str | None, token: str, secret: str
) -> None:
    headers = {"x-api-key": "{token}", "x-both": "{password}/{token}", "x-other": "{user} {{token}}"}
    account = account_of(headers, login, password, auth=auth)
    assert account.headers == {
        "x-api-key": token,
        "x-both": f"{secret}/{token}",
        "x-other": f"{{user}} {{{token}}}",
    }


def test_a_password_with_a_placeholder_in_it_is_not_replaced_again() -> None:
    assert account_of({"x": "{password}"}, "me", "{token}").headers == {"x": "{token}"}


def test_a_secret_that_a_header_cannot_carry_is_an_error_without_it() -> None:
    with pytest.raises(KaptureSettingsError, match="'x-secret'") as caught:
        account_of({"x-secret": "{password}"}, "me", "hush-wörd")
    assert "hush" not in str(caught.value)


def test_values_are_secret_in_every_repr_and_message() -> None:
    account = account_of({"x-api-key": "hush-value", "x-key": "{password}!"})
    assert {"hush-value", "hush-word!"} <= set(account.secrets)
    shown = [account, account.dialect, account.credentials, KaptureClient(account), AsyncKaptureClient(account)]
    assert "hush" not in " ".join(f"{each!r} {each}" for each in shown)
    assert redact("Wrong key hush-value of hush-word!", account) == "Wrong key *** of ***"


def test_values_may_be_json_in_a_text_and_none_at_all() -> None:
    assert account_of('{"x-api-key": "{token}"}').headers == {"x-api-key": TOKEN}
    assert account_of({}).headers == account_of(None).headers == account_of("").headers == {}


REQUIRED = "x-api-key: {token}; x-api-type: order; x-password: {password}"
GIVEN = {"x-api-key": "{token}", "X-API-Type": "order", "x-password": "{password}", "user-agent": "firewall-friend/1"}


def pull_sync(account: Account) -> int:
    with KaptureClient(account) as client:
        return client.count_orders("2024-05-08", "2024-05-11")


def pull_async(account: Account) -> int:
    async def pull() -> int:
        async with AsyncKaptureClient(account) as client:
            return await client.count_orders("2024-05-08", "2024-05-11")

    return asyncio.run(pull())


@pytest.mark.parametrize("pull", [pull_sync, pull_async], ids=["sync", "async"])
@pytest.mark.parametrize("auth", ["basic", "key", "token", "token_of_login"])
def test_every_request_has_the_headers(pull: Any, auth: str) -> None:
    switches = Switches(auth=auth, required_headers=REQUIRED.replace("{password}", "{password}"), user_agent="firewall")
    if auth.startswith("token"):
        # What was entered is the token itself there.
        switches = switches.changed({"required_headers": "x-api-key: {token}; x-password: {token}"})
    with Emulator(Book(orders=9, days=3), switches) as kapture:
        connection = json.loads(kapture.connection_json(headers=GIVEN))
        fields = [connection[name] for name in ("host", "login", "password", "extra")]
        assert pull(Account.from_connection(*fields)) == 9
        assert all(each.headers["user-agent"] == "firewall-friend/1" for each in kapture.requests_seen)
        # Without them, the message names the setting.
        del connection["extra"]["headers"]["x-api-key"]
        with pytest.raises(KaptureAuthError, match="`headers`"):
            pull(Account.from_connection(*fields))
