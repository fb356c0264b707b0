"""Whom a client trusts, which way it goes, and that it ends when it is told to: the same through both transports."""

from __future__ import annotations

import asyncio
import base64
import gc
import logging
import os
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pull_threads
import pytest
import requests
from certificates import self_signed
from hostile import Hostile, http, unfinished

from airflow_provider_kapture.client import Account, KaptureClient
from airflow_provider_kapture.client.async_client import AsyncKaptureClient
from airflow_provider_kapture.client.errors import (
    KaptureError,
    KaptureProxyAuthError,
    KaptureSettingsError,
    KaptureTransportError,
    KaptureUnknownHostError,
)
from airflow_provider_kapture.client.transport.network_errors import transport_error

DAY = ("2024-05-08", "2024-05-09")


def count_sync(account: Account) -> int:
    with KaptureClient(account) as client:
        return client.count_orders(*DAY)


def count_async(account: Account) -> int:
    async def count() -> int:
        async with AsyncKaptureClient(account) as client:
            return await client.count_orders(*DAY)

    return asyncio.run(count())


def count_twice_sync(account: Account) -> int:
    with KaptureClient(account) as client:
        return client.count_orders(*DAY) + client.count_orders(*DAY)


def count_twice_async(account: Account) -> int:
    async def count() -> int:
        async with AsyncKaptureClient(account) as client:
            first = await client.count_orders(*DAY)
            # aiohttp keeps what it resolved for ten seconds.
            client._transport.session.connector.clear_dns_cache()
            return first + await client.count_orders(*DAY)

    return asyncio.run(count())


Count = Callable[[Account], int]


def make_account(origin: str, **extra: Any) -> Account:
    return Account.from_connection(
        origin, "login", "hush-hush", {"cm_id": 1, "end_date": "exclusive", "retry_budget": 0.01, **extra}
    )


