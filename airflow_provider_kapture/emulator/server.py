"""The emulator on a real socket: uvicorn in a thread, and the methods that tests use to control it.

What a request gets is decided in ``service``.
"""

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

from airflow_provider_kapture.emulator.app import build_app
from airflow_provider_kapture.emulator.book import Book
from airflow_provider_kapture.emulator.broken import with_transport
from airflow_provider_kapture.emulator.credentials import issued_credentials
from airflow_provider_kapture.emulator.service import Service
from airflow_provider_kapture.emulator.switches import Switches
from airflow_provider_kapture.emulator.traffic import SeenRequest


class Emulator:
    """An emulator on a free loopback port, as a context manager.

    ::

        with Emulator(Book(orders=500, days=2), Switches(order="oldest")) as kapture:
            requests.post(kapture.origin + PATH, auth=(kapture.user, kapture.password), json={...})
            kapture.set(status_every=1, status=503)
            assert kapture.stats()["requests"] == 1

    Entering starts a server in a daemon thread; leaving closes all connections. Entered again, it serves the same
    orders on the same port, which simulates an outage.

    :param book: the orders; None for 1,200 orders on three days
    :param switches: the switches; None for the defaults, which follow the vendor's documentation
    :param user: the user name of Basic authentication, any Unicode
    :param password: the password, any Unicode
    :param port: the port; 0 for a free one
    :raises OSError: entering, the port is in use
    """

    def __init__(
        self,
        book: Book | None = None,
        switches: Switches | None = None,
        *,
        user: str = "kapture",
        password: str = "emulator",  # noqa: S107 - not a secret: it is printed at start
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
        """The host for a connection: ``http://127.0.0.1:PORT``."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def cm_id(self) -> int:
        """The account's id."""
        return self.book.cm_id

    def connection_json(self, **extra: Any) -> str:
        """Return an Airflow connection to this emulator, as JSON.

        :param extra: keys of the connection's extra, which override ``cm_id`` and ``timezone`` as well
        """
        login, password = issued_credentials(self.switches, self.user, self.password)
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
        """Return the environment variable that defines the connection in Airflow: its name and value."""
        return {f"AIRFLOW_CONN_{conn_id.upper()}": self.connection_json(**extra)}

    @property
    def switches(self) -> Switches:
        """The current switches."""
        return self._service.switches

    def set(self, **switches: Any) -> None:
        """Change switches from the next request on; the others keep their values.

        :raises ValueError: an unknown switch (suggests the nearest name) or an invalid value
        """
        self._service.switch(self._service.switches.changed(switches))

    def reset(self) -> None:
        """Restore the initial orders and switches, and reset the counters."""
        self._control("POST", "reset")

    def stats(self) -> dict[str, Any]:
        """Return ``requests``, ``statuses``, ``in_flight``, ``max_in_flight`` and the latest ``offsets``.

        They count from the start or the latest :meth:`reset`.
        """
        if self._server is None:
            return self._service.traffic.to_dict()
        # Requested through the server, so that responses already received are no longer counted as in flight.
        return self._control("GET", "stats")

    @property
    def requests_seen(self) -> Sequence[SeenRequest]:
        """The latest requests, oldest first, to any path except the control API's."""
        return tuple(self._service.traffic.seen)

    def count(self, start: dt.date | str, end: dt.date | str) -> int:
        """Return the current number of orders created on days of the account.

        :param start: the first day
        :param end: the last day, inclusive
        """
        return int(self._control("GET", f"count?start={start}&end={end}")["orders"])

    def ids(self, start_ms: int | None = None, end_ms: int | None = None) -> list[int]:
        """Return the ids of the current orders created in ``[start_ms, end_ms)``, epoch milliseconds, oldest first."""
        return [order.id for order in self._service.store.orders(start_ms, end_ms)]

    @property
    def orders(self) -> list[dict[str, Any]]:
        """The current orders, oldest first, parsed from their JSON."""
        return [json.loads(order.record) for order in self._service.store.orders()]

    def records(self, start_ms: int | None = None, end_ms: int | None = None) -> list[bytes]:
        """Return the JSON of the current orders created in ``[start_ms, end_ms)``, epoch milliseconds, oldest first."""
        return [order.record for order in self._service.store.orders(start_ms, end_ms)]

    def add_orders(self, count: int, *, day: dt.date | str | None = None, create_ms: int | None = None) -> list[int]:
        """Add new orders.

        :param count: number of orders
        :param day: the account's day on which they are created; None for the book's last day
        :param create_ms: the instant at which all of them are created, epoch milliseconds; None for any in the day
        :return: their ids
        """
        options = {"count": count, "day": str(day or self.book.last_day), "create_ms": create_ms}
        ids: list[int] = self._control("POST", "orders", options)["ids"]
        return ids

    def mutate(self, count: int) -> None:
        """Change orders of any day: most are updated, some deleted, and some inserted late.

        :param count: number of changes
        """
        self._control("POST", "mutate", {"count": count})

    def _control(self, method: str, what: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, f"/_emulator/{what}", json.dumps(body or {}))
            response: dict[str, Any] = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        if "error" in response:
            raise ValueError(response["error"])
        return response


def _is_worth_logging(record: logging.LogRecord) -> bool:
    is_shutdown = record.exc_info is not None and isinstance(record.exc_info[1], asyncio.CancelledError)
    return not is_shutdown and record.getMessage() != "ASGI callable returned without completing response."


_LOOP_ITERATIONS_TO_CONNECT = 4


def _listening_socket(port: int) -> socket.socket:
    # asyncio turns off Nagle's algorithm only if the protocol is TCP explicitly; otherwise small responses take 40 ms.
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
        # uvicorn logs connections that are dropped on purpose as errors.
        logging.getLogger("uvicorn.error").addFilter(_is_worth_logging)
        self._socket = _listening_socket(port)
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            with_transport(build_app(service)),
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
        # The socket is already listening, so connections from now on are queued.
        self._is_up.set()
        try:
            await self._serving
        except asyncio.CancelledError:
            await self._close_connections()

    async def _close_connections(self) -> None:
        """Close all connections at once: uvicorn's own shutdown waits for clients to disconnect."""
        # uvicorn keeps accepting connections if it is stopped while it starts.
        self._loop.remove_reader(self._socket)
        # uvicorn registers an accepted connection only some iterations of the event loop later.
        for _ in range(_LOOP_ITERATIONS_TO_CONNECT):
            await asyncio.sleep(0)
        for connection in list(self._uvicorn.server_state.connections):
            connection.transport.abort()
        self._socket.close()
