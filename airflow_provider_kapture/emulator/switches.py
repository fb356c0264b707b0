"""Every gap of the vendor's page and every misbehaviour, as a switch."""

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
    """How the emulator behaves. The defaults are those of a well-behaved server that keeps to the vendor's page.

    A fault that comes with "every Nth request" counts the requests since the switches were last changed; where
    several are due at once, the first in the order below wins.
    """

    latency: float = switch("wire", 0.0, "seconds before the first byte of each answer", least=0)
    redirect: str | None = switch("wire", None, "send every request to this URL, with 302")
    status_every: int | None = switch("wire", None, "answer every Nth request with the status below", least=1)
    status: int = switch("wire", 503, "the HTTP status for status_every; 200 says a failure under 200")
    html_every: int | None = switch("wire", None, "answer every Nth request with an HTML page under 200", least=1)
    verbatim: str | None = switch("wire", None, "answer every request with this text, under 200")
    drop_every: int | None = switch("wire", None, "drop the connection in the middle of every Nth answer", least=1)
    truncate_every: int | None = switch("wire", None, "end the JSON of every Nth answer in its middle", least=1)
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
    broken_every: int | None = switch("wire", None, "break the connection of every Nth answer", least=1)
    bomb: bool = switch("wire", False, "answer with a megabyte of gzip that unpacks to a gigabyte")
    nodes: Literal["one", "lagging", "other_order"] = switch(
        "wire",
        "one",
        "two nodes that take turns: the second lacks the newest orders, or has the opposite order of rows",
    )
    sticky: bool = switch("wire", True, "whether a session cookie keeps a client on its node")

    retry_after: str | None = switch(
        "pace", None, "Retry-After of status_every and too_fast: seconds or an HTTP date, sent as it is"
    )
    max_in_flight: int | None = switch("pace", None, "the most requests at once; see too_fast", least=1)
    max_per_second: int | None = switch("pace", None, "the most requests within a second; see too_fast", least=1)
    too_fast: Literal["429", "403", "409", "423", "503", "failed"] = switch(
        "pace", "429", "a request beyond these: an HTTP status or a failure with status 200"
    )
    too_fast_message: str | None = switch("pace", None, "the message of too_fast; none: that of the status")

    order: Literal["newest", "oldest"] = switch("changes", "newest", "which orders come first")
    shuffle: bool = switch("changes", False, "another order of the rows in each answer")
    repeat_edge: int = switch("changes", 0, "start each page but the first so many rows before its offset", least=0)
    insert_per_answer: int = switch(
        "changes", 0, "orders that appear in the listing after each of its answers", least=0
    )
    insert_at: Position = switch("changes", "top", "where they appear")
    delete_per_answer: int = switch(
        "changes", 0, "orders that vanish from the listing after each of its answers", least=0
    )
    delete_at: Position = switch("changes", "top", "where they vanish")

    def __post_init__(self) -> None:
        expected = switch_types()
        for each in fields(self):
            value, least = getattr(self, each.name), each.metadata["least"]
            if not _fits(value, expected[each.name]):
                raise ValueError(f"Switch {each.name} is {value!r}: it must be {described(expected[each.name])}")
            if value is not None and least is not None and not least <= value < math.inf:
                raise ValueError(f"Switch {each.name} is {value!r}: it must be {least} or more")
        if not 200 <= self.status <= 599:
            raise ValueError(f"Switch status is {self.status!r}: it must be an HTTP status from 200 to 599")
        if self.timezone is not None:
            check_zone("Switch timezone", self.timezone)

    def changed(self, changes: Mapping[str, Any]) -> Switches:
        """These switches with some changed.

        :raises ValueError: an unknown switch (names the nearest) or a value that is none of its
        """
        known = switch_types()
        for name in changes:
            if name not in known:
                near = get_close_matches(str(name), known, 1)
                raise ValueError(f"Unknown switch {name!r}" + (f": did you mean {near[0]!r}?" if near else ""))
        return replace(self, **changes)


def switch_types() -> dict[str, Any]:
    """The type of each switch."""
    hints = get_type_hints(Switches)
    return {each.name: hints[each.name] for each in fields(Switches)}


def check_zone(what: str, name: str) -> None:
    """Raise ValueError unless it is the name of a time zone."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError) as error:
        raise ValueError(f"{what} is {name!r}: it must be an IANA name such as Asia/Kolkata") from error


def choices(expected: Any) -> tuple[Any, ...]:
    """The values that a switch's type names one by one, where it does."""
    return get_args(expected) if get_origin(expected) is Literal else ()


def bare(expected: Any) -> Any:
    """A switch's type without "or none"."""
    if get_origin(expected) in (Union, types.UnionType):
        return next(each for each in get_args(expected) if each is not type(None))
    return expected


def described(expected: Any) -> str:
    """A switch's type in words."""
    named = choices(expected)
    if named:
        return "one of " + ", ".join(map(str, named))
    optional = " or none" if bare(expected) is not expected else ""
    return {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}[bare(expected)] + optional


def _fits(value: Any, expected: Any) -> bool:
    named = choices(expected)
    if named:
        return type(value) in (str, int) and value in named
    if value is None:
        return bare(expected) is not expected
    kind = bare(expected)
    return type(value) is kind or (kind is float and type(value) is int)
