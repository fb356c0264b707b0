"""Every switch of the emulator as a scenario, and what came of a pull from it, held against the truth.

``python tests/support/scenarios.py 10000`` prints the table for as many orders.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_kapture.client import Account, KaptureClient
from airflow_provider_kapture.client.errors import KaptureError
from airflow_provider_kapture.emulator import Book, Emulator, Switches

DAYS = 3
WINDOW = ("2024-05-08", "2024-05-11")


@dataclass(frozen=True)
class Scenario:
    """How the server behaves, what the connection says, and how a pull may fail of it.

    :param fails: names of the errors that may come of it; none where every order must come
    :param is_still: whether the listing stands still and every answer is orders, so that requests are known
    :param passing: names of the errors that no pull fails of, but which may come last where one is given up
    """

    name: str
    switches: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    fails: frozenset[str] = frozenset()
    is_still: bool = True
    passing: frozenset[str] = frozenset()

    @property
    def moves(self) -> bool:
        """Whether rows come, go or come again between answers."""
        return any(name.startswith(("insert", "delete", "repeat")) for name in self.switches)

    def __and__(self, other: Scenario) -> Scenario:
        # A listing that moves in one way is followed; in two, or by more than a page while one is on its way, it may be
        # too fast, and is then called so.
        switches = {**self.switches, **other.switches}
        moved = switches.get("insert_per_answer", 0) + switches.get("delete_per_answer", 0)
        # An empty answer that is asked for again moves the listing each time.
        is_asked_again = switches.get("empty") in ("null", "message") and moved > 0
        is_fast = (self.moves and other.moves) or moved * 4 > switches.get("page_cap", 250) or is_asked_again
        too_fast = _fails("Listing") if is_fast else frozenset()
        fails, passing = self.fails | other.fails, self.passing | other.passing
        return Scenario(
            f"{self.name}; {other.name}",
            switches,
            {**self.extra, **other.extra},
            fails | too_fast | (passing if fails else frozenset()),
            self.is_still and other.is_still,
            passing,
        )

    def is_compatible_with(self, other: Scenario) -> bool:
        """Whether the two say nothing about the same switch or setting."""
        return not (self.switches.keys() & other.switches.keys() or self.extra.keys() & other.extra.keys())


def _fails(*names: str) -> frozenset[str]:
    return frozenset(f"Kapture{name}Error" for name in names)


def _still(name: str, extra: Mapping[str, Any] | None = None, *, fails: str = "", **switches: Any) -> Scenario:
    return Scenario(name, switches, extra or {}, _fails(*fails.split()))


def _moving(name: str, *, fails: str = "", passing: str = "", **switches: Any) -> Scenario:
    return Scenario(name, switches, {}, _fails(*fails.split()), is_still=False, passing=_fails(*passing.split()))


SINGLES = [
    _still("as the vendor's page has it"),
    _still("GET", {"http_method": "GET"}, method="GET"),
    _still("GET where POST is wanted", {"http_method": "GET"}, fails="Refused"),
    _still("success as a boolean", envelope="boolean"),
    _still("success as a status", envelope="status"),
    _still("failures in capitals", failure_keys="capital"),
    _still("bad credentials under 200", bad_auth=200),
    _still("oldest first", order="oldest"),
    _still("dates in another zone", fails="Dialect", timezone="America/New_York"),
    _still("dates in another zone, as told", {"timezone": "Asia/Kolkata"}, timezone="Asia/Kolkata"),
    _still("dates written otherwise", fails="Refused", date_format="%d-%m-%Y"),
    _still("dates written otherwise, as told", {"date_format": "%d-%m-%Y"}, date_format="%d-%m-%Y"),
    _still("an exclusive end date", fails="Dialect", end_date="exclusive"),
    _still("an exclusive end date, as told", {"end_date": "exclusive"}, end_date="exclusive"),
    _still("an inclusive end date, told otherwise", {"end_date": "exclusive"}, fails="Dialect Refused"),
    _still("one day a request", max_days=1),
    _still("two days in a request", {"max_days_per_request": 2}, fails="Refused"),
    _still("more days than allowed", {"max_days_per_request": 2}, fails="Refused", max_days=1),
    _still("a window is no filter", fails="Refused", window_is_filter=False),
    _still("empty as a message", fails="Refused", empty="message"),
    _still("empty as null", empty="null"),
    _still("pages of 100", page_cap=100),
    _still("pages of 10", page_cap=10),
    _still("pages of 1", fails="Listing", page_cap=1),
    _still("indented", indent=True),
    _still("packed", gzip=True),
    _still("numbers as strings", numbers_as_strings=True),
    _still("unknown fields", unknown_fields=True),
    _still("missing fields", missing_fields=True),
    _moving("late", latency=0.02),
    _moving("a redirect", fails="Refused", redirect="https://elsewhere.example/"),
    _moving("every 7th 503", passing="Busy", status_every=7, status=503),
    _moving("every 7th 429, come at once", passing="Busy", status_every=7, status=429, retry_after="0"),
    _moving("every 7th 401", fails="Auth", status_every=7, status=401),
    _moving("every 7th a failure under 200", fails="Refused", status_every=7, status=200),
    _moving("two at once", passing="Busy", max_in_flight=2),
    # Before the first page with orders, it is taken for a login page.
    _moving("every 5th HTML", passing="Shape Refused", html_every=5),
    _moving("foreign JSON", fails="Shape", verbatim='{"ok": 1}'),
    _moving("every 5th dropped", passing="Transport", drop_every=5),
    _moving("every 5th cut short", passing="Transport", truncate_every=5),
    _moving("a bomb", fails="Oversize", bomb=True),
    _moving("offset ignored", fails="Listing", offset_ignored=True),
    _moving("shuffled", fails="Listing", shuffle=True),
    _moving("3 rows repeat at each edge", repeat_edge=3),
    *(
        _moving(
            f"{count} {'appear' if what == 'insert' else 'vanish'} at the {place} with each answer",
            # Each request that another fault repeats moves the listing as well.
            passing="Listing",
            **{f"{what}_per_answer": count, f"{what}_at": place},
        )
        for what in ("insert", "delete")
        for place in ("top", "middle", "end", "random")
        for count in ((1,) if place != "top" else (1, 5))
    ),
]


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    :ivar missing: orders that stood throughout and did not come
    :ivar repeated: orders that came more than once
    :ivar pages: how many pages a listing that stands still has
    """

    rows: int
    missing: int
    repeated: int
    requests: int
    pages: int
    error: KaptureError | None
    seconds: float

    @property
    def is_complete(self) -> bool:
        """Whether every order came, once."""
        return self.error is None and not self.missing and not self.repeated

    @property
    def describe(self) -> str:
        """What the table says."""
        if self.error is not None:
            return f"{type(self.error).__name__}: {self.error}"
        return "complete" if self.is_complete else f"WRONG: {self.missing} missing, {self.repeated} repeated"


