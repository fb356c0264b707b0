"""What a request gets: the one place where the switches meet the orders."""

from __future__ import annotations

import base64
import datetime as dt
import time
from collections import deque
from collections.abc import Sequence
from random import Random

from airflow_provider_kapture.client.orders import PATH
from airflow_provider_kapture.emulator import answers
from airflow_provider_kapture.emulator.answers import Reply
from airflow_provider_kapture.emulator.book import Book, Order
from airflow_provider_kapture.emulator.question import DaySpan, Question, RefusalError, parse
from airflow_provider_kapture.emulator.store import Store
from airflow_provider_kapture.emulator.switches import Switches
from airflow_provider_kapture.emulator.traffic import SeenRequest, Traffic


class Service:
    """A Kapture without a socket.

    :param book: the orders to start with
    :param switches: how to behave at the start
    :param user: the user name of Basic authentication, any Unicode
    :param password: the password, any Unicode
    """

    def __init__(self, book: Book, switches: Switches, user: str, password: str) -> None:
        self.book = book
        self.store = Store(book)
        self.traffic = Traffic()
        self._original_switches = switches
        self._expected_credentials = f"{user}:{password}".encode()
        self.switch(switches)

    def switch(self, switches: Switches) -> None:
        """Behave so from the next request on."""
        self.switches = switches
        self._turn = 0
        self._latest: deque[float] = deque()

    def reset(self) -> None:
        """Orders, switches and counts as they were at the start."""
        self.store.restore()
        self.traffic.reset()
        self.switch(self._original_switches)

    def count(self, start: dt.date, end: dt.date) -> int:
        """The orders created on the account's days from ``start`` to ``end``, both inclusive."""
        span = DaySpan("create", start.toordinal(), end.toordinal())
        return len(self.store.listing(Question((span,), (), None, 0), self.book.timezone))

    def answer(self, request: SeenRequest) -> Reply:
        """What a request gets."""
        self._turn += 1
        switches = self.switches
        if switches.redirect is not None:
            return answers.redirect(switches.redirect)
        if self._is_due(switches.status_every) or self._is_too_much():
            status = switches.status if self._is_due(switches.status_every) else 429
            headers = {} if switches.retry_after is None else {"retry-after": switches.retry_after}
            return answers.failure(status, None, switches, headers)
        if self._is_due(switches.html_every):
            return answers.page_of_html()
        if switches.verbatim is not None:
            return Reply(200, switches.verbatim.encode())
        return self._spoilt(self._sound_answer(request), request)

    def _is_due(self, every: int | None) -> bool:
        return every is not None and self._turn % every == 0

    def _is_too_much(self) -> bool:
        switches, now = self.switches, time.monotonic()
        if switches.max_in_flight is not None and self.traffic.in_flight > switches.max_in_flight:
            return True
        if switches.max_per_second is None:
            return False
        self._latest.append(now)
        while self._latest[0] <= now - 1:
            self._latest.popleft()
        return len(self._latest) > switches.max_per_second

    def _sound_answer(self, request: SeenRequest) -> Reply:
        switches = self.switches
        if request.path != PATH:
            return answers.failure(404, None, switches)
        if switches.method not in (request.method, "both") or request.method not in ("GET", "POST"):
            allowed = "GET, POST" if switches.method == "both" else switches.method
            return answers.failure(405, None, switches, {"allow": allowed})
        if not self._knows(request.headers.get("authorization", "")):
            return answers.failure(switches.bad_auth, "Invalid Auth Key", switches)
        if switches.bomb:
            return answers.bomb()
        try:
            question = parse(request.raw, switches, self.book.cm_id)
        except RefusalError as refusal:
            return answers.failure(refusal.status, refusal.message, switches)
        self.traffic.offsets.append(question.offset)
        return self._page(question)

    def _page(self, question: Question) -> Reply:
        switches = self.switches
        timezone = switches.timezone or self.book.timezone
        random = Random(f"{self.book.seed}/{self._turn}")
        listing = self.store.listing(question, timezone)
        if switches.shuffle:
            listing = random.sample(listing, len(listing))
        reply = answers.success(_rows(listing, question, switches), switches)
        self.store.churn(question, timezone, switches, random)
        return reply

    def _spoilt(self, reply: Reply, request: SeenRequest) -> Reply:
        switches = self.switches
        if self._is_due(switches.truncate_every):
            reply = answers.truncated(reply)
        is_packed = "content-encoding" in reply.headers
        if switches.gzip and not is_packed and "gzip" in request.headers.get("accept-encoding", ""):
            reply = answers.packed(reply)
        return answers.dropped(reply) if self._is_due(switches.drop_every) else reply

    def _knows(self, authorization: str) -> bool:
        scheme, _, token = authorization.partition(" ")
        try:
            return scheme.lower() == "basic" and base64.b64decode(token, validate=True) == self._expected_credentials
        except ValueError:
            return False


def _rows(listing: Sequence[Order], question: Question, switches: Switches) -> Sequence[Order]:
    """The rows of one page of a listing that is oldest first."""
    limit = question.limit or switches.default_limit
    limit = min(limit, switches.page_cap or limit)
    start = 0 if switches.offset_ignored else question.offset
    total = len(listing)
    if start >= total:
        return ()
    start = max(0, start - switches.repeat_edge)
    stop = min(start + limit, total)
    if switches.order == "oldest":
        return listing[start:stop]
    return listing[total - stop : total - start][::-1]
