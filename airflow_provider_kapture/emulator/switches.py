"""The switches: everything that the vendor's documentation leaves open, and every fault.

Switches about requests and about responses are in ``request_switches`` and ``response_switches``; the others are here.
"""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo

from airflow_provider_kapture.emulator.response_switches import ResponseSwitches
from airflow_provider_kapture.emulator.switch_topics import switch

Position = Literal["top", "middle", "end", "random"]


@dataclass(frozen=True, kw_only=True)
class Switches(ResponseSwitches):
    """The behaviour of the emulator. By default it follows the vendor's documentation, without faults.

    "Every Nth request" counts the requests since the switches were last changed. If several faults are due at once, the
    first in the order below wins.

    :raises ValueError: a value is invalid; names the switch
    """

    latency: float = switch("wire", 0.0, "seconds before the first byte of each response", least=0)
    redirect: str | None = switch("wire", None, "redirect every request to this URL with 302")
    status_every: int | None = switch("wire", None, "respond to every Nth request with `status`", least=1)
    status: int = switch("wire", 503, "the HTTP status for status_every; with 200, the body is a failure")
    html_every: int | None = switch(
        "wire", None, "respond to every Nth request with an HTML page and status 200", least=1
    )
    verbatim: str | None = switch("wire", None, "respond to every request with this text and status 200")
    drop_every: int | None = switch("wire", None, "close the connection in the middle of every Nth response", least=1)
    truncate_every: int | None = switch("wire", None, "cut the JSON of every Nth response in the middle", least=1)
    broken: Literal[
        "closed",
        "reset",
        "half_head",
        "garbage",
        "reset_in_body",
        "half_chunk",
        "silence",
        "bad_gzip",
        "short_gzip",
    ] = switch("wire", "reset", "how the connections of broken_every break")
    broken_every: int | None = switch("wire", None, "break the connection of every Nth response", least=1)
    bomb: bool = switch("wire", False, "respond with a megabyte of gzip that decompresses to a gigabyte")
    nodes: Literal["one", "lagging", "other_order"] = switch(
        "wire",
        "one",
        "two nodes that take turns: the second lacks the newest orders, or returns rows in reverse order",
    )
    sticky: bool = switch("wire", True, "whether a session cookie keeps a client on its node")

    retry_after: str | None = switch(
        "pace", None, "the Retry-After header of status_every and too_fast: seconds or an HTTP date, sent unchanged"
    )
    max_in_flight: int | None = switch("pace", None, "maximum number of concurrent requests; see too_fast", least=1)
    max_per_second: int | None = switch(
        "pace", None, "maximum number of requests within a second; see too_fast", least=1
    )
    too_fast: Literal["429", "403", "409", "423", "503", "failed"] = switch(
        "pace", "429", "the response beyond these limits: an HTTP status, or a failure with status 200"
    )
    too_fast_message: str | None = switch("pace", None, "the message of too_fast; none: the text of the status")

    mutate: float = switch(
        "changes", 0.0, "orders that change in a second: updated, deleted, or inserted late", least=0, unit="RATE"
    )
    order: Literal["newest", "oldest"] = switch("changes", "newest", "which orders are first")
    shuffle: bool = switch("changes", False, "return the rows of each response in another order")
    repeat_edge: int = switch(
        "changes", 0, "start each page except the first this many rows before its offset", least=0
    )
    insert_per_answer: int = switch(
        "changes", 0, "number of orders inserted into the listing after each response", least=0
    )
    insert_at: Position = switch("changes", "top", "where orders are inserted")
    delete_per_answer: int = switch(
        "changes", 0, "number of orders deleted from the listing after each response", least=0
    )
    delete_at: Position = switch("changes", "top", "where orders are deleted")

    def __post_init__(self) -> None:
        expected = switch_types()
        for each in fields(self):
            value, least = getattr(self, each.name), each.metadata["least"]
            if not _fits(value, expected[each.name]):
                raise ValueError(f"Switch {each.name} is {value!r}: it must be {describe_type(expected[each.name])}")
            if value is not None and least is not None and not least <= value < math.inf:
                raise ValueError(f"Switch {each.name} is {value!r}: it must be {least} or more")
        if not 200 <= self.status <= 599:
            raise ValueError(f"Switch status is {self.status!r}: it must be an HTTP status from 200 to 599")
        if self.timezone is not None:
            check_zone("Switch timezone", self.timezone)

    def changed(self, changes: Mapping[str, Any]) -> Switches:
        """Return these switches with some changed.

        :raises ValueError: an unknown switch (suggests the nearest name) or an invalid value
        """
        known = switch_types()
        for name in changes:
            if name not in known:
                near = get_close_matches(str(name), known, 1)
                raise ValueError(f"Unknown switch {name!r}" + (f": did you mean {near[0]!r}?" if near else ""))
        return replace(self, **changes)


def switch_types() -> dict[str, Any]:
    """Return the type of each switch, by name."""
    hints = get_type_hints(Switches)
    return {each.name: hints[each.name] for each in fields(Switches)}


def check_zone(what: str, name: str) -> None:
    """Check the name of a time zone.

    :param what: names the value in the error
    :raises ValueError: there is no such zone
    """
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError) as error:
        raise ValueError(f"{what} is {name!r}: it must be an IANA name such as Asia/Kolkata") from error


def choices(expected: Any) -> tuple[Any, ...]:
    """Return the values of a switch's type if it is an enumeration; otherwise none."""
    return get_args(expected) if get_origin(expected) is Literal else ()


def without_none(expected: Any) -> Any:
    """Return a switch's type without None."""
    if get_origin(expected) in (Union, types.UnionType):
        return next(each for each in get_args(expected) if each is not type(None))
    return expected


def describe_type(expected: Any) -> str:
    """Return a description of a switch's type."""
    named = choices(expected)
    if named:
        return "one of " + ", ".join(map(str, named))
    optional = " or none" if without_none(expected) is not expected else ""
    return {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}[
        without_none(expected)
    ] + optional


def _fits(value: Any, expected: Any) -> bool:
    named = choices(expected)
    if named:
        return type(value) in (str, int) and value in named
    if value is None:
        return without_none(expected) is not expected
    kind = without_none(expected)
    return type(value) is kind or (kind is float and type(value) is int)