def failure_of_both(account: Account) -> KaptureTransportError:
    """The error that both give, in the same words."""
    found = []
    for count in (count_sync, count_async):
        with pytest.raises(KaptureError) as caught:
            count(account)
        assert caught.value.__context__ is None, "what was sent may hang on it"
        found.append(caught.value)
    assert (type(found[0]), str(found[0])) == (type(found[1]), str(found[1]))
    assert isinstance(found[0], KaptureTransportError)
    assert "hush" not in str(found[0])
    return found[0]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1 that only itself vouches for, and its key."""
    return self_signed(tmp_path_factory.mktemp("trust"))


def test_a_certificate_that_nobody_vouches_for_fails_at_once(certificate: Path) -> None:
    with Hostile(http(), tls=certificate) as server:
        error = failure_of_both(make_account(server.origin))
        assert (error.reason, error.transient) == ("tls", False)
        assert "self-signed certificate" in str(error)
        assert "`verify` or REQUESTS_CA_BUNDLE" in str(error)
        assert server.connections == 2
        assert not server.requests, "the password went to whom nobody vouches for"


@pytest.mark.parametrize("count", [count_sync, count_async])
@pytest.mark.parametrize("verify", ["bundle", False, "environment"])
def test_a_certificate_is_trusted_as_told(
    certificate: Path, count: Count, verify: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if verify == "environment":
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        verify = True
    elif verify == "bundle":
        verify = str(certificate)
    with Hostile(http(), tls=certificate) as server:
        if verify is False:
            with pytest.warns(match="Unverified") if count is count_sync else _quiet():
                assert count(make_account(server.origin, verify=verify)) == 0
        else:
            assert count(make_account(server.origin, verify=verify)) == 0
        assert len(server.requests) == 4  # offsets 0 and 1 of the day, and of the proof that it is empty


class _quiet:  # noqa: N801 - stands beside pytest.warns
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


@pytest.mark.parametrize("count", [count_sync, count_async])
def test_a_bundle_that_is_gone_is_named(count: Count, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/bundle.pem")
    with pytest.raises(KaptureSettingsError, match=r"CA bundle not found: '/no/such/bundle\.pem'"):
        count(make_account("https://127.0.0.1:1"))


def bundle(folder: Path, kind: str) -> Path:
    path = folder / kind
    if kind == "empty directory":
        path.mkdir()
    elif kind == "directory without hashed names":
        path.mkdir()
        (path / "ca.pem").write_text("none")
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "too long":
        path = folder / ("x" * 5000)
    else:
        path.write_bytes({"empty": b"", "binary": bytes(range(256)), "text": b"no certificate", "half": HALF}[kind])
    return path


HALF = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
BUNDLES = ["empty", "binary", "text", "half", "empty directory", "directory without hashed names", "loop", "too long"]


@pytest.mark.parametrize("kind", BUNDLES)
@pytest.mark.parametrize("setting", ["verify", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize("count", [count_sync, count_async])
def test_a_bundle_that_is_none_is_a_setting_that_is_wrong(
    count: Count, setting: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    path = str(bundle(tmp_path, kind))
    if setting != "verify":
        monkeypatch.setenv(setting, path)
    with pytest.raises(KaptureSettingsError, match="verify"):
        count(make_account("https://127.0.0.1:1", **({"verify": path} if setting == "verify" else {})))


@pytest.mark.parametrize("path", ["/ca\0.pem", "/" + "x" * 5000, "/no/such.pem", 7])
def test_a_path_that_can_not_be_one_is_a_setting_that_is_wrong(path: Any) -> None:
    with pytest.raises(KaptureSettingsError, match="`verify`"):
        make_account("https://127.0.0.1:1", verify=path)


def reset(connection: socket.socket, number: int) -> None:
    """Break off the first of every two connections before a word is said."""
    if number % 2:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()


# Python leaves a socket that was reset before its handshake to the garbage collector, which is to come by here and not
# in a later test.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("count", [count_sync, count_async])
def test_a_handshake_that_breaks_off_is_tried_again(certificate: Path, count: Count) -> None:
    with Hostile(http(), tls=certificate, hello=reset) as server:
        assert count(make_account(server.origin, verify=str(certificate), retry_budget=30)) == 0
        assert server.connections == 2
    gc.collect()


TIMEOUTS = {
    "requests, connecting": (requests.ConnectTimeout(), "connect_timeout"),
    "requests, reading": (requests.ReadTimeout(), "read_timeout"),
    "aiohttp, connecting": (aiohttp.ConnectionTimeoutError(), "connect_timeout"),
    "aiohttp, reading": (aiohttp.SocketTimeoutError(), "read_timeout"),
    "a socket": (TimeoutError(), "read_timeout"),
}


@pytest.mark.parametrize(("raised", "setting"), TIMEOUTS.values(), ids=TIMEOUTS)
def test_a_time_out_names_its_setting_and_its_seconds(raised: Exception, setting: str) -> None:
    account = make_account("https://acme.kapturecrm.com", connect_timeout=1.5, read_timeout=2.5)
    error = transport_error(account, raised)
    assert error.reason == "timeout"
    assert f"`{setting}` is {1.5 if setting == 'connect_timeout' else 2.5} s" in str(error)


def test_a_slow_first_byte_names_the_read_time_out() -> None:
    with Hostile(unfinished(b"")) as server:
        error = failure_of_both(make_account(server.origin, read_timeout=0.05))
    assert "`read_timeout` is 0.05 s" in str(error)


def test_what_breaks_below_tls_is_a_broken_connection():
    raised = ssl.SSLError(1, "[SYS] unknown error")
    raised.library, raised.reason = "SYS", "unknown error"
    error = transport_error(make_account("https://127.0.0.1:1"), raised)
    assert (error.reason, error.transient) == ("broken", True)


NO_NAME = socket.gaierror(socket.EAI_NONAME, "no such name")
NOT_NOW = socket.gaierror(socket.EAI_AGAIN, "try again")


@pytest.fixture
def no_waits(mocker: Any) -> None:
    """Retries at once, and lookups that count however soon they follow."""
    for name in ("_backoff", "_jitter"):
        mocker.patch(f"airflow_provider_kapture.client.fetch.retry.{name}", return_value=0.0)
    mocker.patch("airflow_provider_kapture.client.transport.lookups.SECONDS", 0.0)


@pytest.mark.usefixtures("no_waits")
def test_a_name_that_there_is_not_is_looked_up_three_times(mocker: Any) -> None:
    resolve = mocker.patch("socket.getaddrinfo", side_effect=NO_NAME)
    error = failure_of_both(make_account("https://kapture.invalid", retry_budget=60))
    assert type(error) is KaptureUnknownHostError
    assert (error.reason, error.transient, error.permanent, resolve.call_count) == ("name", False, True, 6)
    assert "kapture.invalid" in str(error)


@pytest.mark.parametrize(("raised", "reason"), [(NO_NAME, "name"), (NOT_NOW, "resolver")])
def test_a_name_that_is_not_found_within_a_short_budget_is_left_to_a_later_run(
    mocker: Any, raised: OSError, reason: str
) -> None:
    mocker.patch("socket.getaddrinfo", side_effect=raised)
    error = failure_of_both(make_account("https://kapture.invalid"))
    assert (type(error), error.reason) == (KaptureTransportError, reason)
    assert (error.transient, error.permanent) == (True, False)


@pytest.mark.usefixtures("no_waits")
@pytest.mark.parametrize("count", [count_twice_sync, count_twice_async])
def test_a_name_that_is_gone_after_an_answer_is_asked_for_again(mocker: Any, count: Count) -> None:
    system = socket.getaddrinfo
    failures = iter([False, *[True] * 5])

    def resolve(*asked: Any, **more: Any) -> Any:
        if next(failures, False):
            raise NO_NAME
        return system(*asked, **more)

    with Hostile(
        http(b'{"success":"true","order_details":[]}').replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)
    ) as server:
        mocker.patch("socket.getaddrinfo", side_effect=resolve)
        assert count(make_account(server.origin.replace("127.0.0.1", "localhost"), retry_budget=60)) == 0
        assert next(failures, None) is None


def test_a_proxy_that_is_not_there_is_called_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        proxy = f"http://someone:hush-proxy@127.0.0.1:{taken.getsockname()[1]}"
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    error = failure_of_both(make_account("https://kapture.invalid"))
    assert error.reason == "proxy"
    assert "kapture.invalid" in str(error)


@pytest.mark.parametrize("count", [count_sync, count_async])
def test_a_proxy_of_another_kind_is_a_setting_that_is_wrong(count: Count, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://someone:hush-proxy@127.0.0.1:1")
    with pytest.raises(KaptureSettingsError, match="NO_PROXY") as caught:
        count(make_account("https://kapture.invalid"))
    assert "hush" not in str(caught.value)


BAD_PROXIES = [
    "http://someone:hush/proxy@127.0.0.1:1",
    "http://someone:hush-proxy@[::1",
    "http://someone:hush-proxy@127.0.0.1:port",
    "http://someone:hush-proxy@127.0.0.1:99999",
    "http://someone:hush-proxy@127.0.0.1:0",
    "http://someone:hush-proxy@",
    "http://someone:hush-proxy@a..b:1",
    "http://someone:hush-proxy@a b:1",
    "http://someone:hush-proxy@\u2100:1",
    "ftp://someone:hush-proxy@127.0.0.1:1",
    "://someone:hush-proxy@127.0.0.1:1",
]


@pytest.mark.parametrize("proxy", BAD_PROXIES)
@pytest.mark.parametrize("count", [count_sync, count_async])
def test_a_proxy_that_is_malformed_is_a_setting_that_is_wrong(
    count: Count, proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(KaptureSettingsError, match="HTTPS_PROXY") as caught:
        count(make_account("https://kapture.invalid"))
    assert caught.value.__context__ is None
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("user:hush-proxy", b"user:hush-proxy"),
        ("us%C3%A9r:h%C3%BCsh%3A%E2%82%AC", "us\xe9r:h\xfcsh:\u20ac".encode()),
        ("us\xe9r:h\xfcsh\u20ac", "us\xe9r:h\xfcsh\u20ac".encode()),
        ("user:h%FCsh", b"user:h\xfcsh"),
        ("user", b"user:"),
        (":hush-proxy", b":hush-proxy"),
    ],
)
def test_credentials_of_a_proxy_are_sent_as_curl_sends_them_and_a_407_is_named(
    written: str, sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = http(b"", b"Proxy-Authenticate: Basic", status=b"407 Proxy Authentication Required")
    with Hostile(refusal) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.origin.replace("//", f"//{written}@"))
        error = failure_of_both(make_account("https://kapture.invalid", retry_budget=30))
        assert type(error) is KaptureProxyAuthError
        assert (error.reason, error.transient, error.permanent) == ("proxy_auth", False, True)
        assert "rejected its credentials" in str(error)
        header = b"Proxy-Authorization: Basic " + base64.b64encode(sent) + b"\r\n"
        assert [header in each for each in proxy.requests] == [True, True]


@pytest.mark.parametrize("count", [count_sync, count_async])
def test_a_proxy_is_asked_for_a_tunnel_and_told_no_password(count: Count, monkeypatch: pytest.MonkeyPatch) -> None:
    with Hostile(http(b"", status=b"502 Bad Gateway")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.origin)
        with pytest.raises(KaptureTransportError) as caught:
            count(make_account("https://kapture.invalid"))
        assert caught.value.reason == "proxy"
        assert proxy.requests[0].startswith(b"CONNECT kapture.invalid:443 ")
        assert b"Basic" not in b"".join(proxy.requests)


@pytest.mark.parametrize("count", [count_sync, count_async])
def test_plain_http_stays_on_this_machine_whatever_proxy_there_is(
    count: Count, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Hostile(http()) as server, Hostile(http()) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.origin)
        assert count(make_account(server.origin)) == 0
        assert (len(server.requests), proxy.connections) == (4, 0)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with Hostile(http()) as elsewhere:
        location = f"Location: {elsewhere.origin}/login".encode()
        for count in (count_sync, count_async):
            with Hostile(http(b"", location, status=b"%d Elsewhere" % status)) as server:
                with pytest.raises(KaptureError, match=elsewhere.origin.partition("//")[2]):
                    count(make_account(server.origin))
                assert len(server.requests) == 1
        assert elsewhere.connections == 0


SLOW = unfinished(b"HTTP/1.1 200 OK\r\n")
LATER = http(b"", b"Retry-After: 3000", status=b"503 Later")


@pytest.mark.parametrize("answer", [SLOW, LATER], ids=["in a read", "in a wait"])
def test_closing_a_client_ends_a_pull_in_another_thread(answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    with Hostile(answer) as server:
        client = KaptureClient(make_account(server.origin, retry_budget=3000, read_timeout=3000))
        ended: list[BaseException] = []

        def count() -> None:
            try:
                client.count_orders(*DAY)
            except KaptureError as error:
                ended.append(error)

        pulling = threading.Thread(target=count)
        pulling.start()
        until(lambda: bool(server.requests))
        client.close()
        pulling.join(30)
        assert [getattr(each, "reason", "") for each in ended] == ["cancelled"]
        assert server.is_left_alone()
        assert not pull_threads.running()


@pytest.mark.parametrize("answer", [SLOW, LATER], ids=["in a read", "in a wait"])
async def test_closing_an_asynchronous_client_ends_a_pull_in_another_task(answer: Any) -> None:
    with Hostile(answer) as server:
        client = AsyncKaptureClient(make_account(server.origin, retry_budget=3000, read_timeout=3000))
        counting = asyncio.create_task(client.count_orders(*DAY))
        async with asyncio.timeout(30):
            while not server.requests:  # noqa: ASYNC110 - the server runs in a thread, and signals nothing to this loop
                await asyncio.sleep(0)
            await client.close()
            with pytest.raises(KaptureTransportError) as caught:
                await counting
        assert caught.value.reason == "cancelled"
        assert asyncio.all_tasks() == {asyncio.current_task()}


_PULLING = """
import signal, sys
from airflow_provider_kapture.client import Account, KaptureClient

def stop(number, frame):
    raise KeyboardInterrupt

signal.signal(signal.SIGTERM, stop)
extra = {"cm_id": 1, "retry_budget": 3000, "read_timeout": 3000}
with KaptureClient(Account.from_connection(sys.argv[1], "login", "hush-hush", extra)) as client:
    client.count_orders("2024-05-08", "2024-05-09")
"""


@pytest.mark.parametrize("answer", [SLOW, LATER], ids=["in a read", "in a wait"])
def test_a_signal_ends_a_process_that_waits_for_a_page(answer: Any, tmp_path: Path) -> None:
    with Hostile(answer) as server:
        arguments = [sys.executable, "-c", _PULLING, server.origin]
        with (tmp_path / "errors").open("wb") as errors, subprocess.Popen(arguments, stderr=errors) as process:
            until(lambda: bool(server.requests) or process.poll() is not None)
            os.kill(process.pid, signal.SIGTERM)
            process.wait(30)
        said = (tmp_path / "errors").read_text()
        assert "KeyboardInterrupt" in said
        assert "hush" not in said
        assert server.is_left_alone()


def until(true: Callable[[], bool]) -> None:
    """Wait until something is so, for a minute at most."""
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)