def run(scenario: Scenario, orders: int, **extra: Any) -> Outcome:
    """Pull three days of so many orders, and count against what there was."""
    with Emulator(Book(orders=orders, days=DAYS), Switches(**scenario.switches)) as kapture:
        connection = json.loads(kapture.connection_json(**{"page_size": 250, **extra, **scenario.extra}))
        account = Account.from_connection(
            connection["host"], connection["login"], connection["password"], connection["extra"]
        )
        before, found, error = kapture.ids(), [], None
        began = time.monotonic()
        try:
            with KaptureClient(account) as client:
                found = [int(order["id"]) for order in client.iter_orders(*WINDOW)]
        except KaptureError as failure:
            error = failure
        seconds = time.monotonic() - began
        staying = set(before) & set(kapture.ids())
        requests = kapture.stats()["requests"]
    rows = min(account.dialect.page_size, scenario.switches.get("page_cap") or account.dialect.page_size)
    a_day = -(-orders // DAYS)
    pages = DAYS * max(-(-(a_day - 1) // max(rows - 1, 1)), 1)
    return Outcome(len(found), len(staying - set(found)), len(found) - len(set(found)), requests, pages, error, seconds)


def main() -> None:
    """Print the table."""
    orders = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    out = sys.stdout.write
    out(f"{orders} orders in {DAYS} days, pages of 250, 4 at once\n\n")
    out("| scenario | rows | requests (pages) | seconds | outcome |\n|---|---|---|---|---|\n")
    for each in SINGLES:
        got = run(each, orders, retry_budget=20)
        pages = f"{got.requests} ({got.pages})"
        out(f"| {each.name} | {got.rows} | {pages} | {got.seconds:.1f} | {got.describe[:160]} |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
