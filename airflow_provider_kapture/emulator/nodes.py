"""Two nodes behind a load balancer, the second of which may lag or sort differently."""

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
    """Distributes requests to two nodes in turns, except those with a session cookie."""

    def __init__(self) -> None:
        self._next = 0

    def select_node(self, request: SeenRequest, switches: Switches) -> int:
        """Return the number of the node that handles a request: 0 or 1."""
        if switches.nodes == "one":
            return 0
        known = _node_of_cookie(request) if switches.sticky else None
        if known is not None:
            return known
        self._next += 1
        return (self._next - 1) % 2

    def listing_of_node(self, node: int, listing: Sequence[Order], store: Store, switches: Switches) -> Sequence[Order]:
        """Return a listing as a node has it."""
        if not node or switches.nodes == "one":
            return listing
        if switches.nodes == "other_order":
            return listing[::-1]
        missing = set(store.orders()[-_LAG:])
        return [order for order in listing if order not in missing]

    def with_cookie(self, reply: Reply, node: int, request: SeenRequest, switches: Switches) -> Reply:
        """Return the response with a session cookie for its node."""
        if switches.nodes == "one" or not switches.sticky or _node_of_cookie(request) is not None:
            return reply
        cookie = f"JSESSIONID=0F3A9C{self._next:04X}.node{node}; Path=/; HttpOnly"
        return replace(reply, headers={**reply.headers, "set-cookie": cookie})


def _node_of_cookie(request: SeenRequest) -> int | None:
    found = _COOKIE.search(request.headers.get("cookie", ""))
    return int(found[1]) if found else None
