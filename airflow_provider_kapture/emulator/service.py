"""The handling of a request: which response it gets, from the switches and the orders. No sockets."""

from __future__ import annotations

import datetime as dt
import time
from collections import deque
from random import Random
from zoneinfo import ZoneInfo

from airflow_provider_kapture.client.orders import PATH
from airflow_provider_kapture.emulator import credentials, envelopes, pages, responses
from airflow_provider_kapture.emulator.book import Book
from airflow_provider_kapture.emulator.nodes import Nodes
from airflow_provider_kapture.emulator.query import Query, parse
from airflow_provider_kapture.emulator.rejections import NothingFoundError, RequestRejectedError
from airflow_provider_kapture.emulator.responses import Reply
from airflow_provider_kapture.emulator.spans import DaySpan
from airflow_provider_kapture.emulator.store import Store
from airflow_provider_kapture.emulator.switches import Switches
from airflow_provider_kapture.emulator.traffic import SeenRequest, Traffic

# Changes before one response, which must not take long.
_MAX_MUTATIONS = 10_000


class Service:
    """The emulator without a socket.

    :param book: the initial orders
    :param switches: the initial switches
    :param user: the user name of Basic authentication, any Unicode
    :param password: the password, any Unicode
    """

    def __init__(self, book: Book, switches: Switches, user: str, password: str) -> None:
        self.book = book
        self.store = Store(book)
        self.traffic = Traffic()
        self._original_switches = switches
        self._mutations = 0
        self._user, self._password = user, password
        self.switch(switches)

    def switch(self, switches: Switches) -> None:
        """Use these switches from the next request on."""
        self.switches = switches
        self._request_number = 0
        self._mutated_until = time.monotonic()
        self._nodes = Nodes()
        self._latest: deque[float] = deque()

    def reset(self) -> None:
        """Restore the initial orders and switches, and reset the counters."""
        self.store.restore()
        self._mutations = 0
        self.traffic.reset()
        self.switch(self._original_switches)

    def count(self, start: dt.date, end: dt.date) -> int:
        """Return the number of orders created on the account's days from ``start`` to ``end``, both inclusive."""
        span = DaySpan("create", start.toordinal(), end.toordinal())
        return len(self.store.listing(Query((span,), (), None, 0), self.book.timezone))

    def mutate(self, count: int) -> None:
        """Change so many orders."""
        self._mutations += count
        self.store.mutate(count, Random(f"{self.book.seed}/{self._mutations}"), time.time_ns() // 1_000_000)

    def _mutate_as_due(self) -> None:
        rate, now = self.switches.mutate, time.monotonic()
        due = int((now - self._mutated_until) * rate)
        if due:
            self._mutated_until += due / rate
            self.mutate(min(due, _MAX_MUTATIONS))

    def respond(self, request: SeenRequest) -> Reply:
        """Return the response to a request."""
        self._request_number += 1
        self._mutate_as_due()
        switches = self.switches
        if switches.redirect is not None:
            return responses.redirect(switches.redirect)
        headers = {} if switches.retry_after is None else {"retry-after": switches.retry_after}
        if self._is_due(switches.status_every):
            return responses.failure(switches.status, None, switches, headers)
        if self._is_over_limit():
            return responses.too_many_requests(switches, headers)
        if self._is_due(switches.html_every):
            return responses.html_page()
        if switches.verbatim is not None:
            return Reply(200, switches.verbatim.encode())
        return self._apply_faults(self._normal_response(request), request)

    def _is_due(self, every: int | None) -> bool:
        return every is not None and self._request_number % every == 0

    def _is_over_limit(self) -> bool:
        switches, now = self.switches, time.monotonic()
        if switches.max_in_flight is not None and self.traffic.in_flight > switches.max_in_flight:
            return True
        if switches.max_per_second is None:
            return False
        while self._latest and self._latest[0] <= now - 1:
            self._latest.popleft()
        # Rejected requests do not count: otherwise a client that is always too fast would get no orders at all.
        if len(self._latest) >= switches.max_per_second:
            return True
        self._latest.append(now)
        return False

    def _normal_response(self, request: SeenRequest) -> Reply:
        switches = self.switches
        if request.path != PATH:
            return responses.failure(404, None, switches)
        rejection = credentials.rejection(request, switches, self._user, self._password)
        if rejection is not None:
            return rejection
        if switches.bomb:
            return responses.bomb()
        try:
            query = parse(request.raw, switches, self.book.cm_id, self._today())
            self.traffic.offsets.append(query.offset)
            return self._page(query, request)
        except RequestRejectedError as error:
            return responses.failure(error.status, error.message, switches)
        except NothingFoundError:
            return envelopes.empty_response("", switches)

    def _today(self) -> int:
        return dt.datetime.now(ZoneInfo(self.book.timezone)).toordinal()

    def _page(self, query: Query, request: SeenRequest) -> Reply:
        switches = self.switches
        timezone = switches.timezone or self.book.timezone
        random = Random(f"{self.book.seed}/{self._request_number}")
        node = self._nodes.select_node(request, switches)
        listing = self._nodes.listing_of_node(node, self.store.listing(query, timezone), self.store, switches)
        if switches.shuffle:
            listing = random.sample(listing, len(listing))
        rows = pages.select_rows(listing, query, switches)
        if rows:
            reply = envelopes.orders_response(rows, switches)
        elif switches.past_end == "array" and pages.is_past_end(query, switches):
            reply = envelopes.orders_response((), switches)
        else:
            reply = envelopes.empty_response(query.start_date, switches)
        self.store.churn(query, timezone, switches, random)
        return self._nodes.with_cookie(reply, node, request, switches)

    def _apply_faults(self, reply: Reply, request: SeenRequest) -> Reply:
        switches = self.switches
        if self._is_due(switches.truncate_every):
            reply = responses.truncated(reply)
        is_packed = "content-encoding" in reply.headers
        if switches.gzip and not is_packed and "gzip" in request.headers.get("accept-encoding", ""):
            reply = responses.compressed(reply)
        if self._is_due(switches.broken_every):
            return responses.broken(reply, switches.broken)
        return responses.dropped(reply) if self._is_due(switches.drop_every) else reply
