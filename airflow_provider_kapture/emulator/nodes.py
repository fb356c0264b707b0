"""Two nodes behind a balancer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from airflow_provider_kapture.emulator.book import Order
from airflow_provider_kapture.emulator.responses import Reply
from airflow_provider_kapture.emulator.store import Store
from airflow_provider_kapture.emulator.switches import Switches
from airflow_provider_kapture.emulator.traffic import SeenRequest

_COOKIE = re.compile(r"\bJSESSIONID=[0-9A-F]+\.node([01])\b")
_LAG = 7


class Nodes:
    """Sends requests to one node and the other in turns, except those that say where they were before."""

    def __init__(self) -> None:
        self._next = 0

    def node_of(self, request: SeenRequest, switches: Switches) -> int:
        """The number of the node that a request gets to."""
        if switches.nodes == "one":
            return 0
        known = _known(request) if switches.sticky else None
        if known is not None:
            return known
        self._next += 1
        return (self._next - 1) % 2

    def seen_by(self, node: int, listing: Sequence[Order], store: Store, switches: Switches) -> Sequence[Order]:
        """A listing as a node has it."""
        if not node or switches.nodes == "one":
            return listing
        if switches.nodes == "other_order":
            return listing[::-1]
        missing = set(store.orders()[-_LAG:])
        return [order for order in listing if order not in missing]

    def with_cookie(self, reply: Reply, node: int, request: SeenRequest, switches: Switches) -> Reply:
        """The answer with the cookie that leads back to its node."""
        if switches.nodes == "one" or not switches.sticky or _known(request) is not None:
            return reply
        cookie = f"JSESSIONID=0F3A9C{self._next:04X}.node{node}; Path=/; HttpOnly"
        return replace(reply, headers={**reply.headers, "set-cookie": cookie})


def _known(request: SeenRequest) -> int | None:
    found = _COOKIE.search(request.headers.get("cookie", ""))
    return int(found[1]) if found else None
