"""The emulator on a real socket."""

from __future__ import annotations

import asyncio
import datetime as dt
import http.client
import json
import logging
import socket
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import uvicorn

from airflow_provider_kapture.emulator.app import app_of
from airflow_provider_kapture.emulator.book import Book
from airflow_provider_kapture.emulator.broken import with_transport
from airflow_provider_kapture.emulator.credentials import issued
from airflow_provider_kapture.emulator.service import Service
from airflow_provider_kapture.emulator.switches import Switches
from airflow_provider_kapture.emulator.traffic import SeenRequest


class Emulator:
    """A Kapture on a free loopback port, as a context manager.

    ::

        with Emulator(Book(orders=500, days=2), Switches(order="oldest")) as kapture:
            requests.post(kapture.origin + PATH, auth=(kapture.user, kapture.password), json={...})
            kapture.set(status_every=1, status=503)
            assert kapture.stats()["requests"] == 1

    Entering starts a server in a daemon thread; leaving breaks what connections there are. Entered again, it is back
    on the same port with what it had: that is how an outage looks from outside.

    :param book: the orders; a small book of three days where none is given
    :param switches: how to behave; as the vendor's page where none are given
    :param user: the user name of Basic authentication, any Unicode
    :param password: the password, any Unicode
    :param port: the port; 0 is a free one
    """

    def __init__(
        self,
        book: Book | None = None,
        switches: Switches | None = None,
        *,
        user: str = "kapture",
        password: str = "emulator",  # noqa: S107 - made up, and said on start
        port: int = 0,
    ) -> None:
        self.book = book or Book()
        self.user = user
        self.password = password
        self.port = port
        self._service = Service(self.book, switches or Switches(), user, password)
        self._server: _Server | None = None

    def __enter__(self) -> Self:
        self._server = _Server(self._service, self.port)
        self.port = self._server.port
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None

    @property
    def origin(self) -> str:
        """The connection's host: ``http://127.0.0.1:PORT``."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def cm_id(self) -> int:
        """The account's id."""
        return self.book.cm_id

    def connection_json(self, **extra: Any) -> str:
        """An Airflow connection to this emulator, as JSON.

        :param extra: further keys of the connection's extra, or other values of those it has
        """
        login, password = issued(self.switches, self.user, self.password)
        return json.dumps(
            {
                "conn_type": "kapture",
                "host": self.origin,
                "login": login,
                "password": password,
                "extra": {"cm_id": self.cm_id, "timezone": self.book.timezone, **extra},
            }
        )

    def connection_uri_env(self, conn_id: str = "kapture_default", **extra: Any) -> dict[str, str]:
        """The environment variable by which Airflow finds the connection: its name and value."""
        return {f"AIRFLOW_CONN_{conn_id.upper()}": self.connection_json(**extra)}

    @property
    def switches(self) -> Switches:
        """How it behaves now."""
        return self._service.switches

    def set(self, **switches: Any) -> None:
        """Change switches from the next request on; those not named stay as they are.

        :raises ValueError: an unknown switch (names the nearest), or a value that is none of its
        """
        self._service.switch(self._service.switches.changed(switches))

    def reset(self) -> None:
        """Orders, switches and counts as they were at the start."""
        self._control("POST", "reset")

    def stats(self) -> dict[str, Any]:
        """``requests``, ``statuses``, ``in_flight``, ``max_in_flight`` and the latest ``offsets``, since the start."""
        if self._server is None:
            return self._service.traffic.as_dict()
        # Asked for from within the server, an answer that has arrived is no longer in flight.
        return self._control("GET", "stats")

    @property
    def requests_seen(self) -> Sequence[SeenRequest]:
        """The latest requests, oldest first, to whatever path but the control plane's."""
        return tuple(self._service.traffic.seen)

    def count(self, start: dt.date | str, end: dt.date | str) -> int:
        """The orders that there are on days of the account.

        :param start: the first day
        :param end: the last day, inclusive
        """
        return int(self._control("GET", f"count?start={start}&end={end}")["orders"])

    def ids(self, start_ms: int | None = None, end_ms: int | None = None) -> list[int]:
        """The ids of the orders that there are, created in ``[start_ms, end_ms)``, oldest first."""
        return [order.id for order in self._service.store.orders(start_ms, end_ms)]

    @property
    def orders(self) -> list[dict[str, Any]]:
        """The orders that there are, oldest first, each as its JSON reads."""
        return [json.loads(order.record) for order in self._service.store.orders()]

    def records(self, start_ms: int | None = None, end_ms: int | None = None) -> list[bytes]:
        """The JSON of the orders that there are, to the letter, created in ``[start_ms, end_ms)``, oldest first."""
        return [order.record for order in self._service.store.orders(start_ms, end_ms)]

    def add_orders(self, count: int, *, day: dt.date | str | None = None, create_ms: int | None = None) -> list[int]:
        """Let new orders appear.

        :param count: how many
        :param day: the account's day on which they are created; the book's last where none is given
        :param create_ms: the instant at which all of them are created, epoch milliseconds
        :return: their ids
        """
        options = {"count": count, "day": str(day or self.book.last_day), "create_ms": create_ms}
        ids: list[int] = self._control("POST", "orders", options)["ids"]
        return ids

    def _control(self, method: str, what: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, f"/_emulator/{what}", json.dumps(body or {}))
            answer: dict[str, Any] = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer


def _is_worth_logging(record: logging.LogRecord) -> bool:
    is_break_off = record.exc_info is not None and isinstance(record.exc_info[1], asyncio.CancelledError)
    return not is_break_off and record.getMessage() != "ASGI callable returned without completing response."


_TURNS_TO_CONNECT = 4


def _listening_socket(port: int) -> socket.socket:
    # asyncio turns off Nagle's algorithm only where TCP is named; with it, small answers are 40 ms late.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
        listening.listen(2_048)
    except OSError:
        listening.close()
        raise
    return listening


class _Server:
    """uvicorn in a daemon thread."""

    def __init__(self, service: Service, port: int) -> None:
        # Dropping a connection on purpose is nothing to complain about.
        logging.getLogger("uvicorn.error").addFilter(_is_worth_logging)
        self._socket = _listening_socket(port)
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            with_transport(app_of(service)),
            log_config=None,
            log_level="error",
            access_log=False,
            lifespan="off",
            ws="none",
            timeout_keep_alive=60,
        )
        self._uvicorn = uvicorn.Server(config)
        self._is_up = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kapture-emulator", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._is_up.wait()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._serving.cancel)
        self._thread.join()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._serving = asyncio.create_task(self._uvicorn.serve(sockets=[self._socket]))
        # The socket listens already, so that a connection made from now on waits for its turn.
        self._is_up.set()
        try:
            await self._serving
        except asyncio.CancelledError:
            await self._break_off()

    async def _break_off(self) -> None:
        """Close everything at once: uvicorn's own way waits for clients to leave."""
        # Of a server that was stopped while it started uvicorn does not know, and it would accept on and on.
        self._loop.remove_reader(self._socket)
        # A connection that was accepted a moment ago is known to uvicorn only some turns of the loop later.
        for _ in range(_TURNS_TO_CONNECT):
            await asyncio.sleep(0)
        for connection in list(self._uvicorn.server_state.connections):
            connection.transport.abort()
        self._socket.close()
