"""What nobody should send, through both transports: an error or the orders, soon; never a crash, a hang or a loss."""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pull_threads
import pytest
from hostile import ORDERS, Answer, Hostile, chunked, endless, http, unfinished

from airflow_provider_kapture.client import Account, KaptureClient
from airflow_provider_kapture.client.async_client import AsyncKaptureClient
from airflow_provider_kapture.client.errors import (
    KaptureBusyError,
    KaptureError,
    KaptureOversizeError,
    KaptureRefusedError,
    KaptureShapeError,
    KaptureTransportError,
)

DAY = ("2024-05-08", "2024-05-09")
CREATED = b'"createDate":1715126400000'
LONG = b"HTTP/1.1 200 OK\r\n"
WHOLE = chunked(b"%x\r\n%b\r\n0\r\n" % (len(ORDERS), ORDERS))


@dataclass(frozen=True)
class Case:
    """An answer, and what must come of it.

    :param reason: of the transport error
    :param read_timeout: seconds; small where it is what ends the answer
    """

    name: str
    answer: Answer
    error: type[KaptureError] = KaptureTransportError
    reason: str = ""
    read_timeout: float = 30.0


CASES = [
    Case(
        "packed twice", http(gzip.compress(gzip.compress(ORDERS)), b"Content-Encoding: gzip, gzip"), KaptureShapeError
    ),
    Case(
        "packed once, said twice",
        http(gzip.compress(ORDERS), b"Content-Encoding: gzip", b"Content-Encoding: gzip"),
        KaptureShapeError,
    ),
    Case("packed otherwise", http(ORDERS, b"Content-Encoding: br"), KaptureShapeError),
    Case("not packed as it says", http(ORDERS, b"Content-Encoding: gzip"), reason="broken"),
    Case("packed, and cut", http(gzip.compress(ORDERS)[:-9], b"Content-Encoding: gzip"), reason="broken"),
    Case("shorter than it says", unfinished(http(ORDERS, length=1000)), reason="timeout", read_timeout=0.1),
    Case("closed before its length", lambda each: each.sendall(http(ORDERS, length=1000)), reason="broken"),
    Case("a length below zero", http(ORDERS, length=-5), reason="broken"),
    Case("a length that is none", http(ORDERS).replace(b"Length: ", b"Length: x"), reason="broken"),
    Case("two lengths", http(ORDERS, b"Content-Length: 5"), reason="broken"),
    Case("a chunk of no size", chunked(b"zz\r\nabc\r\n0\r\n\r\n"), reason="broken"),
    Case("no HTTP", lambda each: each.sendall(b"\x00\x01\x02 hello\r\n\r\n"), reason="broken"),
    Case("a body alone", lambda each: each.sendall(ORDERS), reason="broken"),
    Case("a header that is none", http(ORDERS, b"this is no header"), reason="broken"),
    Case("closed at once", lambda _: None, reason="broken"),
    Case("a status of five digits", http(status=b"20000 Odd"), reason="broken"),
    Case("another protocol", http(status=b"101 Switching Protocols"), KaptureRefusedError),
    Case("no content", b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", KaptureShapeError),
    Case("part of it", http(status=b"206 Partial Content"), KaptureShapeError),
    Case("a status that there is not", http(status=b"999 Odd"), KaptureBusyError),
    Case("silence", unfinished(b""), reason="timeout", read_timeout=0.1),
    Case("headers without end", endless(LONG, b"X-A: " + b"b" * 1000 + b"\r\n"), reason="broken"),
    Case("a header without end", endless(LONG + b"X-A: ", b"b" * 1000), reason="broken"),
    Case("a body without end", endless(LONG + b"\r\n", b" " * 65536), KaptureOversizeError),
    Case(
        "a pack of nothing without end",
        endless(LONG + b"Content-Encoding: gzip\r\n\r\n", gzip.compress(b"") * 100),
        KaptureOversizeError,
    ),
]
# Ended by the time that a whole answer may take: ten read time-outs.
ENDLESS = [
    Case("headers that drip", endless(LONG, b"X-A: b\r\n", 0.02), reason="timeout", read_timeout=0.05),
    Case("a status line that drips", endless(b"HTTP/1.1 200 ", b"O", 0.02), reason="timeout", read_timeout=0.05),
    Case("trailers that drip", endless(WHOLE, b"X: y\r\n", 0.02), reason="timeout", read_timeout=0.05),
    Case("a body that drips", endless(http(b"", length=10**6), b" ", 0.02), reason="timeout", read_timeout=0.05),
    Case("chunks without end", endless(chunked(), b"1\r\n \r\n"), reason="timeout", read_timeout=0.05),
    Case("100 without end", endless(b"", b"HTTP/1.1 100 Go on\r\n\r\n"), reason="timeout", read_timeout=0.05),
    Case("100 that drips", endless(b"", b"HTTP/1.1 100 Go on\r\n\r\n", 0.02), reason="timeout", read_timeout=0.05),
]


def pull_sync(account: Account) -> list[dict[str, Any]]:
    with KaptureClient(account) as client:
        return list(client.iter_orders(*DAY))


def pull_async(account: Account) -> list[dict[str, Any]]:
    async def pull() -> list[dict[str, Any]]:
        async with AsyncKaptureClient(account) as client:
            return [order async for order in client.iter_orders(*DAY)]

    return asyncio.run(pull())


Pull = Callable[[Account], list[dict[str, Any]]]
both = pytest.mark.parametrize("pull", [pull_sync, pull_async])


def make_account(server: Hostile, **extra: Any) -> Account:
    settings = {"cm_id": 1, "retry_budget": 0.01, "max_response_bytes": 1 << 20, "end_date": "exclusive", **extra}
    return Account.from_connection(server.origin, "login", "hush-hush", settings)


@pytest.fixture(autouse=True, scope="module")
def old_objects_are_left_out() -> Iterator[None]:
    """Collections of garbage are quick: they need not look at what was there before."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def failure(pull: Pull, server: Hostile, **extra: Any) -> KaptureError:
    """The error that a pull ends with; it leaves neither a thread nor a socket behind."""
    with pytest.raises(KaptureError) as caught:
        pull(make_account(server, **extra))
    assert not pull_threads.running()
    assert server.is_left_alone()
    gc.collect()  # a socket that was not closed warns now, and a warning is an error
    return caught.value


@pytest.mark.parametrize(
    "case",
    [*CASES, ENDLESS[0], *(pytest.param(each, marks=pytest.mark.slow) for each in ENDLESS[1:])],
    ids=lambda each: each.name,
)
def test_it_is_an_error_and_the_same_one(case: Case) -> None:
    errors = []
    for pull in (pull_sync, pull_async):
        with Hostile(case.answer) as server:
            began = time.monotonic()
            error = failure(pull, server, read_timeout=case.read_timeout)
            # One try, one more, each within its time, and much for a machine that does other things as well.
            assert time.monotonic() - began < 2 * 11 * min(case.read_timeout, 1.0) + 10
            assert len(server.requests) == 1 + error.transient
            # On a busy machine a pause in what drips may be a time-out of its own.
            words = "" if case in ENDLESS else str(error).replace(server.origin.partition("//")[2], "HOST")
            errors.append((type(error), words))
        assert type(error) is case.error
        if isinstance(error, KaptureTransportError):
            assert error.reason == case.reason
    assert errors[0] == errors[1]


@pytest.mark.parametrize(
    "answer",
    [
        http(ORDERS, length=10),
        chunked(b"-5\r\nabc\r\n0\r\n\r\n"),
        chunked(b"FFFFFFFFFFFFFFFFFFFF\r\nabc\r\n0\r\n\r\n"),
        endless(WHOLE, b"X: y\r\n"),
    ],
    ids=["longer than it says", "a chunk below zero", "a chunk beyond everything", "trailers without end"],
)
@both
def test_it_is_an_error_that_the_libraries_see_in_different_ways(pull: Pull, answer: Answer) -> None:
    with Hostile(answer) as server:
        assert failure(pull, server, read_timeout=0.1).transient


def envelope(*orders: bytes) -> bytes:
    return b'{"success":"true","order_details":[%b]}' % b",".join(orders)


BODIES = [
    # How deep is too deep is the Python version's matter.
    ("nested a hundred thousand deep", envelope(b'{"id":1,%b,"x":%b}' % (CREATED, b"[" * 10**5 + b"]" * 10**5)), None),
    ("nested three hundred deep", envelope(b'{"id":1,%b,"x":%b}' % (CREATED, b"[" * 300 + b"]" * 300)), 1),
    ("nested a million deep", envelope(b'{"id":1,%b,"x":%b}' % (CREATED, b"[" * 10**6 + b"]" * 10**6)), None),
    ("nested a million deep, and cut", b'{"success":' * 10**6, None),
    ("ten megabytes in a string", envelope(b'{"id":1,%b,"x":"%b"}' % (CREATED, b"y" * 10**7)), 1),
    ("a number of 400 digits", envelope(b'{"id":1,%b,"x":%b}' % (CREATED, b"9" * 400)), 1),
    ("a number of 5,000 digits", envelope(b'{"id":1,%b,"x":%b}' % (CREATED, b"9" * 5000)), None),
    ("a number beyond floats", envelope(b'{"id":1,%b,"x":1e999}' % CREATED), 1),
    ("an exponent beyond everything", envelope(b'{"id":1,%b,"x":1e%b}' % (CREATED, b"9" * 30)), None),
    ("an id of 400 digits", envelope(b'{"id":%b,%b}' % (b"9" * 400, CREATED)), 1),
    ("an id of 5,000 digits", envelope(b'{"id":%b,%b}' % (b"9" * 5000, CREATED)), None),
    ("an id of 5,000 digits, as a text", envelope(b'{"id":"%b",%b}' % (b"9" * 5000, CREATED)), 1),
    ("an instant of 400 digits", envelope(b'{"id":1,"createDate":%b}' % (b"9" * 400)), None),
    ("an instant of 5,000 digits", envelope(b'{"id":1,"createDate":"%b"}' % (b"9" * 5000)), None),
    ("ids that look alike", envelope(*(b'{"id":%b,%b}' % (each, CREATED) for each in (b"7", b'"007"', b'"07"'))), 3),
    ("half a character", envelope(b'{"id":1,%b,"x":"\\ud83d"}' % CREATED), 1),
    ("half a character in bytes", envelope(b'{"id":1,%b,"x":"\xed\xa0\xbd"}' % CREATED), None),
    ("a NUL", envelope(b'{"id":1,%b,"x":"\\u0000"}' % CREATED), 1),
    ("a NUL in bytes", envelope(b'{"id":1,%b,"x":"\0"}' % CREATED), 1),
    ("each control character in bytes", envelope(b'{"id":1,%b,"x":"%b"}' % (CREATED, bytes(range(32)))), 1),
    ("a line break in a name", envelope(b'{"id":1,%b,"x\n":1}' % CREATED), 1),
    ("a line break in an id", envelope(b'{"id":"a\nb",%b}' % CREATED), 1),
    ("a byte order mark", b"\xef\xbb\xbf" + envelope(b'{"id":1,%b}' % CREATED), 1),
    ("UTF-16", envelope(b'{"id":1,%b}' % CREATED).decode().encode("utf-16"), None),
    ("Latin-1", envelope('{"id":1,"x":"é"}'.encode("latin-1")), None),
    ("NaN", envelope(b'{"id":1,%b,"x":NaN}' % CREATED), 1),
    ("infinities", envelope(b'{"id":1,%b,"x":[Infinity,-Infinity]}' % CREATED), 1),
    ("NaN as an id", envelope(b'{"id":NaN,%b}' % CREATED), None),
    ("NaN as an instant", envelope(b'{"id":1,"createDate":NaN}'), None),
    ("infinity as an instant", envelope(b'{"id":1,"createDate":1e999}'), None),
    ("NaN for the orders", b'{"success":"true","order_details":NaN}', None),
    ("NaN for success", b'{"success":NaN,"order_details":[]}', None),
    ("NaN beside the orders", envelope(b'{"id":1,%b}' % CREATED)[:-1] + b',"total":NaN}', 1),
    (
        "ids that end in different halves of a character",
        envelope(*(b'{"id":"%b",%b}' % (each, CREATED) for each in (b"\\ud83d", b"\\ud83e", b"\\ufffd"))),
        3,
    ),
    ("a comma after the last order", envelope(b'{"id":1,%b},' % CREATED), None),
    ("an invalid escape", envelope(b'{"id":1,%b,"x":"\\q"}' % CREATED), None),
    ("quotes that are not escaped", envelope(b'{"id":1,%b,"x":"5" tall"}' % CREATED), None),
    ("a number with leading zeros", envelope(b'{"id":1,%b,"x":007}' % CREATED), None),
    ("a key twice", envelope(b'{"id":1,%b}' % CREATED)[:-1] + b',"order_details":[]}', None),
    ("a key twice in an order", envelope(b'{"id":1,"id":2,%b}' % CREATED), 1),
    ("rows that are none", envelope(b"3", b"null"), None),
    ("no id", envelope(b'{"id":null,%b}' % CREATED), None),
    ("failed beside orders", b'{"status":"failed","success":"true","order_details":[{"id":1,%b}]}' % CREATED, None),
]


@pytest.mark.parametrize(
    ("body", "rows"),
    [pytest.param(*each, id=name, marks=[pytest.mark.slow] * ("million" in name)) for name, *each in BODIES],
)
def test_a_strange_body_is_an_error_or_the_orders(body: bytes, rows: int | None) -> None:
    outcomes = []
    for pull in (pull_sync, pull_async):
        # Two orders at least make a walk read on from the last of them.
        last = envelope(*([body[body.rfind(b'{"id"') : -2]] if rows and rows > 1 else []))
        with Hostile(http(body), then=None if rows is None else http(last)) as server:
            extra = {"max_response_bytes": 1 << 24, "max_concurrency": 1}
            if rows is None:
                error = failure(pull, server, **extra)
                outcomes.append((type(error), str(error)))
                assert isinstance(error, KaptureShapeError | KaptureRefusedError)
                assert len(str(error)) < 400
            else:
                found = pull(make_account(server, **extra))
                assert len(found) == rows
                outcomes.append(json.dumps(found, default=str))
    assert outcomes[0] == outcomes[1]


@both
@pytest.mark.parametrize("charset", [b"utf-16", b"latin-1", b"no-such-charset", b'"'])
def test_a_charset_that_lies_changes_nothing(pull: Pull, charset: bytes) -> None:
    answer = http(
        envelope('{"id":1,"createDate":1715126400000,"x":"é"}'.encode()), b"Content-Type: a/b; charset=" + charset
    )
    with Hostile(answer, then=http()) as server:
        found = pull(make_account(server, max_concurrency=1))
        assert [order["x"] for order in found] == ["é"]
