"""The emulator as an ASGI application: the Pull Order API, and the control API under ``/_emulator/``.

What a request gets is decided in ``service``; the socket is in ``server``.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from airflow_provider_kapture.emulator.book import Book
from airflow_provider_kapture.emulator.broken import break_connection
from airflow_provider_kapture.emulator.responses import Reply
from airflow_provider_kapture.emulator.service import Service
from airflow_provider_kapture.emulator.switches import Switches
from airflow_provider_kapture.emulator.traffic import SeenRequest

_Endpoint = Callable[[Request], Awaitable[JSONResponse]]


def create_app(book: Book, switches: Switches | None = None, *, user: str, password: str) -> Starlette:
    """Return the emulator as an application for any ASGI server.

    :param book: the initial orders
    :param switches: the initial switches; None for the defaults
    :param user: the user name of Basic authentication
    :param password: the password
    """
    return build_app(Service(book, switches or Switches(), user, password))


def build_app(service: Service) -> Starlette:
    """Return the application of a service. Its control API has no authentication: serve it on loopback only.

    - ``GET count?start=YYYY-MM-DD&end=YYYY-MM-DD``: ``{"orders": n}`` of these days of the account, both inclusive
    - ``GET stats``: ``requests``, ``statuses``, ``in_flight``, ``max_in_flight``, and the latest ``offsets``
    - ``POST switches``, a JSON object: change these switches
    - ``POST orders``, ``{"count": n, "day": "YYYY-MM-DD", "create_ms": epoch milliseconds}``: add orders; all keys are
      optional (defaults: 1, the book's last day, any time of the day)
    - ``POST mutate``, ``{"count": n}``: change so many orders: update, delete or insert late
    - ``POST reset``: restore the initial orders and switches, and reset the counters
    """
    control = [
        Route("/count", _guarded(_count(service)), methods=["GET"]),
        Route("/stats", _guarded(_stats(service)), methods=["GET"]),
        Route("/switches", _guarded(_switches(service)), methods=["POST"]),
        Route("/orders", _guarded(_orders(service)), methods=["POST"]),
        Route("/mutate", _guarded(_mutate(service)), methods=["POST"]),
        Route("/reset", _guarded(_reset(service)), methods=["POST"]),
    ]
    return Starlette(routes=[Mount("/_emulator", routes=control), Mount("/", app=_OrdersApp(service))])


class _OrdersApp:
    """Every path except the control API."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            body = await request.body()
        except ClientDisconnect:
            return  # the client closed the connection before it had sent the request
        seen = SeenRequest(request.method, request.url.path, dict(request.headers), body)
        with self._service.traffic.counting(seen):
            if self._service.switches.latency:
                await asyncio.sleep(self._service.switches.latency)
            reply = self._service.respond(seen)
            self._service.traffic.statuses[str(reply.status)] += 1
            if reply.broken is not None:
                await break_connection(reply, scope, receive)
            else:
                await _send(reply, send)


async def _send(reply: Reply, send: Send) -> None:
    headers = {**reply.headers, "content-length": str(len(reply.body))}
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": encoded})
    if reply.is_cut:
        # A body shorter than its Content-Length makes the server close the connection.
        await send({"type": "http.response.body", "body": reply.body[: len(reply.body) // 2], "more_body": True})
    else:
        await send({"type": "http.response.body", "body": reply.body})


def _guarded(endpoint: _Endpoint) -> _Endpoint:
    """Return the endpoint with responses of status 400 and the reason for invalid requests."""

    async def guarded(request: Request) -> JSONResponse:
        try:
            return await endpoint(request)
        except (ValueError, TypeError, KeyError) as error:
            return JSONResponse({"error": str(error)}, status_code=400)

    return guarded


def _count(service: Service) -> _Endpoint:
    async def count(request: Request) -> JSONResponse:
        start, end = (dt.date.fromisoformat(request.query_params[name]) for name in ("start", "end"))
        return JSONResponse({"orders": service.count(start, end)})

    return count


def _stats(service: Service) -> _Endpoint:
    async def stats(_request: Request) -> JSONResponse:
        return JSONResponse(service.traffic.to_dict())

    return stats


def _switches(service: Service) -> _Endpoint:
    async def switches(request: Request) -> JSONResponse:
        service.switch(service.switches.changed(await _json(request)))
        return JSONResponse({})

    return switches


def _orders(service: Service) -> _Endpoint:
    async def orders(request: Request) -> JSONResponse:
        options = await _json(request)
        day = dt.date.fromisoformat(options["day"]) if options.get("day") else service.book.last_day
        added = service.store.add(int(options.get("count", 1)), day, options.get("create_ms"))
        return JSONResponse({"ids": [order.id for order in added]})

    return orders


def _mutate(service: Service) -> _Endpoint:
    async def mutate(request: Request) -> JSONResponse:
        service.mutate(int((await _json(request)).get("count", 1)))
        return JSONResponse({})

    return mutate


def _reset(service: Service) -> _Endpoint:
    async def reset(_request: Request) -> JSONResponse:
        service.reset()
        return JSONResponse({})

    return reset


async def _json(request: Request) -> dict[str, Any]:
    given = json.loads(await request.body() or b"{}")
    if not isinstance(given, dict):
        raise TypeError("The body must be a JSON object")
    return given
