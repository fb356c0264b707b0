import datetime as dt

import pytest

from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.config.date_format import written_date
from airflow_provider_kapture.client.config.origin import parse_origin
from airflow_provider_kapture.client.errors import KaptureSettingsError


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("acme", "https://acme.kapturecrm.com"),
        ("acme.kapturecrm.com", "https://acme.kapturecrm.com"),
        ("https://kapture.acme.in", "https://kapture.acme.in"),
        ("https://kapture.acme.in:8443/", "https://kapture.acme.in:8443"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://localhost:1", "http://localhost:1"),
        ("http://[::1]:1", "http://[::1]:1"),
        ("2001:db8::1", "https://[2001:db8::1]"),
        ("http://::1", "http://[::1]"),
    ],
)
def test_a_host_means_an_origin(host: str, origin: str) -> None:
    assert parse_origin(host) == origin


@pytest.mark.parametrize(
    "host",
    [None, "", " ", "acme.kapturecrm.com/x", "a b", "user@host", "http://acme.kapturecrm.com", "a..b", "a#b", "a?b"],
)
def test_any_other_host_is_an_error(host: str | None) -> None:
    with pytest.raises(KaptureSettingsError, match="`host`"):
        parse_origin(host)


@pytest.mark.parametrize(
    "host", ["ftp://acme", "https://u:p@acme.in", "https://acme.in/x", "-acme", "https://", "acme:"]
)
def test_an_origin_is_https_and_nothing_more(host: str) -> None:
    with pytest.raises(KaptureSettingsError, match="`host`"):
        parse_origin(host)


@pytest.mark.parametrize("cm_id", [None, "", 0, -1, "abc", True, 1.5])
def test_the_account_id_is_a_number_above_0(cm_id: object) -> None:
    with pytest.raises(KaptureSettingsError, match="`cm_id`"):
        Account.from_connection("acme", "u", "p", {"cm_id": cm_id})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("timezone", "Asia/Calcuta"),
        ("http_method", "PUT"),
        ("date_format", "%Y-%m"),
        ("end_date", "maybe"),
        ("page_size", 1),
        ("page_size", 10_001),
        ("max_concurrency", 33),
        ("requests_per_second", 0),
        ("read_timeout", "fast"),
        ("verify", "/no/such/bundle"),
        ("default_body", []),
        ("default_body", {"cmId": 1}),
        ("empty_messages", [1]),
    ],
)
def test_a_wrong_setting_is_named(key: str, value: object) -> None:
    with pytest.raises(KaptureSettingsError, match=f"`{key}`"):
        Account.from_connection("acme", "u", "p", {"cm_id": 1, key: value})


def test_an_unknown_setting_is_told_the_nearest() -> None:
    with pytest.raises(KaptureSettingsError, match="did you mean 'page_size'"):
        Account.from_connection("acme", "u", "p", {"cm_id": 1, "page_sise": 5})


def test_the_form_stores_strings_and_empty_ones_mean_the_default() -> None:
    account = Account.from_connection(
        "acme", "u", "p", {"cm_id": "7", "page_size": "", "verify": "false", "default_body": "{}"}
    )
    assert (account.dialect.cm_id, account.dialect.page_size, account.dialect.verify) == (7, 500, False)
    assert account.dialect.default_body == {}


def test_credentials_stay_out_of_repr() -> None:
    assert "hush" not in repr(Account.from_connection("acme", "hush-login", "hush-password", {"cm_id": 1}))


@pytest.mark.parametrize("field", ["login", "password"])
@pytest.mark.parametrize(
    "spoilt",
    [
        "hush\n",
        " hush",
        "hush\r\n",
        "hush\t",
        "\ufeffhush",
        "hu\nsh",
        "hu\x00sh",
        "hush\u00a0",
        "hu\x7fsh",
        "\n",
        "\ud800",
    ],
)
def test_a_secret_that_was_pasted_or_mounted_wrongly_is_refused_by_name(field: str, spoilt: str) -> None:
    with pytest.raises(KaptureSettingsError, match=f"`{field}`") as caught:
        Account.from_connection("acme", **{"login": "u", "password": "p", field: spoilt}, extra={"cm_id": 1})
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("secret", ["pass word", "p\u00e4ss", "\u0939\u093f\u0928\u094d\u0926\u0940", "\U0001f511"])
def test_any_other_text_is_a_secret(secret: str) -> None:
    assert Account.from_connection("acme", secret, secret, {"cm_id": 1}).credentials.password == secret


@pytest.mark.parametrize(
    ("date_format", "written"),
    [
        ("%Y-%m-%d", "2024-03-05"),
        ("%d-%b-%Y", "05-Mar-2024"),
        ("%A, %d. %B %Y", "Tuesday, 05. March 2024"),
        ("%a %e %h %y", "Tue  5 Mar 24"),
        ("%-d/%-m/%Y", "5/3/2024"),
        ("%Y%j", "2024065"),
        ("%G-W%V-%u", "2024-W10-2"),
        ("%D", "03/05/24"),
        ("%F %T.%f", "2024-03-05 00:00:00.000000"),
        ("%Y-%m-%d %I:%M %p", "2024-03-05 12:00 AM"),
        ("100%% %F", "100% 2024-03-05"),
    ],
)
def test_a_date_is_written_the_same_on_every_machine(date_format: str, written: str) -> None:
    assert (
        Account.from_connection("acme", "u", "p", {"cm_id": 1, "date_format": date_format}).dialect.date_format
        == date_format
    )
    assert written_date(dt.date(2024, 3, 5), date_format) == written


@pytest.mark.parametrize("directive", ["%s", "%x", "%c", "%X", "%r", "%+", "%Ex", "%Od", "%Z", "%Q", "%"])
def test_a_date_that_depends_on_the_machine_is_refused(directive: str) -> None:
    with pytest.raises(KaptureSettingsError, match="`date_format`"):
        Account.from_connection("acme", "u", "p", {"cm_id": 1, "date_format": f"%Y-%m-%d {directive}"})
